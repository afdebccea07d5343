"""Confusion of labels in the tables of a run."""

import numpy as np
import pandas as pd
import pytest

from pipeline import stores
from pipeline.arrays.confusion import LabelRule, confusion, label_ious
from pipeline.report.page.tables.confusion import confusion_table
from pipeline.words import BACKGROUND


def test_matrix_mean_and_table_are_those_of_all_pixels_of_the_split(world, eyes):
    result, codes = world.results[0], world.record.codes
    kept = stores.table_metadata(result.metrics_classes)["confusion"]["normalised"]["test"]
    rule = LabelRule(tuple(range(4)), multiclass=True)
    tested = [eye for eye in eyes if eye.split == "test"]
    expected = sum(confusion(eye.truth > 0, eye.probability >= 0.5, eye.probability, rule=rule) for eye in tested)
    assert np.array_equal(kept["pixels"], expected)
    assert (kept["labels"], kept["images"]) == ([BACKGROUND, *codes], len(tested))
    ious = label_ious(expected, kept["labels"])
    summary = pd.read_parquet(result.metrics_classes)
    own = summary[(summary.split == "test") & (summary.measure == "iou_label_pooled")]
    for code, iou in ious.items():
        assert own[own.class_code == code]["value"].item() == pytest.approx(iou, nan_ok=True)
    mean = own[own.average == "mean over classes with background"]["value"].item()
    assert mean == pytest.approx(np.nanmean(list(ious.values())))
    table = confusion_table(kept, world.record, split="test")
    assert f"mIoU with background {mean:.3f}" in table.notes[0]
    assert [row[-1].text for row in table.rows] == [
        "–" if np.isnan(ious[code]) else f"{ious[code]:.3f}" for code in [*codes, BACKGROUND]
    ]
    assert "not that of the other tables" in table.notes[1]
    binary = confusion_table(kept, world.record.model_copy(update={"task": "multilabel"}), split="test")
    assert "a pixel in two masks counts for both classes" in binary.notes[1]
