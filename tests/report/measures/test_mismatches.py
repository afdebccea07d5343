"""Mismatches: exchanged and inverted masks are named, hard images are not."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pipeline.arrays.metrics import average_precision, probability_histogram
from pipeline.report.measures.mismatches import OTHERS, Mismatch, doubted, gains, mismatches
from pipeline.seeds import stream

SIDE = 48
IMAGES = tuple(f"eye_{number}" for number in range(OTHERS + 2))


def truths(rng):
    """Masks of one image: nine spots and one disc, anywhere."""
    spots, disc = np.zeros((2, SIDE, SIDE), np.bool_)
    spots.flat[rng.choice(SIDE * SIDE, 9, replace=False)] = True
    y, x = np.mgrid[:SIDE, :SIDE]
    disc = np.hypot(*(axis - rng.integers(8, SIDE - 8) for axis in (y, x))) < 4
    return {"MA": spots, "OD": disc}


def seen(mask, rng):
    """Map of a model that finds the mask, with noise."""
    return 0.2 + 0.7 * ndimage.gaussian_filter(mask.astype(float), 0.7) + rng.normal(0, 0.02, mask.shape)


def world(seed, images=IMAGES):
    """Truth and maps by image and class."""
    rng = stream(seed, "tests", "mismatches")
    masks = {image: truths(rng) for image in images}
    maps = {image: {code: seen(mask, rng) for code, mask in own.items()} for image, own in masks.items()}
    return masks, maps


def measured(masks, maps, model="unet"):
    """Rows of measures of maps against masks."""
    made = []
    for image, own in masks.items():
        for code, mask in own.items():
            truth = int(mask.sum())
            ap = average_precision(probability_histogram(np.clip(maps[image][code], 0, 1).astype(np.float16), mask))
            made.append(
                {"model": model, "fusion": "none", "split": "test", "grid": "normalised", "image_id": image}
                | {"class_code": code, "pixels": mask.size, "truth_pixels": truth, "roi_pixels": mask.size}
                | {"truth_in_roi": truth, "lesions": ndimage.label(mask, np.ones((3, 3)))[1], "ap": ap}
            )
    return pd.DataFrame(made)


@pytest.mark.parametrize("seed", range(5))
def test_right_masks_are_not_in_doubt_and_exchanged_ones_are_all_of_them(seed):
    masks, maps = world(seed)
    assert mismatches(measured(masks, maps)) == []
    swapped = masks | {"eye_0": masks["eye_3"], "eye_3": masks["eye_0"]}
    found = mismatches(measured(swapped, maps))
    assert found == [Mismatch(image, ("MA", "OD"), (), whole=True) for image in ("eye_0", "eye_3")]
    assert doubted(found) == {"MA": ["eye_0", "eye_3"], "OD": ["eye_0", "eye_3"]}


def test_one_class_of_another_image_is_named_alone():
    masks, maps = world(0)
    masks["eye_1"] = masks["eye_1"] | {"MA": masks["eye_2"]["MA"]}
    assert mismatches(measured(masks, maps)) == [Mismatch("eye_1", ("MA",), (), whole=False)]


def test_an_inverted_mask_is_said_to_be_one():
    masks, maps = world(1)
    masks["eye_2"] = masks["eye_2"] | {"MA": ~masks["eye_2"]["MA"]}
    (found,) = mismatches(measured(masks, maps))
    assert (found.image_id, found.codes, found.inverted) == ("eye_2", (), ("MA",))
    assert found.flags == ("truth in doubt: MA as if inverted",)


def test_the_order_of_rows_and_further_results_that_agree_change_nothing():
    masks, maps = world(2)
    rows = measured(masks | {"eye_0": masks["eye_3"]}, maps)
    found = mismatches(rows)
    assert [each.image_id for each in found] == ["eye_0"]
    assert mismatches(rows.sample(frac=1, random_state=1)) == found
    assert mismatches(pd.concat([rows, rows.assign(model="other")])) == found


def test_a_model_that_learned_nothing_says_nothing_and_one_that_finds_the_class_acquits_the_truth():
    masks, maps = world(3)
    rng = stream(3, "tests", "blind")
    blind = {image: {code: rng.random(mask.shape) for code, mask in own.items()} for image, own in masks.items()}
    assert mismatches(measured(masks, blind)) == []
    missed = measured(masks, maps | {"eye_0": blind["eye_0"]})
    assert [each.image_id for each in mismatches(missed)] == ["eye_0"]
    assert mismatches(pd.concat([missed, measured(masks, maps, model="better")])) == []


def test_a_few_small_lesions_that_are_missed_are_no_doubt():
    masks, maps = world(4)
    few = np.zeros((SIDE, SIDE), np.bool_)
    few[[3, 40], [30, 9]] = True
    masks["eye_4"] = masks["eye_4"] | {"MA": few}
    assert mismatches(measured(masks, maps)) == []


def test_a_hard_image_is_no_doubt_as_long_as_the_map_knows_more_than_chance():
    masks, maps = world(5)
    noise = stream(5, "tests", "hard").normal(0, 0.06, (SIDE, SIDE))
    maps["eye_5"] = {code: 0.5 * each + noise for code, each in maps["eye_5"].items()}
    rows = measured(masks, maps)
    hard = rows[rows.image_id == "eye_5"]
    assert hard.ap.min() < 0.5  # it is one
    assert mismatches(rows) == []


def test_too_few_images_are_not_judged():
    masks, maps = world(6, images=IMAGES[:OTHERS])
    one, other, *_ = masks
    rows = measured(masks | {one: masks[other]}, maps)
    assert mismatches(rows) == []
    assert mismatches(rows[:0]) == []


def test_masks_of_any_other_image_are_at_chance_and_a_perfect_map_has_a_finite_gain():
    masks, maps = world(7)
    for one, other in permutations(masks, 2):
        rows = measured({other: masks[other]}, {other: maps[one]})
        assert gains(rows).max() < 20
    assert np.isfinite(gains(pd.DataFrame({"ap": [1.0], "truth_pixels": [5], "pixels": [5]}))).all()
