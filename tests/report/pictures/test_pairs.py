"""The place that is shown from near is full of nuclei, and is the same before and after."""

import cv2
import numpy as np

from pipeline.geometry import Box
from pipeline.report.paths import Original
from pipeline.report.pictures.pairs import NEAR_SIDE, _region, before_after, stained_box
from pipeline.seeds import stream

PINK, PURPLE, WHITE = (225, 160, 200), (85, 60, 140), (240, 240, 240)


def tissue(height, width, *, quarter):
    """Pink tissue in the left half, glass in the right, nuclei in one quarter of the tissue."""
    pixels, roi = np.full((height, width, 3), WHITE, np.uint8), np.zeros((height, width), bool)
    pixels[:, : width // 2], roi[:, : width // 2] = PINK, True
    rng, top = stream(0, "tests", "pairs"), quarter * height // 2
    for _ in range(60):
        place = (int(rng.integers(5, width // 2 - 5)), int(rng.integers(top + 5, top + height // 2 - 5)))
        cv2.circle(pixels, place, 3, PURPLE, -1)
    return pixels, roi


def test_the_place_lies_among_the_nuclei_of_the_tissue():
    for quarter in (0, 1):
        pixels, roi = tissue(200, 240, quarter=quarter)
        box = stained_box(pixels, roi, shape=(2000, 2400), side=300)
        assert (box.height, box.width) == (300, 300)
        assert Box(quarter * 1000 - 150, 0, quarter * 1000 + 1150, 1350).contains(box)
        middle = (box.y0 + box.y1) / 2
        assert (middle >= 1000) == bool(quarter)


def test_pen_and_dark_glass_outside_tissue_do_not_draw_the_place():
    pixels, roi = tissue(200, 240, quarter=0)
    marked = pixels.copy()
    marked[120:190:4, 150:230] = (10, 20, 90)
    expected = stained_box(pixels, roi, shape=(2000, 2400), side=300)
    assert stained_box(marked, roi, shape=(2000, 2400), side=300) == expected


def test_without_tissue_it_is_the_middle():
    pixels, roi = tissue(200, 240, quarter=0)
    assert stained_box(pixels, np.zeros_like(roi), shape=(2000, 2400), side=300) == Box(850, 1050, 1150, 1350)


def test_the_caption_says_what_is_seen_of_the_region():
    part = np.zeros((4, 4), bool)
    part[1:3] = True
    shown = [_region(each) for each in (part, np.ones((4, 4), bool), np.zeros((4, 4), bool))]
    assert shown == ["roi outlined", "the roi is the whole picture", "nothing is inside the roi"]


def test_the_original_is_asked_for_the_very_place_that_is_shown(slides, tmp_path):
    asked = []

    def look(box):
        asked.append(box)
        return Original(np.zeros((33, 41, 3), np.uint8), np.full((box.height, box.width, 3), 77, np.uint8))

    row = {"image_id": "eye_00", "split": "train", "centre": "A"}
    store = slides.inputs.normalized["eye_00"]
    pair = before_after(row, store=store, look=look, folder=tmp_path, side=100, near=True)
    assert asked == [pair.box]
    assert pair.box.height == pair.box.width == NEAR_SIDE
    assert [shot.name for shot in pair.crop] == ["image.eye_00.near.before.jpg", "image.eye_00.near.after.jpg"]
    assert cv2.imread(str(tmp_path / pair.crop[0].name)).min() == 77
    sizes = {(shot.width, shot.height) for shot in pair.shots}
    assert sizes == {(100, 80)}


def test_an_image_no_larger_than_a_crop_is_shown_whole_only(make, make_eye, tmp_path):
    made = make(tmp_path / "in", [make_eye(0, "train")], models=(), fusions=())
    row = {"image_id": "eye_00", "split": "train", "centre": "A"}
    look = made.inputs.originals["eye_00"]
    pair = before_after(row, store=made.inputs.normalized["eye_00"], look=look, folder=tmp_path, side=100, near=True)
    assert pair.crop == ()
    assert pair.box is None
    assert len(pair.shots) == 2
