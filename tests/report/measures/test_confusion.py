"""Confusion of labels in the tables of a run."""

import numpy as np
import pandas as pd
import pytest

from pipeline import stores
from pipeline.arrays.confusion import LabelRule, confusion, label_ious
from pipeline.arrays.metrics import Counts
from pipeline.project import PROJECT
from pipeline.report.measures.image import Rules, measure_image
from pipeline.report.page.tables.confusion import BY, UNLIKE, confusion_table
from pipeline.seeds import stream
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
    other = confusion_table(kept, world.record.model_copy(update={"task": "multilabel"}), split="test")
    assert "a pixel in two masks counts for both classes" in other.notes[1]


def both_figures(task, *, classes, overlap, partly):
    """mIoU with background of masks and of labels, of random images; the last may lack a class."""
    codes, rule = tuple(f"C{at}" for at in range(classes)), LabelRule(tuple(range(classes)), task == "multiclass")
    found = []
    for image in range(3):
        random = stream(image, "test")
        probability = (
            random.dirichlet(np.ones(classes + 1), (40, 50))[..., :classes].transpose(2, 0, 1).astype(np.float16)
        )
        labels = random.integers(0, classes + 1, (2, 40, 50))
        truth, masks = ((each == np.arange(1, classes + 1)[:, None, None]) for each in labels)
        if task == "multiclass":
            masks = probability >= 0.5  # Never two of them.
        if overlap:
            truth, masks = truth | (random.random(truth.shape) < 0.2), masks | (random.random(masks.shape) < 0.2)
        planes = {"truth": truth, "masks": masks, "probability": probability, "roi": np.ones((40, 50), bool)}
        annotated = codes[1:] if partly and image == 2 else codes
        found.append(measure_image(planes, codes=codes, annotated=annotated, rules=Rules(labels=rule)))
    names = [BACKGROUND, *codes]
    of_masks = [sum((each.counts[name] for each in found if name in each.counts), Counts()).iou for name in names]
    matrix = sum(each.confusion for each in found if each.confusion is not None)
    return np.mean(of_masks), np.mean(list(label_ious(matrix, names).values()))


@pytest.mark.parametrize(
    ("task", "classes", "overlap", "partly", "equal"),
    [
        ("binary", 1, False, False, True),
        ("multilabel", 3, False, False, True),
        ("multilabel", 3, True, False, False),
        ("multilabel", 3, False, True, False),
        ("multiclass", 3, False, False, False),
        ("multiclass", 3, False, True, False),
    ],
)
def test_the_two_figures_are_equal_where_page_and_manual_say_so(task, classes, overlap, partly, equal):
    of_masks, of_labels = both_figures(task, classes=classes, overlap=overlap, partly=partly)
    assert (of_masks == pytest.approx(of_labels, abs=1e-12)) == equal
    said = UNLIKE[task]
    assert ("is that of the other tables" in said) == (task == "binary")
    assert ("every image is annotated for every class, the two are equal" in said) == (task == "multilabel")
    assert ("overlap" in BY[task] or "two masks" in said) == (task == "multilabel")
    manual = " ".join((PROJECT / "docs" / "evaluation.md").read_text().split())
    assert "In binary tasks both figures are equal." in manual
    assert "equal where no masks and no truths overlap and every image is annotated for every class" in manual
