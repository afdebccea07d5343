"""Pixels that nobody is sure of: declared values are stored as `ignore`, never meet truth, and others stay refused."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import ValidationError

from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord, FolderLayout
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import fact_sheet
from pipeline.raw.truth import TruthSource, open_truth
from pipeline.stores import open_group
from pipeline.stores.image_store import open_normalized
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

HEIGHT, WIDTH = 120, 150
LABELS = np.zeros((HEIGHT, WIDTH), np.uint8)
LABELS[40:60, 30:70], LABELS[70:90, 80:100], LABELS[:5], LABELS[40:60, 70:81] = 1, 2, 255, 255
LABEL = {"label": "{image}_l.*", "values": {"EX": 1, "HE": 2}}
MASKS = {"masks": {"EX": "{image}_EX.png", "HE": "{image}_HE.png"}}


def record(layout, **ignore) -> DatasetRecord:
    return DatasetRecord.model_validate(
        {
            "title": "t",
            "adaptor": "folder",
            "modality": "fundus",
            "task": "multiclass",
            "classes": [{"code": code, "name": code} for code in ("EX", "HE")],
            "folder": {"images": "{image}.png", **layout, **ignore},
        }
    )


def entry(folder, **files) -> ImageEntry:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    disc = ((rows - HEIGHT / 2) ** 2 + (columns - WIDTH / 2) ** 2 < 58**2).astype(np.uint8)
    Image.fromarray(np.stack([170 * disc, 90 * disc, 40 * disc], 2)).save(folder / "i.png")
    return ImageEntry("i", folder / "i.png", tuple(files.get("masks", {}).items()), files.get("label"))


def palette(values, **options):
    found = Image.fromarray(values, "P")
    found.putpalette([channel for index in range(256) for channel in (index * 37 % 256, index, 255 - index)])
    return found


CONTAINERS = {
    "grey.png": lambda path: Image.fromarray(LABELS).save(path),
    "palette.png": lambda path: palette(LABELS).save(path),
    "palette.tif": lambda path: palette(LABELS).save(path),
    "four_bits.png": lambda path: palette(np.minimum(LABELS, 15)).save(path, bits=4),
    "equal_channels.png": lambda path: Image.fromarray(np.dstack([LABELS] * 3)).save(path),
    "opaque.png": lambda path: Image.fromarray(np.dstack([LABELS] * 3 + [np.full_like(LABELS, 255)])).save(path),
    "words.tif": lambda path: tifffile.imwrite(path, LABELS.astype(np.uint16)),
    "tiles.tif": lambda path: tifffile.imwrite(path, LABELS.astype(np.uint32), tile=(64, 64)),
    "floats.tif": lambda path: tifffile.imwrite(path, LABELS.astype(np.float32), compression="zlib"),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_declared_void_value_is_counted_apart_in_every_container_and_an_undeclared_one_refused(tmp_path, name):
    CONTAINERS[name](tmp_path / name)
    image = entry(tmp_path, label=tmp_path / name)
    sheet = fact_sheet(image, record=record(LABEL, ignore=[255, 15]))
    assert (sheet["rejected"], sheet["pixels"]) == ("", {"EX": 800, "HE": 400})
    assert sheet["ignored_share"] == (5 * WIDTH + 20 * 11) / LABELS.size
    void = 15 if name == "four_bits.png" else 255
    refused = fact_sheet(image, record=record(LABEL))
    assert f"does not declare: {void}." in refused["rejected"]
    assert f"ignore: [{void}]" in refused["rejected"]
    assert "ignored_share" not in refused


def test_one_that_is_neither_a_class_nor_declared_is_refused_beside_a_void_value(tmp_path):
    values = LABELS.copy()
    values[7, 7] = 9
    Image.fromarray(values).save(tmp_path / "i_l.png")
    sheet = fact_sheet(entry(tmp_path, label=tmp_path / "i_l.png"), record=record(LABEL, ignore=[255]))
    assert "does not declare: 9." in sheet["rejected"]
    assert "0 for background and 1, 2, 255" in sheet["rejected"]


def planes(source, size):
    box = Box.of_shape(*size)
    return source.on(*size).read(box), source.ignored_on(*size).read(box)


def test_masks_may_hold_a_third_value_for_not_sure_and_truth_of_any_class_wins(tmp_path):
    first, second = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    first[10:30, 10:30], first[10:30, 30:50] = 255, 128
    second[10:20, 40:60], second[80:90, 80:90] = 1, 128
    paths = {code: tmp_path / f"i_{code}.png" for code in ("EX", "HE")}
    for path, values in zip(paths.values(), (first, second), strict=True):
        Image.fromarray(values).save(path)
    image, size = entry(tmp_path, masks=paths), (HEIGHT, WIDTH)
    with open_truth(image, record=record(MASKS, ignore=[128]), height=HEIGHT, width=WIDTH) as truth:
        classes, ignored = planes(truth, size)
    assert np.array_equal(classes, [first == 255, second == 1])
    assert np.array_equal(ignored, ((first == 128) | (second == 128)) & (second != 1))
    with (
        pytest.raises(ImageRejected, match="two-valued"),
        open_truth(image, record=record(MASKS), height=HEIGHT, width=WIDTH),
    ):
        pass


@pytest.mark.parametrize("odd", ["noise.png", "lossy.jpg"])
def test_a_mask_with_a_third_value_and_noise_is_refused(tmp_path, odd):
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    values[10:40, 10:40], values[10, 60] = 255, 254
    Image.fromarray(values).save(tmp_path / odd)
    image = entry(tmp_path, masks={"EX": tmp_path / odd})
    assert "not two-valued beside them" in fact_sheet(image, record=record(MASKS, ignore=[128]))["rejected"]


def lengths(source, target):
    """Length of each source pixel in each target pixel, ``(target, source)``, in whole numbers that add up to 1 pixel."""
    first, from_ = np.arange(target)[:, None] * source, np.arange(source) * target
    return np.clip(np.minimum(first + source, from_ + target) - np.maximum(first, from_), 0, None)


def shares(mask, rows, columns):
    """Share of each pixel of another grid that is covered."""
    height, width = mask.shape
    return lengths(height, rows) @ mask.astype(np.int64) @ lengths(width, columns).T / (height * width)


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (60, 75), (48, 100), (77, 91), (240, 300)])
def test_on_another_grid_a_pixel_that_was_partly_ignored_is_ignored_unless_it_is_truth(size):
    layers = [Raster.of(value == LABELS) for value in (1, 2)]
    source = TruthSource(tuple(layers), ignored=[Raster.of(LABELS == 255)])
    classes, ignored = planes(source, size)
    truth = np.any([shares(value == LABELS, *size) >= 0.5 for value in (1, 2)], axis=0)
    assert np.array_equal(classes.any(axis=0), truth)
    assert np.array_equal(ignored, (shares(LABELS == 255, *size) > 0) & ~truth)
    assert not (classes.any(axis=0) & (ignored > 0)).any()
    part = Box(3, 5, 40, 47)
    assert np.array_equal(source.ignored_on(*size).read(part), ignored[part.slices])


@pytest.mark.parametrize("rescale", [{}, {"factor": 0.5}])
def test_the_store_holds_ignored_pixels_only_where_the_data_set_declares_them(tmp_path, rescale):
    values = {"declared": LABELS, "plain": np.where(LABELS == 255, 0, LABELS).astype(np.uint8)}
    settings = {"strip_rows": 64, "strip_columns": 64, "storage": {"chunk": 32, "shard": 64}, "rescale": rescale}
    config = NormalizedConfig.model_validate({"chain": "fundus", "gaussian": {"sigma": 3.0}, **settings})
    for name, labels in values.items():
        Image.fromarray(labels).save(tmp_path / f"{name}.png")
        known = record(LABEL, **({"ignore": [255]} if name == "declared" else {}))
        job = Job(known, Provenance("normalized", {}, "code"))
        image = entry(tmp_path, label=tmp_path / f"{name}.png")
        normalise_fundus(image, config=config, job=job, output=tmp_path / f"{name}.zarr")
    declared, plain = (open_normalized(tmp_path / f"{name}.zarr") for name in values)
    assert plain.ignore is None
    assert "ignore" not in open_group(tmp_path / "plain.zarr")
    with open_truth(image, record=known, height=HEIGHT, width=WIDTH) as truth:
        assert truth.ignored_on(HEIGHT, WIDTH) is None
    box = declared.image.box
    for name in ("image", "roi", "truth"):
        assert np.array_equal(getattr(declared, name).read(box), getattr(plain, name).read(box)), name
    expected = (shares(LABELS == 255, *declared.image.shape) > 0) & ~declared.truth.read(box).any(axis=0)
    assert np.array_equal(declared.ignore.read(box), expected)


@pytest.mark.parametrize("layout", [LABEL | {"ignore": [1]}, LABEL | {"ignore": [0]}, {"ignore": [255]}])
def test_a_value_to_ignore_is_no_class_no_background_and_needs_files_with_values(layout):
    with pytest.raises(ValidationError):
        FolderLayout(images="{image}.png", **layout)
