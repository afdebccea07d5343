"""A file alone is normalised by settings as a data set with these settings would be."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.config import NormalizedConfig
from pipeline.errors import ConfigurationError, ImageRejected, MissingDataError, ModelError
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.normalized.stain.target import write_target
from pipeline.predict.normalise import normalise_new_image
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.phantom.histology import histology_phantom
from pipeline.stores import open_array
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from tests.scenes.tiny_run import BLOCKS, record_of

STAINED = {"chain": "histology", "stain": {"method": "macenko", "least_tissue": 500}, **BLOCKS}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A small H&E picture."""
    path = tmp_path / "pink one.png"
    Image.fromarray(histology_phantom(1, size=150, seed=3).image).save(path)
    return path


def test_settings_alone_give_what_the_stage_gives(image: Path, tmp_path: Path) -> None:
    found = normalise_new_image(image, settings=STAINED, out=tmp_path / "out")
    assert found == tmp_path / "out" / "pink_one" / "normalized.zarr"
    config, origin = NormalizedConfig.model_validate(STAINED), Provenance("normalized", {}, "c")
    entry, job = ImageEntry("a", image, annotated=False), Job(record_of("histology", ("LESION",)), origin)
    stain, target, store = (tmp_path / name for name in ("a.stain.json", "target.json", "a.zarr"))
    write_estimate(entry, config=config, job=job, output=stain)
    write_target(config, target="reference", file=None, estimates=[], output=target, provenance=origin)
    normalise_histology(entry, config=config, stain=stain, target=target, job=job, output=store)
    for name in ("0", "roi"):
        assert np.array_equal(open_array(found, name)[:], open_array(store, name)[:])


def test_a_saved_estimate_is_a_target_and_another_target_gives_other_pixels(image: Path, tmp_path: Path) -> None:
    reference = normalise_new_image(image, settings=STAINED, out=tmp_path / "a")
    own = {**STAINED, "stain": {**STAINED["stain"], "target": str(reference.with_suffix(".stain.json"))}}
    kept = normalise_new_image(image, settings=own, out=tmp_path / "b")
    original = np.moveaxis(np.asarray(Image.open(image)), 2, 0).astype(int)
    distance = [np.abs(open_array(path, "0")[:].astype(int) - original).mean() for path in (kept, reference)]
    assert distance[0] < distance[1] / 2, "an image brought to its own look stays nearly as it is"


def test_what_is_there_is_kept_until_a_setting_changes(image: Path, tmp_path: Path) -> None:
    times = []
    for angle in (1.0, 1.0, 2.0):
        settings = {**STAINED, "stain": {**STAINED["stain"], "extreme_angle": angle}}
        store = normalise_new_image(image, settings=settings, out=tmp_path / "out")
        times.append((store / "zarr.json").stat().st_mtime_ns)
    assert times[0] == times[1] < times[2]


def test_another_file_of_the_same_name_does_not_replace_a_prediction(image: Path, tmp_path: Path) -> None:
    store = normalise_new_image(image, settings=STAINED, out=tmp_path / "out")
    before = open_array(store, "0")[:]
    other = tmp_path / "elsewhere" / image.name
    other.parent.mkdir()
    Image.fromarray(histology_phantom(1, size=150, seed=4).image).save(other)
    with pytest.raises(ConfigurationError, match="prediction of another file"):
        normalise_new_image(other, settings=STAINED, out=tmp_path / "out")
    assert np.array_equal(open_array(store, "0")[:], before)
    normalise_new_image(other, settings=STAINED, out=tmp_path / "other")


def test_bad_calls_are_explained(image: Path, tmp_path: Path) -> None:
    for given in ({}, {"settings": STAINED, "model": tmp_path}):
        with pytest.raises(ConfigurationError, match="how to normalise"):
            normalise_new_image(image, out=tmp_path / "out", **given)
    with pytest.raises(ConfigurationError, match="chian"):
        normalise_new_image(image, settings={"chian": "fundus"}, out=tmp_path / "out")
    with pytest.raises(MissingDataError, match=r"none\.png"):
        normalise_new_image(tmp_path / "none.png", settings=STAINED, out=tmp_path / "out")
    with pytest.raises(ModelError, match="no trained model"):
        normalise_new_image(image, model=tmp_path, out=tmp_path / "out")


def test_a_new_image_of_twelve_bits_in_sixteen_is_refused(image: Path, tmp_path: Path) -> None:
    twelve = tmp_path / "twelve.tif"
    tifffile.imwrite(twelve, np.asarray(Image.open(image)).astype(np.uint16) * 16, photometric="rgb")
    with pytest.raises(ImageRejected, match="significant_bits"):
        normalise_new_image(twelve, settings=STAINED, out=tmp_path / "out")
