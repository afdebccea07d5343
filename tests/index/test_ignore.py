"""Pixels that nobody is sure of: outside of the roi share and of anchors, and few of them in a patch without lesions."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.config import BalancedSampling, GridSampling, GuidedSampling
from pipeline.config.manifest import FolderLayout
from pipeline.index.box_sums import MOST_IGNORED
from pipeline.index.export import export_patches, patch_names
from pipeline.seeds import stream

PATCH = 32
LAYOUT = FolderLayout(images="{image}.png", label="{image}_l.png", values={"MA": 1, "HE": 2, "SE": 3}, ignore=(255,))
HARD = pd.DataFrame({"image_id": list("ab") * 12, "y": 5, "x": range(0, 96, 4), "height": 8, "width": 8, "score": 0.9})
SAMPLINGS = {
    "grid": GridSampling(strategy="grid", patch=PATCH),
    "guided": GuidedSampling(strategy="guided", patch=PATCH, total=40, jitter=6, background_share=0.5, cover="all"),
    "balanced": BalancedSampling(
        strategy="balanced", patch=PATCH, total=40, step=4, negatives="anywhere", negative_distance=2, least_roi=0
    ),
    "hard": BalancedSampling(
        strategy="balanced",
        patch=PATCH,
        total=40,
        step=4,
        ratio=(0, 1),
        negatives="anywhere",
        negative_distance=2,
        hard_negatives={"table": "hard.csv", "use": "draw", "share": 1},
    ),
}


def unsure(truth, *, number):
    """A wide band and specks, apart from truth."""
    height, width = truth.shape[1:]
    found = stream(number, "test", "unsure").random((height, width)) < 0.02
    found[:, width // 3 : width // 2] = True
    return (found & ~truth.any(axis=0)).astype(np.uint8)


@pytest.fixture(scope="module")
def sets(make, picture, scatter):
    """The same pictures with pixels to ignore, with none of them, and without the array."""

    def made(ignored):
        pictures = {}
        for at, (name, split) in enumerate({"a": "train", "b": "train", "v": "validation"}.items(), 3):
            truth = scatter(at, height=100, width=130, count=4)
            roi = np.ones(truth.shape[1:], np.uint8)
            roi[:, :9] = 0
            pictures[name] = picture(truth, split=split, roi=roi, ignore=ignored(truth, at))
        return make(pictures)

    return {
        "some": made(lambda truth, at: unsure(truth, number=at)),
        "none": made(lambda truth, _: np.zeros(truth.shape[1:], np.uint8)),
        "plain": made(lambda *_: None),
    }


@pytest.fixture(scope="module")
def frames(sets, tmp_path_factory):
    hard = tmp_path_factory.mktemp("hard") / "hard.csv"
    HARD.to_csv(hard, index=False)
    return {
        (key, name): data.index(sampling, hard_negatives=hard if name == "hard" else None)
        for key, data in sets.items()
        for name, sampling in SAMPLINGS.items()
    }


def inside(row, plane):
    return plane[row.y : row.y + row.height, row.x : row.x + row.width]


@pytest.mark.parametrize("name", SAMPLINGS)
def test_roi_share_anchors_and_negatives_leave_ignored_pixels_out(sets, frames, name):
    frame, pictures = frames["some", name], sets["some"].pictures
    negatives = 0
    for row in frame.itertuples():
        known = pictures[row.image_id]
        kept = np.ma.masked_array(known.field_of_view, mask=known.ignore == 1)
        assert row.roi_fraction == np.float32(inside(row, kept).sum() / (row.height * row.width) or 0)
        if row.anchor_y >= 0:
            assert not known.ignore[row.anchor_y, row.anchor_x]
        if row.target_class == "background":
            negatives += 1
            assert inside(row, known.ignore).mean() <= MOST_IGNORED
            if name == "guided":
                assert not known.ignore[row.y + row.height // 2, row.x + row.width // 2]
    assert name == "grid" or negatives > 5


@pytest.mark.parametrize("name", SAMPLINGS)
def test_an_image_in_which_nothing_is_ignored_is_drawn_from_as_before(frames, name):
    pd.testing.assert_frame_equal(frames["none", name], frames["plain", name], check_exact=True)
    assert name == "grid" or not frames["some", name].equals(frames["plain", name])


def test_without_the_rule_negatives_would_hold_more_of_them(sets, frames):
    pictures = sets["some"].pictures
    for name in ("guided", "balanced", "hard"):
        shares = [
            inside(row, pictures[row.image_id].ignore).mean()
            for row in frames["plain", name].itertuples()
            if row.target_class == "background"
        ]
        assert max(shares) > MOST_IGNORED, name


@pytest.mark.parametrize("layout", ["files", "nnunet"])
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_an_export_says_which_pixels_to_ignore(sets, frames, tmp_path, layout, task):
    data, frame, folder = sets["some"], frames["some", "grid"], tmp_path / "Dataset501_x"
    record = data.record.model_copy(update={"task": task, "adaptor": "folder", "folder": LAYOUT})
    given = {"normalized": data.normalized, "record": record, "folder": folder, "layout": layout, "origin": {}}
    list(export_patches(frame, **given))
    facts = json.loads((folder / "dataset.json").read_text())
    if layout == "nnunet":
        assert facts["labels"] == {"background": 0, "MA": 1, "HE": 2, "SE": 3, "ignore": 4}
    for row, file in zip(frame.itertuples(), patch_names(frame), strict=True):
        expected = inside(row, data.pictures[row.image_id].ignore) == 1
        if layout == "nnunet":
            labels, value = folder / "labelsTr", facts["labels"]["ignore"]
        elif task == "multiclass":
            labels, value = folder / row.split / "labels", facts["ignored"]["label"]
        else:
            labels, value = folder / row.split / facts["ignored"]["folder"], 255
        found = cv2.imread(str(labels / f"{file}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(found == value, expected)
