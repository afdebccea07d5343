"""Truth files are looked at: noise and thin rims are cut in the middle, and what may mean something else is refused."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from pydantic import ValidationError

from pipeline.config.manifest import DatasetRecord, FolderLayout
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import fact_sheet
from pipeline.raw.formats.reader import open_values
from pipeline.raw.truth_values import RECORDED, count_values, mask_cut
from pipeline.seeds import stream

HEIGHT, WIDTH = 200, 240
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]


def disks(radius: float, *, count: int = 20) -> np.ndarray:
    rng = stream(0, "test", "disks")
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    for y, x in zip(rng.integers(20, 180, count), rng.integers(20, 220, count), strict=True):
        mask |= (ROWS - y) ** 2 + (COLUMNS - x) ** 2 <= radius**2
    return mask


def white(mask: np.ndarray) -> np.ndarray:
    return mask.astype(np.uint8) * np.uint8(255)


def save(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, values, photometric="rgb" if values.ndim == 3 else "minisblack", tile=(64, 48))
    else:
        Image.fromarray(values).save(path)
    return path


def read(path: Path) -> np.ndarray:
    with open_values(path) as source:
        cut = mask_cut(source, count_values(source, path=path), path=path)
        return source.read(Box.of_shape(*source.shape)) > cut


def through_jpeg(values: np.ndarray, quality: int) -> np.ndarray:
    stream_ = io.BytesIO()
    Image.fromarray(values).save(stream_, "JPEG", quality=quality)
    return np.asarray(Image.open(stream_))


@pytest.mark.parametrize("form", ["m.png", "m.tif"])
@pytest.mark.parametrize("radius", [1, 2, 5, 15])
@pytest.mark.parametrize("quality", [60, 75, 90, 98])
def test_noise_of_a_jpeg_that_was_saved_again_is_cut_away(tmp_path, form, radius, quality):
    mask = disks(radius)
    noisy = through_jpeg(white(mask), quality)
    assert np.array_equal(read(save(tmp_path / form, noisy)), mask)
    assert np.array_equal(read(save(tmp_path / form, np.stack([noisy] * 3, 2))), mask)


@pytest.mark.parametrize("radius", [5, 15, 40])
@pytest.mark.parametrize("scale", [1, 257])
def test_anti_aliased_rims_are_cut_in_the_middle(tmp_path, radius, scale):
    fine = np.kron(disks(radius, count=3), np.ones((3, 3)))
    soft = cv2.resize(white(fine), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    soft = soft if scale == 1 else soft.astype(np.uint16) * 257
    assert len(np.unique(soft)) <= 10
    mask = disks(radius, count=3)
    shifted = np.kron(mask, np.ones((3, 3)))[1:, 1:]
    rims = cv2.resize(white(np.pad(shifted, ((0, 1), (0, 1)))), (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    rims = rims if scale == 1 else rims.astype(np.uint16) * 257
    for values in (soft, rims):
        assert np.array_equal(read(save(tmp_path / "m.tif", values)), values > 127 * scale + (scale > 1) * 128)


def labels(*values: int, dtype: type = np.uint8) -> np.ndarray:
    """An area of each value."""
    found = np.zeros((HEIGHT, WIDTH), dtype)
    for number, value in enumerate(values):
        found[20:50, 10 + 40 * number : 40 + 40 * number] = value
    return found


AMBIGUOUS = {
    "two labels": labels(1, 2),
    "no background": labels(1) + np.uint8(1),
    "for looking at": labels(128, 255),
    "a low label": labels(1, 255),
    "dark and light": labels(50, 200, 255),
    "many labels": labels(60, 120, 180, 240),
    "16 bits": labels(20000, 65535, dtype=np.uint16),
    "bits that are not used": labels(5, 900, dtype=np.uint16),
    "large numbers": labels(5, 100_000, dtype=np.uint32),
    "a heat map": (255 * np.exp(-((ROWS - 90) ** 2 + (COLUMNS - 90) ** 2) / 800)).astype(np.uint8),
    "a picture": stream(0, "test", "picture").integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8) // 2 + np.uint8(60),
    "interpolated": cv2.resize(
        cv2.resize(white(disks(15)), (WIDTH // 4, HEIGHT // 4), interpolation=cv2.INTER_AREA), (WIDTH, HEIGHT)
    ),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_a_mask_that_is_not_two_valued_is_refused_with_what_was_found(tmp_path, kind):
    values = AMBIGUOUS[kind]
    with pytest.raises(ImageRejected, match=rf"two-valued(.|\n)*found(.*){values.max()} \((.|\n)*expected"):
        read(save(tmp_path / "m.tif", values))


ODD = {
    "probabilities": (np.float32([[0, 0.97], [1e-4, 1]]), "0.97"),
    "no number": (np.float32([[0, np.nan], [1, 1]]), "nan"),
    "infinite": (np.float64([[0, np.inf], [1, 1]]), "inf"),
    "signed": (white(disks(5)).view(np.int8), "int8: (.*)-1"),
    "negative": (np.int32([[0, -7], [1, 1]]), "-7"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("as_label", [False, True])
def test_negative_and_fractional_values_are_refused(tmp_path, kind, as_label):
    values, found = ODD[kind]
    tifffile.imwrite(tmp_path / "m.tif", values, photometric="minisblack")
    with open_values(tmp_path / "m.tif", labels=as_label) as source, pytest.raises(ImageRejected, match=found):
        count_values(source, path=tmp_path / "m.tif")


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_a_mask(tmp_path, dtype):
    mask = disks(5)
    for top in (1, 100, 127):
        assert np.array_equal(read(save(tmp_path / "m.tif", mask.astype(dtype) * dtype(top))), mask)


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_an_inverted_mask_without_a_largest_value_is_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "m.tif", disks(5).astype(dtype), photometric="miniswhite")
    with pytest.raises(ImageRejected, match="unsigned"):
        read(tmp_path / "m.tif")


def record(**values) -> DatasetRecord:
    return DatasetRecord.model_validate(
        {
            "title": "t",
            "adaptor": "folder",
            "modality": "fundus",
            "task": "multiclass",
            "classes": [{"code": code, "name": code} for code in values],
            "folder": {"images": "{image}.png", "label": "{image}_l.*", "values": values},
        }
    )


def sheet(tmp_path: Path, stored: np.ndarray, *, options: dict | None = None, **values):
    Image.fromarray(np.zeros((*stored.shape, 3), np.uint8)).save(tmp_path / "i.png")
    tifffile.imwrite(tmp_path / "i_l.tif", stored, photometric="minisblack", **(options or {}))
    entry = ImageEntry("i", tmp_path / "i.png", label=tmp_path / "i_l.tif")
    return fact_sheet(entry, record=record(**values))


@pytest.mark.parametrize(
    "options", [{}, {"tile": (32, 64)}, {"bigtiff": True, "tile": (64, 64), "compression": "zlib"}]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_one_pixel_of_an_undeclared_label_is_refused_and_declared_ones_count(tmp_path, options, dtype):
    stored = labels(1, 3, 7, dtype=dtype)
    found = sheet(tmp_path, stored, options=options, EX=1, HE=[3, 7])
    assert found["pixels"] == {"EX": 900, "HE": 1800}
    assert found["truth_values"]["label"]["values"]["7"] == pytest.approx(900 / stored.size)
    stored[199, 239] = 9
    rejected = sheet(tmp_path, stored, options=options, EX=1, HE=[3, 7])["rejected"]
    assert "does not declare: 9." in rejected
    assert "0 for background and 1, 3, 7" in rejected


def test_the_record_of_values_is_bounded_and_its_shares_are_whole(tmp_path):
    stored = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % 100
    values = sheet(tmp_path, stored.astype(np.uint8), EX=list(range(1, 50)), HE=list(range(50, 100)))["truth_values"]
    found = values["label"]
    assert (len(found["values"]), found["other_values"]) == (RECORDED, 100 - RECORDED)
    assert sum(found["values"].values()) + found["other_share"] == pytest.approx(1)


def test_boxes_that_are_looked_at_are_small_and_give_the_same_answer(tmp_path, monkeypatch):
    path = save(tmp_path / "m.tif", through_jpeg(white(disks(4)), 75))
    together = read(path)
    with open_values(path) as source:
        whole = count_values(source, path=path).record()
        monkeypatch.setattr("pipeline.raw.truth_values.BLOCK_PIXELS", 4000)
        assert count_values(source, path=path).record() == whole
    assert np.array_equal(read(path), together)


@pytest.mark.parametrize("bad", [-1, [], [1, -2], 1.5])
def test_declared_labels_are_whole_numbers_from_zero(bad):
    with pytest.raises(ValidationError):
        FolderLayout(images="{image}.png", label="{image}_l.png", values={"EX": bad})


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_, np.int32])
def test_values_are_counted_as_by_definition(tmp_path, dtype):
    rng = stream(0, "test", "values")
    for kinds in ([0], [1], [0, 1], [0, 255], [7, 255], [0, 3, 6], [1, 2, 3], [0, 1, 254, 255], [65535, 0], [40000]):
        stored = rng.choice(kinds, (31, 17)).astype(dtype)
        found = count_values(_Held(stored), path=tmp_path)
        values, pixels = np.unique(stored, return_counts=True)
        assert np.array_equal(found.values, values)
        assert np.array_equal(found.pixels, pixels)


class _Held:
    lossy = False

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.tile = values, values.shape, values.shape

    def read(self, box: Box) -> np.ndarray:
        return self.values[box.slices]
