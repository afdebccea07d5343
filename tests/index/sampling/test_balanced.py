"""Balanced sampling keeps its ratio, its rules and its distances, and says what it could not keep."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import BalancedSampling, GridSampling
from pipeline.errors import SamplingError
from pipeline.raw.phantom.histology import histology_phantom

CODES = ("MA", "HE", "SE")


def balanced(**changes):
    return BalancedSampling(**({"strategy": "balanced", "patch": 16, "total": 24, "negatives": "anywhere"} | changes))


def drawn(frame):
    return frame[frame["strategy"] == "balanced"]


def negatives(frame):
    return frame[frame["target_class"] == "background"]


def nearest(rows):
    """Smallest distance of the centres of two rows of one image, compared pair by pair."""
    found = [np.inf]
    for _, part in rows.groupby("image_id", observed=True):
        places = part[["y", "x"]].to_numpy(float)
        away = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        found.append(away[np.triu_indices(len(places), 1)].min(initial=np.inf))
    return min(found)


def check(frame, data, sampling):
    """Every promise of every row, counted again from the pixels."""
    for row in drawn(frame).itertuples():
        truth = data.pictures[row.image_id].truth
        height, width = truth.shape[1:]
        assert 0 <= row.y < row.y + row.height <= height
        assert 0 <= row.x < row.x + row.width <= width
        inside = truth[:, row.y : row.y + row.height, row.x : row.x + row.width]
        lesion = inside[[code not in data.anatomy for code in data.codes]]
        area = row.height * row.width
        assert (row.anchor_y, row.anchor_x, row.coverage) == (-1, -1, False)
        if row.target_class == "background":
            assert not inside.any()
            assert row.roi_fraction >= np.float32(sampling.least_roi)
            assert row.draw_weight == pytest.approx(row.structure**sampling.structure_power, rel=1e-6)
        else:
            share = lesion.any(axis=0).sum() / area
            assert share > 0
            assert share >= sampling.positive_share
            assert row.draw_weight == pytest.approx(share**sampling.gamma, rel=1e-6)
            assert lesion.sum(axis=(1, 2)).max() == getattr(row, f"pixels_{row.target_class}")
    assert not drawn(frame).duplicated(["image_id", "y", "x"]).any()


def kept(frame, image_id):
    return drawn(frame)[drawn(frame)["image_id"] == image_id].set_index("patch_id")[["y", "x", "draw_weight"]]


@pytest.fixture(scope="module")
def tissue(make, picture, scatter):
    """Lesions in a and b, none in f and g; f and g are one patient; images of validation and test beside them."""
    random = np.random.Generator(np.random.PCG64(3))
    shapes = {"a": (96, 120), "b": (80, 80), "f": (128, 100), "g": (90, 140), "v": (70, 70), "t": (61, 83)}
    pictures = {}
    for at, (name, (height, width)) in enumerate(shapes.items()):
        truth = (
            np.zeros((3, height, width), np.uint8) if name in "fg" else scatter(at, height=height, width=width, count=5)
        )
        colour = random.integers(0, 256, (3, height, width)).astype(np.uint8)
        roi = np.ones((height, width), np.uint8)
        roi[:, : width // 4] = 0
        split = {"v": "validation", "t": "test"}.get(name, "train")
        pictures[name] = picture(truth, split=split, roi=roi, colour=colour, group="p" if name in "fg" else None)
    return make(pictures, modality="histology")


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 999),
    ratio=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    gamma=st.sampled_from([0, 0.5, 1, 3]),
    share=st.sampled_from([0, 0.02]),
    distance=st.sampled_from([0, 5, 12]),
    patch=st.sampled_from([8, 13, 16]),
    caps=st.tuples(st.none() | st.integers(2, 9), st.none() | st.integers(3, 9)),
)
def test_every_row_of_random_data_sets_holds(make, picture, scatter, seed, ratio, gamma, share, distance, patch, caps):
    truths = {name: scatter(seed + at, height=40 + 9 * at, width=50, count=3) for at, name in enumerate("tuvw")}
    truths["w"][:] = 0
    truths["t"][0, 20:30, 20:30] = 1
    data = make(
        {
            n: picture(t, group="g" if n in "tu" else None, split="test" if n == "v" else "train")
            for n, t in truths.items()
        }
    )
    sampling = balanced(
        ratio=ratio,
        gamma=gamma,
        positive_share=share,
        patch=patch,
        negative_distance=distance,
        positive_distance=distance // 2,
        most_per_image=caps[0],
        most_per_group=caps[1],
        total=20,
    )
    frame = data.index(sampling, seed=seed)
    check(frame, data, sampling)
    rows = drawn(frame)
    without, with_truth = negatives(rows), rows[rows["target_class"] != "background"]
    assert len(with_truth) * ratio[1] == len(without) * ratio[0]
    assert 0 < len(rows) <= 20
    gave_way = data.summary().get("gave_way", {})
    for name, side, apart in (("negatives", without, distance), ("positives", with_truth, distance // 2)):
        rules = {"distance": apart, "most_per_image": caps[0], "most_per_group": caps[1]}
        rules |= {rule: after for rule, (_, after) in gave_way.get(name, {}).items()}
        assert nearest(side) >= rules["distance"]
        for column, cap in (("image_id", rules["most_per_image"]), ("group_id", rules["most_per_group"])):
            assert cap is None or side[column].value_counts().max() <= cap
        # The distance gives way before a quota, and a quota before places are drawn again.
        if rules["most_per_image"] != caps[0] or rules["most_per_group"] != caps[1] or "draws_per_place" in rules:
            assert rules["distance"] == 0
        if "draws_per_place" in rules:
            assert rules["most_per_image"] is None
            assert rules["most_per_group"] is None
    assert set(rows["split"]) == {"train"}


def test_the_ratio_is_exact_and_the_total_is_reached_where_there_is_enough(tissue):
    frame = tissue.index(balanced(total=30, ratio=(1, 2), negative_distance=4))
    counts = drawn(frame)["target_class"].eq("background").value_counts().to_dict()
    assert counts == {True: 20, False: 10}
    assert tissue.summary()["requested"] == {"positive": 10, "background": 20}
    assert tissue.summary()["notes"] == []


def test_negatives_come_from_lesion_free_images_by_default_and_from_anywhere_on_request(tissue):
    default = tissue.index(balanced(negatives="lesion_free_images", negative_distance=4))
    assert set(negatives(default)["image_id"]) == {"f", "g"}
    assert set(negatives(tissue.index(balanced(negative_distance=4, total=60)))["image_id"]) > {"f", "g"}


def test_anatomy_makes_no_positive_and_no_negative(make, picture):
    truth = np.zeros((3, 60, 120), np.uint8)
    truth[1, 10:50, 5:45] = 1
    truth[0, 30, 100] = 1
    data = make(i=picture(truth), anatomy=("HE",))
    frame = data.index(balanced(total=8, negative_distance=2))
    check(frame, data, balanced(total=8))
    rows = drawn(frame)
    assert set(rows["target_class"]) == {"MA", "background"}
    assert (rows.loc[rows["target_class"] == "MA", "x"] > 80).all()


def test_a_short_side_gives_way_in_distance_no_further_than_needed_and_the_total_is_reached(tissue):
    sampling = balanced(total=400, negatives="lesion_free_images", negative_distance=40)
    rows, summary = drawn(tissue.index(sampling)), tissue.summary()
    check(rows, tissue, sampling)
    assert (len(rows), len(negatives(rows))) == (400, 200)
    assert summary["gave_way"] == {"negatives": {"distance": [40, 5]}}
    assert nearest(negatives(rows)) >= 5
    tissue.index(sampling.model_copy(update={"negative_distance": 10}))
    assert tissue.summary()["gave_way"] == {"negatives": {"distance": [10, 5]}}
    assert summary["notes"] == ["Negatives were short, so this gave way: the minimum distance from 40 to 5 pixels."]


def test_where_nothing_is_short_nothing_gives_way(tissue):
    tissue.index(balanced(total=30, negative_distance=4))
    assert "gave_way" not in tissue.summary()


def test_quotas_give_way_after_the_distance_and_before_places_are_drawn_again(make, picture):
    truth = np.zeros((3, 60, 60), np.uint8)
    truth[0, 3:9, 3:9] = 1
    data = make(i=picture(truth), j=picture(truth))
    data.index(balanced(total=40, negative_distance=8, most_per_image=4))
    assert data.summary()["gave_way"]["negatives"] == {"distance": [8, 0], "most_per_image": [4, 16]}
    data.index(balanced(total=1200, negative_distance=8, most_per_image=4, step=16))
    eased = data.summary()["gave_way"]["positives"]
    assert (eased["most_per_image"], eased["draws_per_place"]) == ([4, None], [1, 8])


def test_soft_keeps_all_that_can_be_drawn_and_lets_nothing_give_way(tissue):
    sampling = balanced(total=400, negatives="lesion_free_images", negative_distance=40, soft=True)
    rows, summary = drawn(tissue.index(sampling)), tissue.summary()
    assert len(negatives(rows)) == summary["offered"]["negatives"] < 100
    assert len(rows) == min(400, sum(summary["offered"].values()))
    assert nearest(negatives(rows)) >= 40
    assert "gave_way" not in summary
    assert any("training batches have the ratio 1:1" in note for note in summary["notes"])


def test_places_without_a_lesion_that_are_too_few_are_said_with_what_to_do(make, picture):
    truth = np.zeros((3, 96, 96), np.uint8)
    truth[0] = 1
    truth[0, :18, :18] = 0
    data = make({name: picture(truth) for name in "abc"})
    rows, summary = drawn(data.index(balanced(total=400))), data.summary()
    assert len(negatives(rows)) == len(rows) / 2 < 100
    assert summary["offered"]["negatives"] == len(negatives(rows)) < summary["offered"]["positives"]
    [note] = [note for note in summary["notes"] if "negatives of 200" in note]
    assert "ratio 1:1 is kept" in note
    assert "Places without lesions are too few: use a smaller patch or least_roi" in note
    assert {each["class"]: each["drawn"] for each in summary["short"]} == {
        "positive": len(rows) // 2,
        "background": len(rows) // 2,
    }


def test_shortage_of_positives_trims_the_negatives(make, picture):
    truth = np.zeros((3, 40, 40), np.uint8)
    truth[0, 3, 3] = 1
    data = make(i=picture(truth), j=picture(np.zeros((3, 90, 90), np.uint8)))
    frame = data.index(balanced(total=1000, ratio=(1, 1), positive_distance=6, negative_distance=0))
    rows = drawn(frame)
    assert len(rows) == 2 * len(negatives(rows)) > 0
    assert any("positives of 500" in note for note in data.summary()["notes"])


def test_a_total_that_the_ratio_does_not_divide_is_noted(tissue):
    frame = tissue.index(balanced(total=31, ratio=(2, 3), negative_distance=4))
    assert len(drawn(frame)) == 30
    assert "The total 31 cannot be divided 2:3: 30 patches are asked for." in tissue.summary()["notes"]


def test_without_a_lesion_free_image_regions_anywhere_serve_and_the_summary_says_so(make, picture):
    truth = np.zeros((3, 80, 80), np.uint8)
    truth[0, 5, 5] = 1
    data = make(i=picture(truth))
    frame = data.index(balanced(total=8, negatives="lesion_free_images"))
    assert len(negatives(frame)) == 4
    assert any("No training image is free of lesions" in note for note in data.summary()["notes"])


@pytest.mark.parametrize("value", [0, 1])
def test_a_data_set_of_background_or_of_lesion_only_is_an_error_that_says_what_to_do(make, picture, value):
    data = make(i=picture(np.full((3, 40, 40), value, np.uint8)))
    with pytest.raises(SamplingError, match=r"nothing to draw in this ratio(.|\n)*strategy grid"):
        data.index(balanced())
    one_side = data.index(balanced(ratio=(value, 1 - value), total=4))
    assert len(drawn(one_side)) == 4


def test_a_lesion_of_one_pixel_in_the_corner_is_within_reach(make, picture):
    truth = np.zeros((3, 200, 200), np.uint8)
    truth[0, 199, 0] = 1
    data = make(i=picture(truth))
    rows = data.index(balanced(total=2, step=16))
    assert len(rows[rows["is_positive"]]) == 1


def test_images_smaller_than_the_patch_are_boxes_of_their_own_size_and_noted(tissue):
    frame = tissue.index(balanced(patch=110, total=2, least_roi=0.1))
    assert set(frame.loc[frame["image_id"] == "b", "height"]) <= {80}
    assert any("a side below the patch of 110 pixels" in note for note in tissue.summary()["notes"])
    check(frame, tissue, balanced(patch=110, total=2, least_roi=0.1))


def test_positives_prefer_large_shares_as_gamma_grows_and_negatives_structure(make, picture):
    truth = np.zeros((3, 160, 160), np.uint8)
    truth[0, 20:50, 20:50] = truth[0, 100, 100:140] = 1
    colour = np.full((3, 160, 160), 120, np.uint8)
    colour[:, :, 80:] = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (3, 160, 80))
    data = make(i=picture(truth), f=picture(np.zeros_like(truth), colour=colour), modality="histology")
    means = []
    for power in (0, 1, 4):
        frame = drawn(data.index(balanced(total=60, gamma=power, structure_power=power, negative_distance=4, step=2)))
        means.append((frame["truth_fraction"].sum(), negatives(frame)["structure"].mean()))
    assert means == sorted(means)
    assert means[0][0] < 0.8 * means[2][0]
    assert means[0][1] < 0.8 * means[2][1]


def test_another_image_leaves_the_order_of_every_other_image_as_it_was(tissue):
    sampling = balanced(total=60, negative_distance=4)
    with_all, without = tissue.index(sampling), tissue.index(sampling, ids=("a", "f", "v"))
    for image_id in "af":
        before, after = kept(without, image_id), kept(with_all, image_id)
        common = before.index.intersection(after.index)
        pd.testing.assert_frame_equal(before.loc[common], after.loc[common])
        # Both are the first of the image's one order: the numbers in the ids have no gaps.
        for rows in (before, after):
            for _, part in rows.groupby(rows.index.str.rsplit("/", n=1).str[0]):
                assert sorted(part.index.str.rsplit("/", n=1).str[1].astype(int)) == list(range(len(part)))


def test_a_larger_total_keeps_the_former_rows(tissue):
    few, many = (kept(tissue.index(balanced(total=total, negative_distance=4)), "f") for total in (10, 60))
    assert 0 < len(few) < len(many)
    pd.testing.assert_frame_equal(few, many.loc[few.index])


def test_the_order_of_images_and_the_number_of_workers_change_nothing_and_another_seed_does(tissue):
    sampling = balanced(total=40, negative_distance=4)
    first = tissue.index(sampling, seed=3)
    for options in ({"backwards": True}, {"workers": 3}):
        pd.testing.assert_frame_equal(first, tissue.index(sampling, seed=3, **options))
    assert not first[["y", "x"]].equals(tissue.index(sampling, seed=4)[["y", "x"]])


def test_validation_and_test_rows_are_the_same_grid_as_without_sampling(tissue):
    plain = tissue.index(GridSampling(strategy="grid", patch=16))
    frame = tissue.index(balanced())
    for split in ("validation", "test"):
        left, right = (
            each[each["split"] == split].drop(columns="strategy").reset_index(drop=True) for each in (plain, frame)
        )
        pd.testing.assert_frame_equal(left, right)
        assert set(frame.loc[frame["split"] == split, "strategy"]) == {"grid"}


def test_the_spread_is_what_the_rows_say(tissue):
    frame = tissue.index(balanced(total=40, negative_distance=7, most_per_image=6))
    rows, spread = negatives(frame), tissue.summary()["spread"]
    assert spread["negatives"] == len(rows)
    assert spread["images_offered"] == 4
    assert spread["most_from_one_image"] == rows["image_id"].value_counts().max() <= 6
    assert spread["most_from_one_group"] == rows["group_id"].value_counts().max()
    assert spread["least_distance"] == pytest.approx(nearest(rows))
    covered = everything = 0
    for name in "abfg":
        roi = tissue.pictures[name].roi
        inside = np.zeros_like(roi)
        for row in rows[rows["image_id"] == name].itertuples():
            inside[row.y : row.y + row.height, row.x : row.x + row.width] = 1
        covered, everything = covered + int((inside & roi).sum()), everything + int(roi.sum())
    assert spread["tissue_share"] == pytest.approx(covered / everything)


def test_an_image_where_a_class_was_not_looked_for_gives_positives_but_no_negatives(make, picture):
    lesion = np.zeros((3, 60, 60), np.uint8)
    lesion[0, 30, 30] = 1
    data = make(i=picture(lesion), j=picture(lesion, unknown=("SE",)))
    frame = drawn(data.index(balanced(total=20, negative_distance=2)))
    assert set(negatives(frame)["image_id"]) == {"i"}
    assert set(frame.loc[frame["is_positive"], "image_id"]) == {"i", "j"}
    assert any("1 training images give no negatives" in note for note in data.summary()["notes"])


def glands(number, *, size=128):
    """A picture of the histology phantom of which 60 % is gland, in patches about as wide as a box."""
    random = np.random.Generator(np.random.PCG64(number))
    field = cv2.GaussianBlur(random.normal(size=(size, size)).astype(np.float32), (0, 0), 9)
    truth = np.zeros((3, size, size), np.uint8)
    truth[0] = field > np.quantile(field, 0.4)
    return truth, histology_phantom(number, size=size, seed=1).image.transpose(2, 0, 1)


def test_thirteen_pictures_that_are_mostly_gland_give_all_patches_asked_for_at_the_ratio(make, picture):
    found = {f"colon_{at:02}": glands(at) for at in range(13)}
    data = make({name: picture(truth, colour=colour) for name, (truth, colour) in found.items()}, modality="histology")
    sampling = balanced(total=240, negatives="lesion_free_images", patch=24, negative_distance=None)
    rows = drawn(data.index(sampling))
    check(rows, data, sampling)
    assert rows["target_class"].eq("background").value_counts().to_dict() == {True: 120, False: 120}
    assert data.summary()["gave_way"]["negatives"]["distance"][0] == 12
    assert any("gave way" in note for note in data.summary()["notes"])
