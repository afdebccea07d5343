"""Labels follow the priority of the manifest."""

import numpy as np

from pipeline.arrays.label_map import label_map, precedence
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
