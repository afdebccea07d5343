"""Words for averages say which classes are behind them, and tables repeat no average."""

import pandas as pd
import pytest

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.average_words import average_words, compared_columns, named_measure
from pipeline.report.measures.summary import COMPARED, OVER_CLASSES, OVER_LESIONS
from pipeline.report.page.tables.metrics import averages_table

ANATOMY = {"code": "OD", "name": "Optic disc", "kind": "anatomy", "colour": "magenta"}
FOVEA = {"code": "FO", "name": "Fovea", "kind": "anatomy", "colour": "green"}
MICRO = {"code": "MA", "name": "Microaneurysms"}
HARD = {"code": "EX", "name": "Hard exudates", "colour": "blue"}


def record(*classes):
    return DatasetRecord.model_validate(
        {"title": "Eyes", "adaptor": "idrid", "modality": "fundus", "task": "multilabel", "classes": list(classes)}
    )


@pytest.mark.parametrize(
    ("classes", "lesions", "every"),
    [
        ([MICRO], "of Microaneurysms", "of Microaneurysms"),
        ([MICRO, ANATOMY], "of Microaneurysms", "mean over classes"),
        ([MICRO, HARD], "mean over classes", "mean over classes"),
        ([MICRO, HARD, ANATOMY], "mean over lesion classes", "mean over classes"),
        ([ANATOMY], "of Optic disc", "of Optic disc"),
        ([ANATOMY, FOVEA], "mean over classes", "mean over classes"),
    ],
)
def test_the_words_say_over_which_classes_a_mean_is_taken(classes, lesions, every):
    known = record(*classes)
    assert average_words(OVER_LESIONS, known) == lesions
    assert average_words(OVER_CLASSES, known) == every
    assert average_words("mean over classes with background", known) == "mean over classes with background"


@pytest.mark.parametrize("classes", [[MICRO], [MICRO, HARD], [MICRO, ANATOMY], [MICRO, HARD, ANATOMY]])
def test_no_column_of_a_comparison_repeats_another_and_none_is_lost(classes):
    known = record(*classes)
    columns = compared_columns(known)
    assert len({text for text, _, _ in columns}) == len(columns)
    assert {each[1:] for each in columns} <= {each[1:] for each in COMPARED}
    behind = [(average_words(average, known), measure) for _, average, measure in columns]
    assert len(set(behind)) == len(behind)
    assert set(behind) == {(average_words(average, known), measure) for _, average, measure in COMPARED}


@pytest.mark.parametrize("classes", [[ANATOMY], [ANATOMY, FOVEA]])
def test_where_no_class_is_a_lesion_all_columns_of_a_comparison_are_over_all_classes(classes):
    columns = compared_columns(record(*classes))
    union = "IoU" if len(classes) == 1 else "mIoU"
    assert [text for text, _, _ in columns] == ["Dice", "AUPR", "AUPR-11", union, "mIoU with background"]
    assert OVER_LESIONS not in {average for _, average, _ in columns}, "it has no value"
    lesions = compared_columns(record(*({**each, "kind": "lesion"} for each in classes)))
    assert [(text, measure) for text, _, measure in lesions] == [(text, measure) for text, _, measure in columns]


def test_the_intersection_over_union_of_a_single_class_is_called_no_mean():
    texts = [[text for text, _, _ in compared_columns(record(*classes))] for classes in ([MICRO], [MICRO, HARD])]
    assert ["IoU" in each for each in texts] == [True, False]
    assert ["mIoU" in each for each in texts] == [False, True]


def test_a_measure_is_of_a_class_or_over_classes():
    assert named_measure("Dice", "of Gland", short=True) == "Dice of Gland"
    assert named_measure("mIoU without background", "of Gland") == "IoU of Gland"
    assert named_measure("mIoU without background", "mean over classes") == "mIoU without background, mean over classes"
    assert named_measure("AUPR", "mean over lesion classes") == "AUPR, mean over lesion classes"
    assert named_measure("AUPR", "mean over lesion classes", short=True) == "AUPR, lesion classes"


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        ([MICRO], []),
        ([MICRO, ANATOMY], ["Mean over classes"]),
        ([MICRO, HARD], ["Mean over classes"]),
        ([MICRO, HARD, ANATOMY], ["Mean over classes", "Mean over lesion classes"]),
        ([ANATOMY, FOVEA], ["Mean over classes"]),
    ],
)
def test_no_row_of_the_averages_repeats_a_class_or_another_average(classes, shown):
    row = {"grid": "normalised", "split": "test", "measure": "dice_pooled", "value": 0.5, "low": 0.4, "high": 0.6}
    rows = [{**row, "average": each, "label": each, "classes": "MA"} for each in (OVER_CLASSES, OVER_LESIONS)]
    table = averages_table(pd.DataFrame(rows), record(*classes), split="test")
    assert [cells[0].text for cells in table.rows] == shown
