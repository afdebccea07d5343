"""No patient in two splits: what is demanded is kept, what contradicts itself is refused with the names of the images."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RawConfig
from pipeline.config.manifest import DatasetRecord, load_manifest
from pipeline.errors import ConfigurationError, ManifestError
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.facts import fact_sheet
from pipeline.raw.splits.assign import assign_splits
from pipeline.raw.table import images_table, leaking_pairs

CODES = ("A", "B", "C")


def sheet(name, *, group=None, test=False, annotated=True, rejected="", pixels=(5, 5, 0), centre="", alike=""):
    return {
        "image_id": name,
        "file": f"{name}.png",
        "group_id": group or name,
        "centre": centre,
        "height": 8,
        "width": 9,
        "sha256": "0",
        "perceptual_hash": alike,
        "stored": "RGB 8 bit",
        "rejected": rejected,
        "official_test": test,
        "annotated": annotated,
        "pixel_size_um": None,
        "pixels": dict(zip(CODES, pixels, strict=True)),
    }


RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": code, "name": code} for code in CODES],
        "folder": {"images": "{image}.png"},
    }
)


def table(sheets, given=None, **config):
    settings = RawConfig(**config)
    return images_table(sheets, dataset="d", record=RECORD, config=settings, seed=0, given=given).set_index("image_id")


def test_each_image_has_the_split_that_its_facts_demand():
    frame = table(
        [sheet("test", test=True), sheet("bad", rejected="truncated"), sheet("plain", annotated=False)]
        + [sheet(f"i{at}") for at in range(6)]
    )
    assert frame.loc[["test", "bad", "plain"], "split"].tolist() == ["test", "rejected", "predict"]
    assert set(frame["split"]) == {"test", "rejected", "predict", "train", "validation"}


def test_images_of_one_patient_share_their_split():
    frame = table([sheet(f"i{at}", group=f"p{at // 3}") for at in range(30)])
    assert all(len(set(splits)) == 1 for _, splits in frame.groupby("group_id")["split"])


def test_a_patient_in_the_official_test_and_outside_is_refused():
    with pytest.raises(ManifestError, match="p1"):
        table([sheet("a", group="p1", test=True), sheet("b", group="p1")])


def test_a_rejected_image_takes_no_part_in_the_leak_check():
    frame = table([sheet("a", group="p1", test=True), sheet("b", group="p1", rejected="x"), sheet("c"), sheet("d")])
    assert frame.loc["b", "split"] == "rejected"


def test_splits_from_a_table_win():
    frame = table([sheet(f"i{at}") for at in range(6)], given={"i0": "test", "i1": "validation", "i2": "predict"})
    assert frame.loc[["i0", "i1", "i2"], "split"].tolist() == ["test", "validation", "predict"]


def test_the_other_images_of_a_patient_follow_the_table():
    sheets = [sheet(f"i{at}", group=f"p{at // 2}") for at in range(12)]
    frame = table(sheets, given={"i0": "test", "i2": "validation", "i4": "train"}, folds=3)
    assert frame.loc[["i1", "i3", "i5"], "split"].tolist() == ["test", "validation", "train"]
    assert (frame.loc[frame["split"] == "test", "fold"] == -1).all()
    assert (frame.loc[frame["split"] != "test", "fold"] >= 0).all()


def test_an_official_test_image_that_a_table_lets_train_has_a_fold():
    frame = table([sheet("i0", test=True), sheet("i1"), sheet("i2")], given={"i0": "train"}, folds=2)
    assert frame.loc["i0", "split"] == "train"
    assert frame.loc["i0", "fold"] >= 0


@pytest.mark.parametrize(
    ("given_splits", "words"),
    [
        ({"i9": "train"}, ["i9"]),
        ({"i0": "trian"}, ["i0", "trian", "train"]),
        ({"i0": "test", "i1": "train"}, ["Patient p", "test: i0", "train: i1", "raw.splits_csv"]),
        ({"i3": "train"}, ["i3: train", "nobody annotated"]),
        ({"i4": "train"}, ["Patient q", "test: i5", "train: i4", "raw.splits_csv", "official test"]),
    ],
)
def test_a_table_of_splits_that_does_not_fit_is_refused_with_names(given_splits, words):
    sheets = [sheet("i0", group="p"), sheet("i1", group="p"), sheet("i2"), sheet("i3", annotated=False)]
    sheets += [sheet("i4", group="q", test=True), sheet("i5", group="q", test=True)]
    with pytest.raises(ConfigurationError) as caught:
        table(sheets, given=given_splits)
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_centre_is_held_out_whole_beside_the_official_test():
    sheets = [sheet(f"i{at}", centre="XY"[at % 2]) for at in range(10)] + [sheet("t", test=True, centre="X")]
    frame = table(sheets, holdout_centre="Y")
    assert set(frame.loc[frame["centre"] == "Y", "split"]) == {"test"}
    assert frame.loc["t", "split"] == "test"
    assert set(frame.loc[(frame["centre"] == "X") & ~frame["official_test"], "split"]) == {"train", "validation"}


def test_a_table_wins_over_a_centre_that_is_held_out():
    frame = table([sheet(f"i{at}", centre="Y") for at in range(3)], given={"i0": "train"}, holdout_centre="Y")
    assert frame["split"].tolist() == ["train", "test", "test"]


@pytest.mark.parametrize(
    ("centres", "words"),
    [(("Lyon", "Ulm"), ["Lyom", "Lyon, Ulm", "'Lyon'"]), (("", ""), ["Lyom", "no image", "manifest"])],
)
def test_an_unknown_centre_is_refused_with_the_nearest(centres, words):
    with pytest.raises(ConfigurationError) as caught:
        table([sheet(f"i{at}", centre=each) for at, each in enumerate(centres)], holdout_centre="Lyom")
    assert all(word in str(caught.value) for word in words), caught.value


def test_a_patient_of_two_centres_is_refused_where_one_is_held_out():
    sheets = [sheet("i0", group="p", centre="X"), sheet("i1", group="p", centre="Y"), sheet("i2", centre="X")]
    with pytest.raises(ConfigurationError, match=r"Patient p .*\n.*holdout_centre\n.*i0.*i1"):
        table(sheets, holdout_centre="Y")


SHEETS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["", "X", "Y"]),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["", "", "", "x"]),
        st.tuples(*[st.integers(0, 1)] * 3),
        st.sampled_from([None, None, None, "train", "validation", "test", "predict"]),
    ),
    min_size=1,
    max_size=14,
)


@given(SHEETS, st.sampled_from([None, "X"]), st.integers(0, 3), st.integers(0, 4))
def test_whatever_is_demanded_no_patient_is_in_two_splits_or_it_is_refused(rows, centre, seed, folds):
    sheets = [
        sheet(
            f"i{at}",
            group=f"p{group}",
            centre=where,
            test=test,
            annotated=known or bool(wish),
            rejected=bad,
            pixels=pixels,
        )
        for at, (group, where, test, known, bad, pixels, wish) in enumerate(rows)
    ]
    wishes = {f"i{at}": row[-1] for at, row in enumerate(rows) if row[-1]}
    config = RawConfig(holdout_centre=centre, folds=folds)
    try:
        frame = images_table(sheets, dataset="d", record=RECORD, config=config, seed=seed, given=wishes)
    except ManifestError:
        assert any(row[2] for row in rows)
        return
    except ConfigurationError:
        assert wishes or centre
        return
    frame = frame.set_index("image_id")
    used = frame[frame["split"].isin(["train", "validation", "test"])]
    assert all(len(set(splits)) == 1 for _, splits in used.groupby("group_id")["split"])
    assert all(len(set(numbers)) == 1 for _, numbers in used.groupby("group_id")["fold"])
    usable = frame[frame["rejected"] == ""]
    assert all(usable.loc[name, "split"] == wish for name, wish in wishes.items() if name in usable.index)
    free = usable.drop(index=[name for name in wishes if name in usable.index])
    assert set(free.loc[free["annotated"] & free["official_test"], "split"]) <= {"test"}
    assert set(free.loc[free["annotated"] & (free["centre"] == centre), "split"]) <= {"test"}
    assert ((used["fold"] >= 0) == ((used["split"] != "test") & (folds > 0))).all()


@given(st.integers(30, 60), st.integers(0, 5))
def test_images_added_to_known_patients_move_nobody(count, seed):
    sheets = [sheet(f"i{at}", group=f"p{at}") for at in range(count)]
    more = [sheet(f"j{at}", group=f"p{at}") for at in range(0, count, 3)]
    first, second = (
        images_table(each, dataset="d", record=RECORD, config=RawConfig(folds=5), seed=seed).set_index("image_id")
        for each in (sheets, sheets + more)
    )
    pd.testing.assert_frame_equal(first[["split", "fold"]], second.loc[first.index, ["split", "fold"]])


def test_pictures_that_are_alike_are_named_and_reported_across_splits_only():
    same = "0f" * 32
    near = "0e" * 4 + "0f" * 28
    sheets = [sheet("a", alike=same), sheet("b", alike=near), sheet("c", alike="f0" * 32), sheet("d", alike=same)]
    sheets += [sheet("e"), sheet("f"), sheet("g", alike=same, rejected="x")]
    frame = table(sheets, given={"a": "train", "b": "test", "c": "train", "d": "train", "e": "test", "f": "train"})
    assert frame["alike"].to_dict() == {"a": "b d", "b": "a d", "c": "", "d": "a b", "e": "", "f": "", "g": ""}
    assert leaking_pairs(frame.reset_index()) == [("a", "b"), ("b", "d")]
    folds = frame.assign(fold=[0, -1, 0, 1, -1, 1, -1])
    assert leaking_pairs(folds.reset_index()) == [("a", "b"), ("a", "d"), ("b", "d")]


def test_column_types_are_those_that_are_promised():
    frame = table([sheet("a"), sheet("b")]).reset_index()
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds["fold"] == "int8"
    assert kinds["height"] == kinds["width"] == "int32"
    assert kinds["pixels_A"] == "int64"
    assert kinds["pixel_size_um"] == "float64"


def test_a_single_patient_trains():
    facts = {"image_id": "a", "group_id": "a", "centre": "", "official_test": False, "annotated": True, "rejected": ""}
    frame = assign_splits(pd.DataFrame([{**facts, "pixels_A": 1}]), codes=("A",), config=RawConfig(), seed=0)
    assert frame["split"].tolist() == ["train"]


def test_a_table_does_not_bring_rejected_images_back():
    frame = table([sheet("a", rejected="truncated"), sheet("b")], given={"a": "train"})
    assert frame["split"].tolist() == ["rejected", "train"]


@pytest.mark.data
@pytest.mark.parametrize("seed", range(4))
def test_real_images_keep_the_official_test_and_have_each_class_on_both_sides(real_sheets, seed):
    record, sheets = real_sheets
    frame = images_table(sheets, dataset="idrid", record=record, config=RawConfig(folds=3), seed=seed)
    assert set(frame.loc[frame["official_test"], "split"]) == {"test"}
    rest = frame[~frame["official_test"]]
    assert set(rest["split"]) == {"train", "validation"}
    assert sorted(rest["fold"].value_counts()) == [3, 3, 3]
    for code in record.codes:  # soft exudates are in three of the nine
        held = rest[rest[f"pixels_{code}"] > 0]
        assert set(held["split"]) == {"train", "validation"}
        assert set(held["fold"]) == {0, 1, 2}
    assert (frame["alike"] == "").all()


@pytest.fixture(scope="module")
def real_sheets(real_data):
    record = load_manifest(Path(__file__).parents[3] / "datasets_manifest.yaml").datasets["idrid"]
    entries = list_images(record, dataset="idrid", root=real_data / "idrid")
    return record, [fact_sheet(entry, record=record) for entry in entries]


def test_ten_patients_without_a_test_set_get_one_that_is_never_learned_from():
    frame = table([sheet(f"i{at}", group=f"p{at // 2}") for at in range(20)], folds=3)
    assert frame["split"].value_counts().to_dict() == {"train": 12, "validation": 4, "test": 4}
    assert (frame.loc[frame["split"] == "test", "fold"] == -1).all()
    assert frame.groupby("group_id")["split"].nunique().max() == 1


@pytest.mark.parametrize(
    ("count", "official", "settings", "given_splits"),
    [
        (9, 0, {}, {}),
        (10, 0, {"test_share": 0.0}, {}),
        (12, 1, {}, {}),
        (12, 0, {"splits_csv": "mine.csv"}, {"i0": "train"}),
    ],
)
def test_nothing_is_drawn_to_test_where_few_are_or_others_say_who_tests(count, official, settings, given_splits):
    sheets = [sheet(f"i{at}", test=at < official) for at in range(count)]
    frame = table(sheets, given=given_splits, **settings)
    assert (frame["split"] == "test").sum() == official


def test_a_test_share_that_is_given_holds_for_few_patients_too():
    frame = table([sheet(f"i{at}") for at in range(5)], test_share=0.4)
    assert (frame["split"] == "test").sum() == 2
