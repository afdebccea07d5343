"""A list of hard negatives is read whole or refused, and negatives are taken from it or kept away from it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import BalancedSampling, GuidedSampling, HardNegatives
from pipeline.errors import SamplingError
from pipeline.index.image import open_image
from pipeline.index.sampling.hard_negatives import HardBoxes, hard_pool, read_hard_negatives, touches
from pipeline.stores import write_table

ROWS = [("b", 40, 50, 6, 4, 0.9), ("b", 10, 60, 3, 3, 0.4), ("a", 5, 5, 2, 2, 0.7), ("elsewhere", 0, 0, 1, 1, 1.0)]
COLUMNS = ["image_id", "y", "x", "height", "width", "score"]


def listed(folder, rows, name="hard.parquet"):
    frame = pd.DataFrame(rows, columns=COLUMNS)
    path = folder / name
    frame.to_csv(path, index=False) if path.suffix == ".csv" else write_table(frame, path, provenance={})
    return path


def balanced(**changes):
    hard = HardNegatives(table="t", **changes.pop("hard", {}))
    settings = {"strategy": "balanced", "patch": 16, "total": 20, "negatives": "anywhere", "negative_distance": 4}
    return BalancedSampling(**settings | changes, hard_negatives=hard)


def negatives(frame):
    return frame[frame["target_class"] == "background"]


def is_hard(frame):
    return frame["patch_id"].str.contains("/hard/")


@pytest.fixture
def lesions(make, picture):
    truth = np.zeros((3, 80, 90), np.uint8)
    truth[0, 10:14, 10:14] = 1
    colour = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (3, 80, 90)).astype(np.uint8)
    return make(a=picture(truth, colour=colour), b=picture(truth, colour=colour), t=picture(truth, split="test"))


@pytest.mark.parametrize("name", ["hard.csv", "hard.parquet"])
def test_a_list_is_read_from_either_format_in_any_order(tmp_path, name):
    first = read_hard_negatives(listed(tmp_path, ROWS, name), least_score=0.5)
    second = read_hard_negatives(listed(tmp_path, ROWS[::-1], f"other-{name}"), least_score=0.5)
    assert list(first) == list(second) == ["a", "b", "elsewhere"]
    for key, boxes in first.items():
        np.testing.assert_array_equal(boxes.boxes, second[key].boxes)
    assert first["b"].boxes.tolist() == [[40, 50, 46, 54]]
    assert first["b"].score.tolist() == [0.9]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a", -1, 0, 1, 1, 0.5), "'y': -1"),
        (("a", 0, 0, 0, 1, 0.5), "'height': 0"),
        (("a", 0, 0, 1, 1, 1.5), "'score': 1.5"),
    ],
)
def test_a_box_that_cannot_be_is_named(tmp_path, row, words):
    with pytest.raises(SamplingError, match=f"1 rows, first 4.*{words}"):
        read_hard_negatives(listed(tmp_path, [*ROWS, row]))


def test_a_missing_list_or_column_is_named(tmp_path):
    with pytest.raises(SamplingError, match=r"missing(.|\n)*segmentation_hard_negatives"):
        read_hard_negatives(tmp_path / "no.parquet")
    write_table(pd.DataFrame({"image_id": ["a"]}), tmp_path / "bad.parquet", provenance={})
    with pytest.raises(SamplingError, match="no column y, x, height, width, score"):
        read_hard_negatives(tmp_path / "bad.parquet")


@given(seed=st.integers(0, 99))
def test_touching_is_sharing_a_pixel(seed):
    random = np.random.Generator(np.random.PCG64(seed))
    start, size = random.integers(0, 20, (2, 12, 2)), random.integers(1, 8, (2, 12, 2))
    boxes, marked = (np.concatenate([s, s + n], axis=1) for s, n in zip(start, size, strict=True))
    canvas = np.zeros((40, 40), bool)
    for y0, x0, y1, x1 in marked:
        canvas[y0:y1, x0:x1] = True
    assert touches(boxes, marked).tolist() == [canvas[y0:y1, x0:x1].any() for y0, x0, y1, x1 in boxes]


def test_patches_hold_the_middle_of_their_box_and_no_truth_and_are_moved_where_that_helps(make, picture):
    truth = np.zeros((3, 60, 60), np.uint8)
    truth[1, 20:60, 24] = 1
    image = open_image(make(i=picture(truth)).normalized["i"])
    # The patch centred on the second box would hold truth; none around the third can be without.
    boxes = np.array([[5, 5, 9, 9], [38, 30, 42, 32], [40, 24, 41, 25]])
    found = hard_pool(image, HardBoxes(boxes, np.array([0.2, 0.9, 1.0])), seed=0, patch=16, avoided=boxes[:0])
    assert len(found) == 2
    for (y0, x0, y1, x1), weight in zip(found.boxes.tolist(), found.weight, strict=True):
        middle = {0.2: (7, 7), 0.9: (40, 31)}[weight]
        assert y0 <= middle[0] < y1
        assert x0 <= middle[1] < x1
        assert not truth[:, y0:y1, x0:x1].any()
    assert found.boxes[found.weight == 0.2].tolist() == [[0, 0, 16, 16]]


def test_balanced_takes_its_share_from_the_list_and_keeps_ratio_and_distance(lesions, tmp_path):
    rows = [("b", y, x, 2, 2, 0.5) for y in range(30, 80, 8) for x in range(5, 90, 8)]
    path = listed(tmp_path, rows)
    frame = lesions.index(balanced(hard={"share": 0.4}), hard_negatives=path)
    rows = negatives(frame)
    assert len(rows) == 10
    assert is_hard(rows).sum() == 4
    assert set(rows.loc[is_hard(rows), "image_id"].astype(str)) == {"b"}
    assert (rows.loc[is_hard(rows), "draw_weight"] == 0.5).all()
    assert lesions.summary()["spread"]["least_distance"] >= 4
    assert lesions.summary()["notes"] == []


def test_what_the_list_lacks_other_negatives_give_and_the_summary_says_so(lesions, tmp_path):
    frame = lesions.index(balanced(hard={"share": 1.0}), hard_negatives=listed(tmp_path, ROWS))
    assert is_hard(negatives(frame)).sum() == 2  # the box in a lies on truth
    assert len(negatives(frame)) == 10
    notes = " ".join(lesions.summary()["notes"])
    assert "Hard negatives: 2 of 10 patches" in notes
    assert "1 boxes of the hard-negative list lie in images that do not train (elsewhere)" in notes


def test_boxes_of_images_that_do_not_train_are_never_drawn(lesions, tmp_path):
    path = listed(tmp_path, [("t", y, 40, 2, 2, 1.0) for y in range(30, 70, 5)])
    frame = lesions.index(balanced(), hard_negatives=path)
    assert not is_hard(frame).any()
    assert any("lie in images that do not train (t)" in note for note in lesions.summary()["notes"])


def test_where_other_negatives_run_out_the_list_gives_more_than_its_share(make, picture, tmp_path):
    truth = np.zeros((3, 40, 120), np.uint8)
    truth[0, 5, 5] = 1
    roi = np.zeros((40, 120), np.uint8)
    roi[:, :20] = 1  # elsewhere no ordinary negative may lie
    data = make(i=picture(truth, roi=roi))
    path = listed(tmp_path, [("i", 20, x, 1, 1, 0.5) for x in range(50, 110, 6)])
    sampling = balanced(hard={"share": 0.1}, least_roi=1.0, negative_distance=14, total=10)
    rows = negatives(data.index(sampling, hard_negatives=path))
    assert len(rows) == 5
    assert is_hard(rows).sum() > round(0.1 * 5)


@pytest.mark.parametrize("strategy", ["balanced", "guided"])
def test_avoiding_keeps_every_negative_off_the_boxes(lesions, tmp_path, strategy):
    path = listed(tmp_path, [(name, 30, 30, 30, 40, 0.9) for name in "ab"])
    if strategy == "balanced":
        sampling = balanced(hard={"use": "avoid"})
    else:
        hard = HardNegatives(table="t", use="avoid")
        sampling = GuidedSampling(strategy="guided", patch=16, total=40, background_share=0.5, hard_negatives=hard)
    rows = negatives(lesions.index(sampling, hard_negatives=path))
    assert len(rows) >= 10
    away = (rows["y"] >= 60) | (rows["y"] + 16 <= 30) | (rows["x"] >= 70) | (rows["x"] + 16 <= 30)
    assert away.all()


@pytest.mark.parametrize("strategy", ["balanced", "guided"])
def test_suspected_label_errors_are_neither_drawn_nor_touched(lesions, tmp_path, strategy):
    """Where the earlier model is sure of a lesion that the truth lacks, the truth may be wrong."""
    rows = [(name, 30, 30, 20, 20, 0.97) for name in "ab"]
    rows += [("b", y, x, 2, 2, 0.5) for y in range(30, 80, 8) for x in range(5, 90, 8)]
    path = listed(tmp_path, rows)
    if strategy == "balanced":
        sampling = balanced(hard={"share": 0.4, "suspected_from": 0.97})
    else:
        hard = HardNegatives(table="t", share=0.4, suspected_from=0.97)
        sampling = GuidedSampling(strategy="guided", patch=16, total=40, background_share=0.5, hard_negatives=hard)
    frame = negatives(lesions.index(sampling, hard_negatives=path))
    away = (frame["y"] >= 50) | (frame["y"] + 16 <= 30) | (frame["x"] >= 50) | (frame["x"] + 16 <= 30)
    assert away.all()
    assert is_hard(frame).sum() == (4 if strategy == "balanced" else 8)
    assert (frame.loc[is_hard(frame), "draw_weight"] == 0.5).all()


@pytest.mark.parametrize("strategy", ["balanced", "guided"])
def test_a_limit_that_no_score_reaches_changes_no_row(lesions, tmp_path, strategy):
    path = listed(tmp_path, [("b", y, x, 2, 2, 0.5) for y in range(30, 80, 8) for x in range(5, 90, 8)])

    def rows(**limit):
        if strategy == "balanced":
            return lesions.index(balanced(hard={"share": 0.4, **limit}), hard_negatives=path)
        hard = HardNegatives(table="t", share=0.4, **limit)
        sampling = GuidedSampling(strategy="guided", patch=16, total=40, background_share=0.5, hard_negatives=hard)
        return lesions.index(sampling, hard_negatives=path)

    pd.testing.assert_frame_equal(rows(), rows(suspected_from=0.9))


def test_guided_background_takes_its_share_from_the_list_and_keeps_the_total(lesions, tmp_path):
    path = listed(tmp_path, [("b", y, x, 2, 2, 0.5) for y in range(30, 80, 8) for x in range(5, 90, 8)])
    sampling = GuidedSampling(
        strategy="guided",
        patch=16,
        jitter=4,
        total=40,
        background_share=0.5,
        hard_negatives=HardNegatives(table="t", share=0.3),
        most_per_image=12,
    )
    rows = negatives(lesions.index(sampling, hard_negatives=path))
    assert (len(rows), is_hard(rows).sum()) == (20, 6)
    assert rows["image_id"].value_counts().max() <= 12
    assert not rows["is_positive"].any()
