"""Labels follow the priority of the manifest."""

import numpy as np

from pipeline.arrays.label_map import label_map, most_probable, precedence
from pipeline.config.manifest import ClassRecord, DatasetRecord


def test_labels_equal_a_loop_over_pixels():
    random = np.random.Generator(np.random.PCG64(4))
    truth = (random.random((4, 9, 7)) > 0.6).astype(np.uint8)
    winners = (2, 0, 3, 1)
    expected = np.zeros((9, 7), int)
    for y in range(9):
        for x in range(7):
            expected[y, x] = next((plane + 1 for plane in winners if truth[plane, y, x]), 0)
    np.testing.assert_array_equal(label_map(truth, winners=winners), expected)


def test_precedence_gives_planes_in_order_of_priority():
    classes = tuple(ClassRecord(code=code, name=code) for code in ("MA", "HE", "OD"))
    facts = {"title": "t", "adaptor": "idrid", "modality": "fundus", "task": "multiclass", "classes": classes}
    assert precedence(DatasetRecord(**facts, priority=("OD", "MA", "HE"))) == (2, 0, 1)
    assert precedence(DatasetRecord(**facts)) == (0, 1, 2)


def test_a_prediction_has_the_most_probable_class_in_parts_of_its_threshold():
    random = np.random.Generator(np.random.PCG64(5))
    maps = (np.round(random.random((4, 23, 17)) * 16) / 16).astype(np.float16)
    thresholds, winners = (0.5, 0.25, 0.75, 0.5), (2, 0, 3, 1)
    masks = (maps >= np.array(thresholds)[:, None, None]).astype(np.uint8)
    masks[3] |= random.random((23, 17)) < 0.1  # as in filled holes, below the threshold
    masks[1, :5] = 0  # as where small regions were removed
    expected = np.zeros((23, 17), int)
    for y in range(23):
        for x in range(17):
            held = [plane for plane in winners if masks[plane, y, x]]
            # The first of equal ones: max keeps it.
            best = max(held, key=lambda plane: float(maps[plane, y, x]) / thresholds[plane], default=-1)
            expected[y, x] = best + 1
    found = most_probable(maps, masks, thresholds=thresholds, winners=winners)
    np.testing.assert_array_equal(found, expected)
    parts = [
        most_probable(maps[:, a : a + 6], masks[:, a : a + 6], thresholds=thresholds, winners=winners)
        for a in range(0, 23, 6)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), expected)


def test_a_threshold_of_zero_divides_by_nothing():
    maps, masks = np.full((2, 1, 1), 0.5, np.float16), np.ones((2, 1, 1), np.uint8)
    with np.errstate(all="raise"):
        assert most_probable(maps, masks, thresholds=(0.25, 0.0), winners=(0, 1)).item() == 2
