"""An H&E image becomes the same store however it is cut, and whatever is on it goes through, with a flag where needed."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.config import NormalizedConfig, Stain, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ConfigurationError, ImageRejected, StoreError
from pipeline.normalized.stain import image as histology
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.normalized.stain.method import normalise
from pipeline.normalized.stain.record import read_estimate
from pipeline.normalized.stain.target import write_target
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.phantom.histology import histology_phantom
from pipeline.seeds import stream
from pipeline.stores import open_group
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "slide",
        "modality": "histology",
        "task": "binary",
        "classes": [{"code": "T", "name": "Tumor"}],
        "slide": {"images": "{image}.png"},
    }
)
ORIGIN = Provenance("normalized", {}, "c")
PHANTOM = histology_phantom(0, size=280, seed=0).image


def config(shard=32, rows=64, columns=128, **stain):
    return NormalizedConfig(
        chain="histology",
        strip_rows=rows,
        strip_columns=columns,
        storage=Storage(chunk=16, shard=shard),
        stain=Stain(**{"least_tissue": 500, "sample": 20_000, **stain}),
    )


def saved(folder, image, name="slide", suffix=".png", **options):
    path = folder / f"{name}{suffix}"
    if suffix == ".png":
        Image.fromarray(image).save(path)
    else:
        tifffile.imwrite(path, image, photometric="rgb", **options)
    return ImageEntry(name, path, annotated=False)


def normalised(folder, entry, settings, *, workers=1, name="a"):
    output = folder / "results" / "d" / "normalized" / f"{name}.zarr"
    stain, target = output.with_suffix(".stain.json"), output.with_name(f"{name}.target.json")
    write_estimate(entry, config=settings, job=Job(RECORD, ORIGIN, workers), output=stain)
    write_target(settings, target="reference", file=None, estimates=[], output=target, provenance=ORIGIN)
    normalise_histology(
        entry,
        config=settings,
        stain=stain,
        target=target,
        job=Job(RECORD, ORIGIN, workers),
        output=output,
    )
    return open_group(output), read_estimate(stain)


def same(one, other):
    return all(np.array_equal(one[0][name][:], other[0][name][:]) for name in ("0", "1", "roi")) and one[1] == other[1]


@pytest.fixture(scope="module", params=["vahadane", "macenko", "reinhard"])
def at_once(request, tmp_path_factory):
    """A method, and the phantom normalised by it in one block."""
    folder = tmp_path_factory.mktemp("at_once")
    settings = config(method=request.param, shard=64, rows=512, columns=512)
    return request.param, normalised(folder, saved(folder, PHANTOM), settings)


@settings(max_examples=4)
@given(rows=st.sampled_from([64, 128, 320]), columns=st.sampled_from([64, 192, 320]), workers=st.integers(1, 3))
def test_blocks_shards_and_workers_change_nothing(tmp_path_factory, at_once, rows, columns, workers):
    method, one = at_once
    folder = tmp_path_factory.mktemp("blocks")
    entry = saved(folder, PHANTOM)
    other = normalised(folder, entry, config(method=method, rows=rows, columns=columns), workers=workers, name="two")
    assert same(one, other)


@pytest.mark.parametrize(
    ("options"), [{"tile": (48, 32)}, {"rowsperstrip": 7}, {"tile": (64, 64), "compression": "zlib"}]
)
def test_a_file_read_in_pieces_gives_what_a_whole_picture_gives(tmp_path, options):
    whole = normalised(tmp_path, saved(tmp_path, PHANTOM), config(), name="whole")
    pieces = normalised(
        tmp_path, saved(tmp_path, PHANTOM, suffix=".tif", **options), config(), name="pieces", workers=2
    )
    assert same(whole, pieces)


def test_the_store_holds_what_normalise_gives_for_the_whole_image(tmp_path):
    group, found = normalised(tmp_path, saved(tmp_path, PHANTOM), config())
    target = read_estimate(tmp_path / "results" / "d" / "normalized" / "a.target.json")
    assert np.array_equal(group["0"][:], normalise(PHANTOM, estimate=found, target=target, settings=config().stain))


def mapped_again(folder, entry, change):
    """The store made from a stain.json whose content was changed."""
    results = folder / "results" / "d" / "normalized"
    content = json.loads((results / "a.stain.json").read_text())
    change(content)
    (results / "changed.stain.json").write_text(json_text(content))
    output = results / "again.zarr"
    normalise_histology(
        entry,
        config=config(),
        stain=results / "changed.stain.json",
        target=results / "a.target.json",
        job=Job(RECORD, ORIGIN),
        output=output,
    )
    return open_group(output)


def test_tissue_is_found_once_and_read_from_the_estimate_afterwards(tmp_path, monkeypatch):
    entry = saved(tmp_path, PHANTOM)
    group, _ = normalised(tmp_path, entry, config())
    searched = []
    monkeypatch.setattr(histology, "tissue_mask", lambda small: searched.append(1) or np.ones(small.shape[:2], bool))
    again = mapped_again(tmp_path, entry, lambda content: None)
    assert searched == []
    assert np.array_equal(again["roi"][:], group["roi"][:])
    mapped_again(tmp_path, entry, lambda content: content.pop("tissue"))
    assert searched == [1]


def test_holes_belong_to_the_region_and_not_to_what_stains_are_estimated_on(tmp_path):
    image = PHANTOM.copy()
    image[100:130, 100:130] = 244
    entry, stores = saved(tmp_path, image), {}
    for share in (0.0, 0.05):
        settings = config().model_copy(update={"roi_holes": share})
        stores[share] = normalised(tmp_path, entry, settings, name=f"holes{share}")
    (plain, without), (filled, with_holes) = stores[0.0], stores[0.05]
    assert not plain["roi"][105:125, 105:125].any()
    assert filled["roi"][105:125, 105:125].all()
    assert not (plain["roi"][:] & ~filled["roi"][:] & 1).any()
    assert with_holes == without
    assert np.array_equal(filled["0"][:], plain["0"][:])


def test_the_tissue_of_another_image_is_refused(tmp_path):
    entry = saved(tmp_path, PHANTOM)
    normalised(tmp_path, entry, config())
    with pytest.raises(StoreError, match="another image"):
        mapped_again(tmp_path, entry, lambda content: content["tissue"].update(of=[300, 280]))


def test_outside_tissue_pixels_can_be_kept_byte_for_byte(tmp_path):
    entry = saved(tmp_path, PHANTOM)
    plain, _ = normalised(tmp_path, entry, config(), name="plain")
    kept, _ = normalised(tmp_path, entry, config(outside="keep"), name="kept")
    outside = kept["roi"][:] == 0
    assert 0 < outside.mean() < 1
    assert np.array_equal(kept["0"][:][:, outside], np.moveaxis(PHANTOM, 2, 0)[:, outside])
    assert np.array_equal(kept["0"][:][:, ~outside], plain["0"][:][:, ~outside])


@pytest.mark.parametrize("method", ["vahadane", "macenko", "reinhard"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_glass_comes_out_neutral_whatever_its_tint(tmp_path, method, number):
    image = histology_phantom(number, size=280, seed=0).image
    group, _ = normalised(tmp_path, saved(tmp_path, image), config(method=method))
    corner = group["0"][:, :12, :12].reshape(3, -1).astype(int)
    assert np.median(corner) >= 250
    assert np.ptp(np.median(corner, axis=1)) <= 2


def test_concentrations_are_kept_on_request(tmp_path):
    settings = config(concentrations=True).model_copy(update={"roi_holes": 0.0})  # then the region is the tissue
    group, found = normalised(tmp_path, saved(tmp_path, PHANTOM), settings)
    stains = group["stains"][:]
    assert stains.shape == (2, 280, 280)
    assert stains.dtype == np.float16
    assert (stains >= 0).all()
    tissue = group["roi"][:] > 0
    assert np.allclose(np.percentile(stains[:, tissue].astype(float), 99, axis=1), found.maxima, rtol=2e-3)


def test_a_run_that_was_killed_goes_on_with_the_blocks_that_were_missing(tmp_path, monkeypatch):
    entry, calls = saved(tmp_path, PHANTOM), []
    whole, _ = normalised(tmp_path, entry, config(), name="whole")

    def dies(block, **rest):
        calls.append(block.shape)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return normalise(block, **rest)

    monkeypatch.setattr(histology, "normalise", dies)
    with pytest.raises(KeyboardInterrupt):
        normalised(tmp_path, entry, config())
    resumed, _ = normalised(tmp_path, entry, config())
    assert len(calls) == 4 + 15 - 3  # five rows of three blocks, three of them finished before
    assert np.array_equal(resumed["0"][:], whole["0"][:])
    assert np.array_equal(resumed["1"][:], whole["1"][:])


def inked(colour, share):
    image = np.full((150, 180, 3), 240, np.float64)
    image[: int(150 * share)] *= np.array(colour)
    noise = stream(0, "test", "histology").normal(0, 1, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


STRANGE = {
    "blank": (inked((1, 1, 1), 0.5), "too little tissue"),
    "white": (np.full((90, 90, 3), 255, np.uint8), "too little tissue"),
    "black": (np.zeros((90, 90, 3), np.uint8), "too little tissue"),
    "one stain": (inked((0.9, 0.45, 0.7), 0.6), ""),
    "one pixel": (PHANTOM[100:101, 100:101], "too little tissue"),
    "a line": (np.tile(PHANTOM[100:107], (1, 11, 1))[:, :3000], ""),
    "all one colour": (np.full((90, 90, 3), (150, 90, 160), np.uint8), ""),
    "hardly stained": ((250 - (250 - PHANTOM.astype(float)) * 0.03).astype(np.uint8), ""),
}


WAYS = [
    ("vahadane", "reference"),
    ("vahadane", "macenko"),
    ("vahadane", "keep"),
    ("macenko", "reference"),
    ("reinhard", "keep"),
]


@pytest.mark.parametrize(("method", "fallback"), WAYS)
@pytest.mark.parametrize("name", STRANGE)
def test_strange_slides_go_through_with_a_flag(tmp_path, name, method, fallback):
    image, flag = STRANGE[name]
    group, found = normalised(tmp_path, saved(tmp_path, image), config(method=method, fallback=fallback))
    assert group["0"].shape[1:] == image.shape[:2]
    assert found.matrix is None or (np.isfinite(found.matrix).all() and np.min(found.matrix) >= 0)
    flags = dict(group.attrs)["lesionmap"]["flags"]
    assert any(flag in each for each in flags) if flag else True
    if name != "a line":
        assert found.flags
    if found.used == "none":
        assert np.array_equal(group["0"][:], np.moveaxis(image, 2, 0))


def test_an_estimate_can_be_given_back_as_a_target(tmp_path):
    settings = config()
    entry = saved(tmp_path, PHANTOM)
    _, found = normalised(tmp_path, entry, settings)
    folder = tmp_path / "results" / "d" / "normalized"
    for file in (folder / "a.stain.json", entry.image):
        output = folder / "target.json"
        write_target(settings, target=file.name, file=file, estimates=[], output=output, provenance=ORIGIN)
        target = read_estimate(output)
        assert (target.matrix, target.maxima) == (found.matrix, found.maxima)
        assert file.name in json.loads(output.read_text())["from"]


@pytest.mark.parametrize(("method", "own"), [("reinhard", "vahadane"), ("vahadane", "reinhard")])
def test_a_target_of_another_method_is_refused(tmp_path, method, own):
    normalised(tmp_path, saved(tmp_path, PHANTOM), config(method=own))
    file = tmp_path / "results" / "d" / "normalized" / "a.stain.json"
    with pytest.raises(ConfigurationError, match=method):
        write_target(
            config(method=method),
            target=file.name,
            file=file,
            estimates=[],
            output=tmp_path / "t.json",
            provenance=ORIGIN,
        )


def test_an_image_beyond_the_largest_that_is_decoded_is_no_target(tmp_path):
    entry = saved(tmp_path, PHANTOM)
    given = {"target": "a.png", "file": entry.image, "estimates": [], "output": tmp_path / "t.json"}
    write_target(config(), **given, provenance=ORIGIN, largest=PHANTOM.nbytes)
    with pytest.raises(ImageRejected, match="too large to be decoded"):
        write_target(config(), **given, provenance=ORIGIN, largest=PHANTOM.nbytes - 1)


def test_a_blank_image_is_no_target(tmp_path):
    entry = saved(tmp_path, STRANGE["blank"][0], name="blank")
    with pytest.raises(ConfigurationError, match=r"(?s)blank.png.*too little tissue"):
        write_target(
            config(fallback="keep"),
            target="blank.png",
            file=entry.image,
            estimates=[],
            output=tmp_path / "t.json",
            provenance=ORIGIN,
        )
