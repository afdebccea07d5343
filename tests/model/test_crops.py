"""Moving crops: what stays inside, what may not change, and that a box can be computed again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.geometry import Box
from pipeline.model.crops import CropMasks, MovingCrops, epoch_boxes
from pipeline.model.patches import PatchDataset

SIDE, HEIGHT, WIDTH = 64, 150, 170
ADDRESS = (3, "net")


def rows(*entries: dict[str, object]) -> pd.DataFrame:
    plain = {"height": SIDE, "width": SIDE, "anchor_y": -1, "anchor_x": -1, "strategy": "guided", "coverage": False}
    plain |= {"is_positive": False, "roi_fraction": 1.0, "image_id": "a", "pixels_MA": 0, "pixels_OD": 0}
    return pd.DataFrame([{**plain, "patch_id": f"p{at}", **entry} for at, entry in enumerate(entries)])


@pytest.fixture
def image(tmp_path: Path, store: Callable) -> tuple[Path, np.ndarray]:
    """A lesion in the middle; field of view everywhere, as the store of the tests has it."""
    pixels = np.arange(3 * HEIGHT * WIDTH).reshape(3, HEIGHT, WIDTH).astype(np.uint8)
    truth = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    truth[0, 70:80, 80:90] = 1
    return store(tmp_path / "a.zarr", pixels, truth), truth


@given(st.integers(0, 149), st.integers(0, 169), st.integers(0, 40), st.floats(0.05, 0.5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_the_anchor_stays_inside_the_patch_and_the_patch_inside_the_image(y: int, x: int, epoch: int, share: float):
    row = {"y": min(y, HEIGHT - SIDE), "x": min(x, WIDTH - SIDE), "anchor_y": y, "anchor_x": x, "is_positive": True}
    crops = MovingCrops.of(rows(row), share=share, address=ADDRESS)
    box = crops.wish(0, epoch=epoch, before=0, height=HEIGHT, width=WIDTH)
    assert 0 <= box.y0 <= y < box.y1 <= HEIGHT
    assert 0 <= box.x0 <= x < box.x1 <= WIDTH
    assert (box.height, box.width) == (SIDE, SIDE)


@dataclass
class Plane:
    """A plane in memory that is read like one of a store."""

    array: np.ndarray

    def read(self, box: Box) -> np.ndarray:
        return self.array[box.slices]


def boxes_of(image: tuple[Path, np.ndarray], table: pd.DataFrame, *, epochs: int = 20, share: float = 0.375):
    at = {"share": share, "normalized": {"a": image[0]}, "address": ADDRESS}
    return [epoch_boxes(table, epoch=epoch, **at)[["y", "x"]].to_numpy() for epoch in range(epochs)]


def test_a_patch_of_a_lesion_moves_in_every_epoch_by_no_more_than_its_share(image: tuple) -> None:
    table = rows({"y": 43, "x": 53, "anchor_y": 75, "anchor_x": 85, "is_positive": True})
    found = np.concatenate(boxes_of(image, table, epochs=60))
    assert len(np.unique(found, axis=0)) > 50
    assert np.abs(found - [43, 53]).max() <= 24
    assert np.abs(found - [43, 53]).max() > 18, "the whole range is used"


def test_rows_of_a_grid_and_of_coverage_stay(image: tuple) -> None:
    lesion = {"y": 40, "x": 50, "anchor_y": 75, "anchor_x": 85, "is_positive": True}
    table = rows({**lesion, "strategy": "grid", "anchor_y": -1, "anchor_x": -1}, {**lesion, "coverage": True})
    assert all((found == [40, 50]).all() for found in boxes_of(image, table))
    assert all((found == [40, 50]).all() for found in boxes_of(image, rows(lesion), share=0.0))


def test_a_patch_without_truth_stays_without(image: tuple) -> None:
    _, truth = image
    table = rows({"y": 0, "x": 0}, {"y": 80, "x": 20})
    found = boxes_of(image, table, epochs=40)
    for y, x in np.concatenate(found):
        assert not truth[:, y : y + SIDE, x : x + SIDE].any()
    assert len(np.unique([each[0] for each in found], axis=0)) > 5


def test_a_patch_without_truth_keeps_its_share_of_the_field_of_view() -> None:
    crops = MovingCrops.of(rows({"y": 0, "x": 100, "roi_fraction": 0.9}), share=0.5, address=ADDRESS)

    none, half = (Plane(np.zeros((HEIGHT, WIDTH), np.uint8)) for _ in range(2))
    half.array[:, 100:] = 1
    moved = {crops.box(0, epoch=epoch, before=0, masks=CropMasks(none, half)).x0 for epoch in range(60)}
    assert len(moved) > 3
    assert min(moved) >= 100 - round(0.1 * SIDE)


def test_ignored_pixels_count_for_a_moving_negative_as_they_do_in_the_index() -> None:
    none, whole, unsure = (Plane(np.zeros((HEIGHT, WIDTH), np.uint8)) for _ in range(3))
    whole.array[:] = 1
    unsure.array[:, :60] = 1
    masks = CropMasks(none, whole, unsure)

    def left_edges(x: int, share: float) -> set[int]:
        crops = MovingCrops.of(rows({"y": 0, "x": x, "roi_fraction": share}), share=0.5, address=ADDRESS)
        return {crops.box(0, epoch=epoch, before=0, masks=masks).x0 for epoch in range(80)}

    # Sixteen of 64 columns are ignored: the index's share of the roi is 0.75, and the box may move to others of that share.
    free = left_edges(60 - 16, 0.75)
    assert len(free) > 10, "a box with some ignored pixels moves"
    assert min(free) >= 60 - 16
    # A share below what the ignored pixels leave does not open boxes of which more than a quarter is ignored.
    assert min(left_edges(60, 0.2)) >= 60 - 16


def test_a_patch_with_truth_and_without_anchor_keeps_some(image: tuple) -> None:
    _, truth = image
    table = rows({"y": 50, "x": 60, "strategy": "balanced", "is_positive": True})
    found = np.concatenate(boxes_of(image, table, epochs=40))
    assert all(truth[:, y : y + SIDE, x : x + SIDE].any() for y, x in found)
    assert len(np.unique(found, axis=0)) > 20


def test_training_reads_the_box_that_can_be_computed_again(image: tuple, record: Callable) -> None:
    path, truth = image
    table = rows({"y": 43, "x": 53, "anchor_y": 75, "anchor_x": 85, "is_positive": True}, {"y": 0, "x": 0})
    dataset = PatchDataset(
        table, normalized={"a": path}, record=record("multilabel"), side=SIDE, address=ADDRESS, moving=0.375
    )
    for epoch in range(4):
        for row, (y, x) in enumerate(boxes_of(image, table, epochs=4)[epoch]):
            _, target, *_ = dataset[epoch, row, 0]
            np.testing.assert_array_equal(target, truth[:, y : y + SIDE, x : x + SIDE])


def test_a_row_that_comes_twice_in_an_epoch_moves_twice_and_another_seed_otherwise(image: tuple) -> None:
    table = rows({"y": 43, "x": 53, "anchor_y": 75, "anchor_x": 85, "is_positive": True})
    at = {"epoch": 0, "height": HEIGHT, "width": WIDTH}
    first = MovingCrops.of(table, share=0.4, address=ADDRESS)
    assert first.wish(0, before=0, **at) != first.wish(0, before=1, **at)
    assert first.wish(0, before=0, **at) != MovingCrops.of(table, share=0.4, address=(4, "net")).wish(0, before=0, **at)
