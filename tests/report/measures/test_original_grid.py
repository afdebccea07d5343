"""Rescaled images are measured on the grid of their originals too, with the truth of the files, as an eager computation does."""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline.config.manifest import ClassRecord
from pipeline.errors import ImageRejected
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.measures import image
from pipeline.report.measures.original_grid import TruthFiles
from pipeline.report.page.tables.metrics import averages_table, classes_table, comparison_table
from pipeline.stores.documents import json_text
from tests.report.measures.test_evaluate import eager_average_precision, value

CODES = ("MA", "EX", "SE", "OD")
MAPPING = {
    "factor_y": 0.5,
    "factor_x": 0.5,
    "height": 75,
    "width": 95,
    "source_height": 150,
    "source_width": 190,
    "origin_y": 0,
    "origin_x": 0,
}


def halved(eye):
    """The eye at half of its size, and what the small one is in original pixels."""
    small = np.stack([cv2.resize(plane, (95, 75), interpolation=cv2.INTER_AREA) for plane in eye.truth])
    return replace(
        eye,
        pixels=eye.pixels[::2, ::2],
        truth=(small > 0).astype(np.uint8),
        probability=eye.probability[:, ::2, ::2],
        roi=eye.roi[::2, ::2],
    )


def files_of(folder, eye):
    folder.mkdir(exist_ok=True)
    masks = []
    for code, plane in zip(CODES, eye.truth, strict=True):
        if plane.any():
            path = folder / f"{eye.image_id}_{code}.png"
            Image.fromarray(plane * 255).save(path)
            masks.append((code, path))
    return ImageEntry(eye.image_id, None, tuple(masks))


def twice(maps):
    """Bilinear interpolation to twice the size: a quarter of the one neighbour, three quarters of the other."""
    for axis in (1, 2):
        before, after = np.moveaxis(np.pad(maps, [(0, 0)] + [(1, 1)] * 2, mode="edge"), axis, 0), []
        for at in range(1, len(before) - 1):
            after += [0.25 * before[at - 1] + 0.75 * before[at], 0.75 * before[at] + 0.25 * before[at + 1]]
        maps = np.moveaxis(np.stack(after)[(slice(None), slice(None), slice(1, -1))], 0, axis)
    return maps.astype(np.float16)


@pytest.fixture
def made(make, eyes, tmp_path):
    large = [eye for eye in eyes if eye.split in ("validation", "test")]
    truths = {eye.image_id: TruthFiles(files_of(tmp_path / "masks", eye)) for eye in large}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(image, "BLOCK", 64)
        small = [halved(eye) for eye in large]
        world = make(tmp_path / "run", small, fusions=("none",), mapping=MAPPING, truths=truths)
    result = world.results[0]
    return large, small, pd.read_parquet(result.metrics_images), pd.read_parquet(result.metrics_classes)


def test_counts_and_average_precision_are_those_of_original_pixels(made):
    large, small, images, _ = made
    assert sorted(images["grid"].unique()) == ["normalised", "original"]
    rows = images[images["grid"] == "original"].set_index(["image_id", "class_code"])
    for eye, half in zip(large, small, strict=True):
        masks = (half.probability >= 0.5).repeat(2, axis=1).repeat(2, axis=2)
        maps = twice(half.probability.astype(np.float64))
        for at, code in enumerate(CODES):
            truth, row = eye.truth[at] > 0, rows.loc[(eye.image_id, code)]
            counted = (truth & masks[at]).sum(), (masks[at] & ~truth).sum(), (truth & ~masks[at]).sum()
            assert (row.tp, row.fp, row.fn) == counted
            assert (row.pixels, row.truth_pixels) == (truth.size, truth.sum())
            assert row.ap == pytest.approx(eager_average_precision(maps[at], truth), rel=1e-9, nan_ok=True)


def test_a_correction_is_measured_by_the_names_of_its_classes(make, eyes, tmp_path):
    eye = next(eye for eye in eyes if eye.split == "test")
    ring = [[10, 10], [30, 10], [30, 40], [10, 40], [10, 10]]
    feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    feature["properties"] = {"classification": {"name": "Name of EX"}}
    file = tmp_path / "correction.geojson"
    file.write_text(json_text({"type": "FeatureCollection", "features": [feature]}))
    entry = ImageEntry(eye.image_id, None, annotations=file, corrected=())
    classes = tuple(ClassRecord(code=code, name=f"Name of {code}") for code in CODES)
    truths = {eye.image_id: TruthFiles(entry, classes=classes)}
    world = make(tmp_path / "run", [halved(eye)], fusions=("none",), mapping=MAPPING, truths=truths)
    rows = pd.read_parquet(world.results[0].metrics_images)
    rows = rows[rows["grid"] == "original"].set_index("class_code")["truth_pixels"]
    assert rows["EX"] == 600
    assert rows["OD"] == 0


def test_pooled_rows_name_their_grid_and_the_normalised_ones_stay_what_they_are(made, make, tmp_path):
    _, small, _, summary = made
    alone = pd.read_parquet(
        make(tmp_path / "alone", small, fusions=("none",), mapping=MAPPING).results[0].metrics_classes
    )
    own = summary[summary["grid"] == "normalised"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own.astype({"grid": str}), alone.astype({"grid": str}))
    original = summary[summary["grid"] == "original"]
    assert set(original["measure"]) == set(own["measure"])
    assert value(original, "test", "ap_pooled", code="OD") != value(own, "test", "ap_pooled", code="OD")


def test_the_tables_of_the_page_name_the_grid(made, record):
    summary, reasons = made[3], dict.fromkeys(CODES, "")
    for grid in ("original", "normalised"):
        rows = classes_table(summary, record, split="test", reasons=reasons, grid=grid)
        dice = value(summary[summary["grid"] == grid], "test", "dice_pooled", code="OD")
        assert rows.caption == f"Classes, test images, grid of the {grid} images"
        assert rows.rows[-1][1].text == f"{dice:.3f}"
        assert grid in averages_table(summary, record, split="test", grid=grid).caption
        compared = comparison_table({"unet": summary}, split="test", shown="unet", record=record, grid=grid)
        assert grid in compared.caption
    alone = summary[summary["grid"] == "normalised"]
    assert "grid" not in classes_table(alone, record, split="test", reasons=reasons).caption


def test_an_image_that_was_not_rescaled_has_the_normalised_grid_alone(make, eyes, tmp_path):
    large = [eye for eye in eyes if eye.split == "test"]
    truths = {eye.image_id: TruthFiles(files_of(tmp_path / "masks", eye)) for eye in large}
    mapping = MAPPING | {"factor_y": 1.0, "factor_x": 1.0, "height": 150, "width": 190}
    made = make(tmp_path / "run", large, fusions=("none",), mapping=mapping, truths=truths)
    assert set(pd.read_parquet(made.results[0].metrics_images)["grid"]) == {"normalised"}


def test_a_truth_file_that_changed_since_it_was_read_is_refused(make, eyes, tmp_path):
    eye = next(eye for eye in eyes if eye.split == "test")
    entry, sheet = files_of(tmp_path / "masks", eye), tmp_path / "sheet.json"
    digests = dict.fromkeys(entry.files, "0" * 64)
    sheet.write_text(json_text({"provenance": {"inputs": digests}, "rejected": "", "truth_cuts": {}}))
    truths = {eye.image_id: TruthFiles(entry, sheet)}
    with pytest.raises(ImageRejected, match="changed after stage raw"):
        make(tmp_path / "run", [halved(eye)], fusions=("none",), mapping=MAPPING, truths=truths)
