"""Stains are estimated once per slide: a parameter reruns the estimate, the target or the pixels, and no more."""

import json

import numpy as np
import pytest

from pipeline.config.run import merge
from pipeline.stores import open_array
from tests.workflow.project import TINY, copy_with_results

IMAGES = {"normalized_image"}
ESTIMATES = {"normalized_stain"} | IMAGES
TABLE = [
    ({"target": "median"}, {"normalized_target"} | IMAGES),
    ({"outside": "keep"}, IMAGES),
    ({"most_gain": 3.0}, IMAGES),
    ({"concentrations": True}, IMAGES),
    ({"sample": 2000}, ESTIMATES),
    ({"percentile": 98.0}, ESTIMATES),
    ({"fallback": "keep"}, ESTIMATES),
    ({"method": "macenko"}, ESTIMATES | {"normalized_target"}),
    ({"method": "none"}, IMAGES),
]


def changed(project, normalized):
    project.configure(merge(TINY, {"overrides": {"pink": {"normalized": normalized}}}))
    return project.wants_of("pink", "normalized")


@pytest.fixture
def stained(finished):
    """A project in which a small set of H&E images was normalised."""
    yield finished
    finished.configure(TINY)


@pytest.mark.parametrize(("change", "expected"), TABLE, ids=[str(change) for change, _ in TABLE])
def test_a_changed_parameter_of_the_stains_reruns_exactly_what_it_touches(stained, change, expected):
    assert changed(stained, {"stain": change}) == expected


@pytest.mark.parametrize("change", [{"workers": 2}, {"clahe": {"clip_limit": 3.0}}], ids=str)
def test_what_does_not_concern_stained_slides_reruns_nothing(stained, change):
    assert changed(stained, change) == set()


def test_a_target_file_is_an_input(stained):
    folder = stained.folder / "results" / "pink" / "normalized"
    saved = stained.folder / "mine.json"
    saved.write_text((folder / "pink_01.stain.json").read_text())
    assert changed(stained, {"stain": {"target": "mine.json"}}) == {"normalized_target"} | IMAGES


def test_the_median_target_is_that_of_the_training_images(finished, tmp_path):
    project = copy_with_results(finished, tmp_path / "median")
    project.configure(merge(TINY, {"overrides": {"pink": {"normalized": {"stain": {"target": "median"}}}}}))
    done = project.snakemake("-j1", "results/pink/normalized/target.json")
    assert done.returncode == 0, done.stderr[-6000:]
    folder = project.folder / "results" / "pink" / "normalized"
    target = json.loads((folder / "target.json").read_text())
    used = sorted(name for name in target["provenance"]["inputs"] if name.endswith(".stain.json"))
    import pandas as pd

    images = pd.read_parquet(folder.parent / "raw" / "images.parquet")
    train = sorted(images.loc[images["split"] == "train", "image_id"])
    assert used == [f"{image}.stain.json" for image in train]
    trusted = [
        each for image in train if not (each := json.loads((folder / f"{image}.stain.json").read_text()))["flags"]
    ]
    assert target["from"] == f"median of {len(trusted)} training images"
    assert np.allclose(target["maxima"], np.median([each["maxima"] for each in trusted], axis=0))


def test_glass_comes_out_white_and_the_store_is_whole(stained):
    folder = stained.folder / "results" / "pink" / "normalized"
    for path in sorted(folder.glob("*.zarr")):
        pixels, roi = open_array(path, "0")[:], open_array(path, "roi")[:]
        glass = pixels[:, roi == 0]
        assert glass.size == 0 or np.median(glass, axis=1).min() >= 250
