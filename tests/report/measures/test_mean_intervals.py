"""Intervals of averages: those of an eager bootstrap that draws whole patients, every class with the same ones."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.arrays.confusion import LabelRule, label_ious
from pipeline.arrays.metrics import average_precision, probability_histogram
from pipeline.report.measures.averages import average_table, class_table
from pipeline.report.measures.group_sums import Grouped
from pipeline.report.measures.image import Rules, measure_image
from pipeline.report.measures.image_rows import Measured, grouped, image_rows, pooled_confusion, pooled_histograms
from pipeline.report.measures.intervals import intervals
from pipeline.report.measures.mean_intervals import mean_intervals
from pipeline.seeds import stream
from pipeline.words import BACKGROUND
from tests.report.measures.eager import count_rows

CODES = ("MA", "EX", "SE")
DRAWS = 25


@pytest.fixture(scope="module")
def pixels() -> list[tuple[str, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """Two images of each of eleven patients: scores and truth of each class; one class is known in few and in none held."""
    rng, found = stream(4, "tests", "means"), []
    for at in range(22):
        group = f"p{at % 11:02d}"
        known = {"MA": 0.3, "EX": 0.1} | ({"SE": 0.0} if at < 3 else {})
        found.append(
            (
                group,
                {
                    code: (np.round(rng.random(60), 1).astype(np.float16), rng.random(60) < share)
                    for code, share in known.items()
                },
            )
        )
    return found


def eager(score: np.ndarray, truth: np.ndarray) -> float:
    if not truth.any():
        return math.nan
    cuts = np.unique(score)[::-1]
    tp = np.array([(truth & (score >= cut)).sum() for cut in cuts])
    precision = tp / np.array([(score >= cut).sum() for cut in cuts])
    return float((np.diff(tp, prepend=0) * precision).sum() / truth.sum())


def test_the_interval_of_a_mean_is_that_of_whole_patients_drawn_again(pixels):
    histograms = [(group, {code: probability_histogram(*pair) for code, pair in own.items()}) for group, own in pixels]
    groups = sorted({group for group, _ in pixels})
    averaged = {"mean over classes": CODES, "mean over lesions": ("EX",)}
    bounds = intervals(Grouped(count_rows(pixels), histograms), averaged=averaged, draws=DRAWS, key=(7, "test"))
    rng = stream(7, "report", "bootstrap", "test", "averages", "ap_pooled")
    means: dict[str, list[float]] = {name: [] for name in averaged}
    for _ in range(DRAWS):
        drawn = [groups[at] for at in rng.integers(len(groups), size=len(groups))]
        taken = [own for each in drawn for group, own in pixels if group == each]
        for name, members in averaged.items():
            values = []
            for code in members:
                parts = [own[code] for own in taken if code in own]
                if parts:
                    values.append(eager(*(np.concatenate(each) for each in zip(*parts, strict=True))))
            means[name].append(float(np.nanmean(values)))
    for name in averaged:
        assert bounds[name, "ap_pooled"] == pytest.approx(tuple(np.quantile(means[name], [0.025, 0.975])))
        low, high = bounds[name, "aupr11_pooled"]
        assert 0 < low < high < 1


def test_a_class_without_any_truth_leaves_the_mean_to_the_others_and_none_gives_no_interval(pixels):
    histograms = [(group, {code: probability_histogram(*pair) for code, pair in own.items()}) for group, own in pixels]

    def sums(code: str):
        held = sorted({group for group, own in histograms if code in own})
        cubes = [sum(own[code] for group, own in histograms if group == each and code in own) for each in held]
        return held, np.stack(cubes), average_precision

    found = mean_intervals(
        sorted({group for group, _ in histograms}),
        {"ap": sums},
        averaged={"both": ("EX", "SE"), "one": ("EX",), "none": ("SE",)},
        draws=20,
        key=(0, "test"),
    )
    assert found["both", "ap"] == found["one", "ap"]
    assert ("none", "ap") not in found


@pytest.fixture(scope="module")
def maps() -> list[Measured]:
    """Eleven patients, one of them with two images, and two classes, of which some images hold but one."""
    rng, found = stream(6, "tests", "maps"), []
    for at in range(12):
        truth = rng.random((2, 9, 11)) < np.array([0.3, 0.2 * (at % 2)])[:, None, None]
        probability = (0.5 * rng.random(truth.shape) + 0.35 * truth).astype(np.float16)
        planes = {
            "truth": truth,
            "masks": probability >= 0.45,
            "probability": probability,
            "roi": np.ones((9, 11), bool),
        }
        rules = Rules(labels=LabelRule((0, 1), multiclass=False))
        measure = measure_image(planes, codes=("MA", "EX"), annotated=("MA", "EX"), rules=rules)
        found.append(Measured(f"i{at:02d}", f"p{at % 11:02d}", "test", measure, 2.0))
    return found


def averages_of(images: list[Measured], rows: dict[str, pd.DataFrame]) -> dict[str, float]:
    """Averages over classes, made as those of a run, of any images, from their rows."""
    codes = ("MA", "EX")
    matrix, _ = pooled_confusion(images)
    assert matrix is not None
    labels = label_ious(matrix, [BACKGROUND, *codes])
    own = pd.concat([rows[each.image_id] for each in images])
    classes = class_table(own, histograms=pooled_histograms(images, codes), labels=labels)
    table = average_table(classes, anatomy=())
    table = table[~table["name"].str.contains("lesions,|over lesions")]
    return dict(zip(table["name"], table["value"], strict=True))


def test_every_average_has_the_interval_of_whole_patients_drawn_again(maps):
    """The reference measures the drawn images anew, as if they were the data set."""
    draws, rows, averaged = (
        2,
        image_rows(maps, {each.image_id: {} for each in maps}),
        {"mean over classes": ("MA", "EX")},
    )
    by_image = {str(image): own for image, own in rows.groupby("image_id")}
    averaged["mean over classes with background"] = (*averaged["mean over classes"], BACKGROUND)
    found = intervals(grouped(maps, rows, codes=("MA", "EX")), averaged=averaged, draws=draws, key=(7, "test"))
    groups = sorted({each.group_id for each in maps})
    checked = [
        tuple(name.split(", ", 1)) for name, value in averages_of(maps, by_image).items() if not math.isnan(value)
    ]
    assert len(checked) > 25
    for measure, average in checked:
        rng, values = stream(7, "report", "bootstrap", "test", "averages", measure), []
        for _ in range(draws):
            drawn = [groups[at] for at in rng.integers(len(groups), size=len(groups))]
            taken = [each for group in drawn for each in maps if each.group_id == group]
            values.append(averages_of(taken, by_image)[f"{measure}, {average}"])
        assert found[average, measure] == pytest.approx(tuple(np.nanquantile(values, [0.025, 0.975]))), measure
        assert ("EX", measure) in found


def test_a_class_has_intervals_of_counts_lesions_and_image_means(maps):
    rows = image_rows(maps, {each.image_id: {} for each in maps})
    found = intervals(grouped(maps, rows, codes=("MA", "EX")), averaged={}, draws=60, key=(7, "test"))
    scores = class_table(rows).set_index("class_code").loc["MA"]
    named = ("precision_pooled", "recall_pooled", "specificity_pooled", "lesion_f1_pooled", "dice_image_mean")
    for measure in (*named, "lesion_sensitivity_pooled", "lesion_precision_pooled", "false_lesions_per_image"):
        low, high = found["MA", measure]
        assert low <= scores[measure] <= high
        assert low < high or measure == "lesion_sensitivity_pooled"
