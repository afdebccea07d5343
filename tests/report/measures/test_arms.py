"""Measures and paired differences of arms, against NumPy on small tables."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.report.experiments import LEVELS, arm_cost, experiment_tables
from pipeline.report.measures.arms import COMPARED_BY_IMAGE, ArmResult
from pipeline.report.measures.summary import OVER_LESIONS
from pipeline.report.page.experiments_page import statements
from pipeline.report.page.tables.experiments import arms_table, class_tables, difference_table, published_table
from pipeline.seeds import stream

CODES = ("MA", "EX", "OD")
LESIONS = ("MA", "EX")
GRIDS = ("normalised", "original")


def images_of(values, *, groups, grids=GRIDS):
    """Table of images of one model: ``values`` is (image, class, measure), of the original grid; the other differs."""
    rows = [
        {
            "grid": grid,
            "split": "test",
            "image_id": f"i{image}",
            "group_id": f"g{image % groups}",
            "class_code": code,
            **dict(zip(COMPARED_BY_IMAGE, values[image, at] + (0 if grid == grids[-1] else 7), strict=True)),
        }
        for grid in grids
        for image in range(len(values))
        for at, code in enumerate(CODES)
    ]
    return pd.DataFrame(rows)


def summary_of(values, *, grids=GRIDS):
    """Table of classes of one model: ``values`` is (class, measure) with Dice and AUPR, and a trivial Dice of 0.1."""
    rows = []
    for grid in grids:
        for at, code in enumerate([*CODES, ""]):
            average = "" if code else OVER_LESIONS
            found = values[at] if code else values[: len(LESIONS)].mean(axis=0)
            for measure, value in zip(
                ("dice_pooled", "ap_pooled", "dice_everywhere_pooled"), [*found, 0.1], strict=True
            ):
                value = value + (0 if grid == grids[-1] else 7)
                row = {"grid": grid, "split": "test", "class_code": code, "average": average, "measure": measure}
                rows.append(row | {"value": value, "low": value - 0.1, "high": value + 0.1})
    return pd.DataFrame(rows)


def arm(name, images, summaries, *, groups=3, base=False, grids=GRIDS):
    named = {"experiment": "study", "arm": name, "base": base, "dataset": "tiny", **dict.fromkeys(LEVELS, "")}
    tables = [images_of(each, groups=groups, grids=grids) for each in images]
    classes = [summary_of(each, grids=grids) for each in summaries]
    return ArmResult(named, tables, classes, LESIONS, (100,), {"train_seconds": 2.0})


@pytest.fixture
def two():
    """Two arms of three models each: values of images and of classes."""
    random = stream(0, "test", "arms")
    images, classes = random.random((2, 3, 5, 3, 3)), random.random((2, 3, 3, 2))
    images[:, :, 1, 0] = np.nan  # no microaneurysm in this image
    return images, classes


def tables_of(two, *, groups=3, seeds=3):
    images, classes = two
    arms = [
        arm(name, images[at, :seeds], classes[at, :seeds], groups=groups, base=not at)
        for at, name in enumerate(("grid", "guided"))
    ]
    return experiment_tables(arms, draws=200, seed=0)


def test_a_measure_is_the_mean_of_the_models_and_its_spread_their_standard_deviation(two):
    found = tables_of(two).measures.set_index(["arm", "class_code", "measure"])
    for at, name in enumerate(("grid", "guided")):
        for place, code in enumerate(CODES):
            row = found.loc[(name, code, "ap_pooled")]
            values = two[1][at, :, place, 1]
            assert (row["value"], row["spread"]) == pytest.approx((values.mean(), values.std(ddof=1)))
            assert math.isnan(row["low"])
            assert (row["images"], row["groups"], row["models"], row["grid"]) == (5, 3, 3, "original")
        assert found.loc[(name, "MA", "dice_pooled"), "trivial"] == pytest.approx(0.1)
        assert math.isnan(found.loc[(name, "MA", "ap_pooled"), "trivial"])


def test_a_single_model_has_no_spread_and_keeps_its_interval(two):
    found = tables_of(two, seeds=1).measures
    assert found["spread"].isna().all()
    assert found["low"].to_numpy() == pytest.approx(found["value"].to_numpy() - 0.1)


def test_an_arm_has_one_row_with_all_measures_and_its_cost(two):
    found = tables_of(two).results
    assert found["arm"].tolist() == ["grid", "guided"]
    expected = two[1][1].mean(axis=0)
    row = found.iloc[1]
    assert row["ap_pooled.EX"] == pytest.approx(expected[1, 1])
    assert row["dice_pooled.lesions"] == pytest.approx(expected[:2, 0].mean())
    assert row["dice_everywhere_pooled.MA"] == pytest.approx(0.1)
    assert (row["steps"], row["train_seconds"], row["base"]) == (100, 2.0, False)


def job(folder, path, seconds, memory=1.0):
    file = folder / f"{path}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t{memory}\t1\n")


def test_the_cost_of_an_arm_is_of_its_trainings_and_of_one_map_of_each_measured_image(tmp_path):
    for at, model in enumerate(("unet", "unet-seed1")):
        job(tmp_path, f"model/model_fit/{model}", 100 + 20 * at, memory=5 + at)
        for image in ("i0", "i1", "i2"):
            job(tmp_path, f"probability/probability_image/{model}/{image}", 3 + 2 * at, memory=2)
    job(tmp_path, "probability/probability_image/unet/mined_for_hard_negatives", 1000, memory=99)
    images = ("i0", "i1", "i2")
    seeds = arm_cost(tmp_path, dict.fromkeys(("unet", "unet-seed1"), images), trained=("unet", "unet-seed1"))
    assert seeds == {"train_seconds": 110, "train_memory_mb": 6, "maps_seconds": 3 * 4, "maps_memory_mb": 2}
    # With folds each validation image is measured by one model alone, and a test image by all.
    folds = arm_cost(tmp_path, {"unet": ("i0", "i2"), "unet-seed1": ("i1", "i2")}, trained=("unet", "unet-seed1"))
    assert folds == seeds
    half_known = arm_cost(tmp_path, {"unet": images}, trained=("unet", "gone"))
    assert (half_known["train_seconds"], half_known["maps_seconds"]) == (100, 9)
    unknown = arm_cost(tmp_path, {"unet": (*images, "gone")}, trained=())
    assert math.isnan(unknown["maps_seconds"])
    assert math.isnan(unknown["train_seconds"])
    assert all(map(math.isnan, arm_cost(tmp_path / "nowhere", {}, trained=("unet",)).values()))


def test_the_page_names_the_arms_of_each_number_of_steps(two):
    results = tables_of(two).results
    facts = {"seeds": (), "folds": 0, "encoders": ["resnet18 (none)"], "sample": False}
    assert "the same number of steps: 100." in statements(results, **facts)[0]
    said = statements(results.assign(steps=[90, 1200]), **facts)[0]
    assert all(words in said for words in ("different numbers of steps", "90 (grid)", "1,200 (guided)"))


def test_differences_are_of_images_whose_values_are_means_over_models(two):
    found = tables_of(two)
    change = two[0][1].mean(axis=0) - two[0][0].mean(axis=0)  # image, class, measure
    rows = found.differences.set_index(["class_code", "measure"])
    for place, code in enumerate(CODES):
        for at, measure in enumerate(COMPARED_BY_IMAGE):
            own = change[:, place, at]
            row = rows.loc[(code, measure)]
            assert row["difference"] == pytest.approx(np.nanmean(own))
            assert row["images"] == (4 if code == "MA" else 5)
            assert (row["better"], row["worse"]) == ((own > 0).sum(), (own < 0).sum())
    lesions = np.nanmean(two[0][1].mean(axis=0)[:, :2], axis=1) - np.nanmean(two[0][0].mean(axis=0)[:, :2], axis=1)
    images = found.image_differences
    own = images[(images["class_code"] == OVER_LESIONS) & (images["measure"] == "ap")]
    assert dict(zip(own["image_id"], own["difference"], strict=True)) == pytest.approx(
        {f"i{at}": value for at, value in enumerate(lesions[:, 1])}
    )
    assert rows.loc[(OVER_LESIONS, "ap"), "difference"] == pytest.approx(lesions[:, 1].mean())
    assert set(found.differences["arm"]) == {"guided"}


def test_an_arm_that_is_not_rescaled_is_compared_on_the_grid_of_the_originals_with_one_that_is(two):
    images, classes = two
    arms = [
        arm(name, images[at], classes[at], base=not at, grids=grids)
        for at, (name, grids) in enumerate((("plain", GRIDS[:1]), ("small", GRIDS)))
    ]
    found, expected = experiment_tables(arms, draws=200, seed=0), tables_of(two)
    for name in ("differences", "image_differences"):
        one, other = (getattr(each, name).drop(columns="arm") for each in (found, expected))
        pd.testing.assert_frame_equal(one, other)
    values = [each.results.filter(like=".").to_numpy() for each in (found, expected)]
    np.testing.assert_array_equal(*values)
    assert found.results["grid"].tolist() == ["normalised", "original"]
    facts = {"seeds": (), "folds": 0, "encoders": ["resnet18 (none)"], "sample": False}
    assert "on the grid of the original images" in " ".join(statements(found.results, **facts))
    assert "grid of the original images" not in " ".join(statements(expected.results, **facts))
    assert "different pixels" in " ".join(statements(found.results, **facts, other_pixels=True))
    cost = dict.fromkeys(("train_memory_mb", "maps_seconds", "maps_memory_mb"), math.nan)
    assert "grid of the original images, which is" in arms_table(found.results.assign(**cost), split="test").caption


@pytest.mark.parametrize(("groups", "known"), [(9, False), (10, True)])
def test_an_interval_is_given_from_ten_groups_on_and_the_page_says_so(groups, known):
    random = stream(1, "test", "arms")
    found = tables_of((random.random((2, 1, 20, 3, 3)), random.random((2, 1, 3, 2))), groups=groups, seeds=1)
    assert found.differences["low"].notna().all() == known
    assert found.differences["low"].isna().all() != known
    said = " ".join(statements(found.results, seeds=(), folds=0, encoders=["resnet18 (none)"], sample=True))
    assert "Encoder, with the source of the weights: resnet18 (none). The study's is efficientnet-b0" in said
    assert ("below 10 groups there is no interval" in said) != known
    assert ("bootstraps over groups" in said) == known
    assert all(words in said for words in ("same number of steps: 100", "One training an arm", "synthetic"))
    assert "AUPR is of the maps before it" not in said
    smoothed = found.results.assign(smoothing=found.results["arm"])
    (said,) = (
        each
        for each in statements(smoothed, seeds=(), folds=0, encoders=["resnet18 (none)"], sample=True)
        if "AUPR is of the maps before it" in each
    )
    # Where smoothing is crossed with networks, these differ in AUPR.
    assert "the same in arms that differ in smoothing alone" in said


def test_folds_measure_each_image_once():
    random = stream(2, "test", "arms")
    values, classes = random.random((2, 6, 3, 3)), random.random((2, 3, 2))
    halves = [images_of(each, groups=6) for each in values]
    by_fold = [half[half["image_id"].isin({f"i{at}" for at in range(fold, 6, 2)})] for fold, half in enumerate(halves)]
    folds = arm("folds", [], classes)
    folded = ArmResult(folds.named, by_fold, folds.summaries, LESIONS, (100,), {})
    base = arm("base", [values[0]], classes[:1], groups=6, base=True)
    rows = experiment_tables([base, folded], draws=0, seed=0).differences.set_index(["class_code", "measure"])
    expected = [0.0, *(values[1, at, 0, 0] - values[0, at, 0, 0] for at in (1, 3, 5))]
    assert rows.loc[("MA", "dice"), "images"] == 6
    assert rows.loc[("MA", "dice"), "difference"] == pytest.approx(sum(expected) / 6)


def test_the_tables_of_the_page_show_the_figures(two):
    found = tables_of(two)
    arms = arms_table(
        found.results.assign(**dict.fromkeys(("train_memory_mb", "maps_seconds", "maps_memory_mb"), math.nan)),
        split="test",
    )
    assert [row[0].note for row in arms.rows] == ["base arm", ""]
    assert arms.rows[1][1].text == f"{two[1][1, :, :2, 1].mean():.3f}"
    dice = next(
        each for each in class_tables(found.measures, split="test", codes=CODES) if each.caption.startswith("Dice")
    )
    assert [row[0].text for row in dice.rows] == ["grid", "guided", "everything marked"]
    assert dice.rows[-1][1].text == "0.100"
    (row,) = difference_table(found.differences, split="test", measure="dice", codes=CODES).rows
    assert row[2].text == f"{np.nanmean((two[0][1] - two[0][0]).mean(axis=0)[:, 0, 0]):+.3f}"
    published = [
        {
            "name": "A paper",
            "source": "its table 2",
            "measure": "ap_pooled",
            "values": {"MA": 0.5},
            "differs": "54 images",
        }
    ]
    beside = published_table(published, found.measures, split="test", codes=CODES)
    assert [row[0].text for row in beside.rows] == ["A paper", "grid", "guided"]
    assert (beside.rows[0][2].text, beside.rows[0][3].text) == ("0.500", "–")
    assert "54 images" in beside.rows[0][-1].text
    average = [{**published[0], "values": {OVER_LESIONS: 0.25, "EX": 0.5}}]
    beside = published_table(average, found.measures, split="test", codes=CODES)
    assert [cell.text for cell in beside.head[2:-1]] == [OVER_LESIONS, *CODES]
    ours = two[1].mean(axis=1)[:, : len(LESIONS), 1].mean(axis=1)
    assert [row[2].text for row in beside.rows] == ["0.250", *(f"{value:.3f}" for value in ours)]
    assert published_table([], found.measures, split="test", codes=CODES) is None
