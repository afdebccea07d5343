"""Minimum areas are a percentile of the regions of the truth that was learned from, and of no other."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.config import SegmentationConfig
from pipeline.model.held_out import held_out, learned_images
from pipeline.segmentation.minimum_areas import percentile_areas, with_areas
from pipeline.segmentation.threshold_file import write_thresholds
from pipeline.stores import write_table
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from tests.segmentation.test_segment import ORIGIN, STORAGE, blobs, image, record, segmented

CODES = ("EX", "OD")
IMAGES = pd.DataFrame(
    {
        "image_id": list("abcde"),
        "split": ["train", "train", "validation", "test", "predict"],
        "fold": [0, 1, 0, -1, -1],
        "pixels_EX": 9,
        "pixels_OD": 9,
    }
)


def candidates(path: Path, areas: dict[str, list[int]]) -> Path:
    columns = ("component", "y0", "x0", "y1", "x1", "first_y", "first_x")
    rows = [{"class_code": code, "area": area, **dict.fromkeys(columns, 0)} for code in CODES for area in areas[code]]
    frame = pd.DataFrame(rows, columns=["class_code", "area", *columns])
    frame = frame.assign(class_code=pd.Categorical(frame["class_code"], categories=CODES))
    note = {"image_id": path.stem, "height": 9, "width": 9, "roi_pixels": 81}
    note |= {"class_pixels": {code: sum(areas[code]) for code in CODES}}
    write_table(frame, path, provenance={}, extra={"image": note})
    return path


def test_images_that_validate_or_test_are_never_asked() -> None:
    assert learned_images(IMAGES, folds=[-1]) == ("a", "b")
    assert learned_images(IMAGES, folds=[0]) == ("b",)
    assert learned_images(IMAGES, folds=[0, 1]) == ("a", "b", "c")
    assert not set(learned_images(IMAGES, folds=[1])) & set(held_out(IMAGES, fold=1))


def test_the_area_is_the_percentile_over_the_regions_of_all_images(tmp_path: Path) -> None:
    given = {"a": {"EX": [3, 9, 40], "OD": []}, "b": {"EX": [5, 7, 100], "OD": []}}
    paths = {name: candidates(tmp_path / f"{name}.parquet", areas) for name, areas in given.items()}
    for percentile in (0, 35, 50, 100):
        found = percentile_areas(paths, codes=CODES, percentile=percentile, otherwise=2)
        areas = sorted(given["a"]["EX"] + given["b"]["EX"])
        assert found == {"EX": areas[int(percentile / 100 * (len(areas) - 1))], "OD": 2}


def test_few_regions_leave_room_for_a_smaller_one(tmp_path: Path) -> None:
    many = list(range(101, 121))
    for areas, expected in ((many, 101), (many[1:], 51), ([900], 450), ([1], 0)):
        path = candidates(tmp_path / "a.parquet", {"EX": areas, "OD": []})
        assert percentile_areas({"a": path}, codes=CODES, percentile=5, otherwise=2) == {"EX": expected, "OD": 2}


def test_thresholds_hold_the_areas_and_masks_obey_them(tmp_path: Path) -> None:
    probability = blobs(70, 60, seed=3)
    truth = (probability >= 0.5).astype(np.uint8)
    maps, normal = image(tmp_path / "fit", "c", probability, truth)
    write_table(IMAGES, tmp_path / "images.parquet", provenance={})
    config = SegmentationConfig(storage=STORAGE, minimum_areas="percentile", minimum_area_percentile=50)
    write_thresholds(
        tmp_path / "images.parquet",
        probability=[("c", maps)],
        normalized={"c": normal},
        config=config,
        job=Job(record(), ORIGIN),
        candidates={"a": candidates(tmp_path / "a.parquet", {"EX": [2, 30, 90], "OD": [4, 9]})},
        output=tmp_path / "thresholds.json",
    )
    classes = json.loads((tmp_path / "thresholds.json").read_text())["classes"]
    assert {code: each["minimum_area"] for code, each in classes.items()} == {"EX": 30, "OD": 4}
    resolved = with_areas(config, tmp_path / "thresholds.json")
    assert (resolved.area_of("EX"), resolved.area_of("OD")) == (30, 4)
    by_hand = tmp_path / "by_hand.json"
    by_hand.write_text(json_text({"classes": {code: {"threshold": 0.5} for code in CODES}}))
    assert with_areas(config, by_hand).area_of("EX") == config.minimum_area


def test_given_areas_stay(tmp_path: Path) -> None:
    config = SegmentationConfig(minimum_areas={"EX": 7})
    assert with_areas(config, tmp_path / "nowhere.json") is config
    store, _ = segmented(tmp_path, blobs(40, 40, seed=1), minimum_areas={"EX": 7})
    assert store.is_dir()
