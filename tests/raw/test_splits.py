"""No patient on two sides, each class on both, and added images move nobody who need not move."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import RawConfig
from pipeline.errors import ManifestError
from pipeline.manifest import DatasetRecord
from pipeline.raw.splits import GroupFacts, assign_folds, assign_splits, fixed_splits, validating_groups
from pipeline.raw.table import images_table

CODES = ("A", "B", "C")
GROUPS = st.dictionaries(
    st.text("abcdefghij", min_size=1, max_size=3), st.sets(st.sampled_from(CODES)), min_size=2, max_size=25
).map(lambda each: [GroupFacts(name, frozenset(classes)) for name, classes in each.items()])
SHARES = st.sampled_from([0.1, 0.2, 0.34, 0.5])


@given(GROUPS, SHARES, st.integers(0, 3))
def test_some_group_validates_and_some_group_trains(groups, share, seed):
    chosen = validating_groups(groups, share=share, seed=seed)
    assert 0 < len(chosen) < len(groups)
    assert chosen <= {each.group for each in groups}


@given(GROUPS, SHARES)
def test_the_order_of_the_groups_does_not_matter(groups, share):
    assert validating_groups(groups, share=share, seed=0) == validating_groups(groups[::-1], share=share, seed=0)


@given(GROUPS, SHARES, st.integers(0, 3))
def test_the_rarest_class_of_two_groups_is_on_both_sides(groups, share, seed):
    holders = {code: {each.group for each in groups if code in each.classes} for code in CODES}
    shared = {code: found for code, found in holders.items() if len(found) > 1}
    if len(shared) == 1 and len(groups) > 3:
        ((_, found),) = shared.items()
        chosen = validating_groups(groups, share=share, seed=seed)
        assert chosen & found
        assert found - chosen


@given(st.integers(40, 80), st.integers(0, 5))
def test_adding_a_group_moves_no_other_group(count, seed):
    groups = [GroupFacts(f"g{at}", frozenset(CODES)) for at in range(count)]
    before = validating_groups(groups, share=0.3, seed=seed)
    after = validating_groups([*groups, GroupFacts("new", frozenset(CODES))], share=0.3, seed=seed)
    assert after - {"new"} == before


def test_the_share_is_kept_between_half_and_one_and_a_half_times():
    for seed in range(40):
        groups = [GroupFacts(f"g{at}", frozenset()) for at in range(10)]
        assert 1 <= len(validating_groups(groups, share=0.2, seed=seed)) <= 3


@given(GROUPS, st.integers(2, 5))
def test_folds_are_even_and_part_the_groups(groups, folds):
    found = assign_folds(groups, folds=folds, seed=0)
    sizes = [list(found.values()).count(fold) for fold in range(folds)]
    assert set(found) == {each.group for each in groups}
    assert max(sizes) - min(sizes) <= 1


def test_without_folds_every_group_has_none():
    assert set(assign_folds([GroupFacts("a", frozenset())], folds=0, seed=0).values()) == {-1}


def sheet(name, *, group=None, test=False, annotated=True, rejected="", pixels=(5, 5, 0)):
    return {
        "image_id": name, "file": f"{name}.png", "group_id": group or name, "centre": "", "height": 8, "width": 9,
        "sha256": "0", "stored": "RGB 8 bit", "rejected": rejected, "official_test": test, "annotated": annotated,
        "pixel_size_um": None, "pixels": dict(zip(CODES, pixels, strict=True)),
    }  # fmt: skip


RECORD = DatasetRecord.model_validate(
    {
        "title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel",
        "classes": [{"code": code, "name": code} for code in CODES], "folder": {"images": "{image}.png"},
    }
)  # fmt: skip


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


@pytest.mark.parametrize(
    ("given_splits", "word"),
    [({"i9": "train"}, "i9"), ({"i0": "trian"}, "trian"), ({"i0": "test", "i1": "train"}, "p")],
)
def test_a_table_of_splits_that_does_not_fit_is_refused(given_splits, word):
    with pytest.raises(ManifestError, match=word):
        table([sheet("i0", group="p"), sheet("i1", group="p"), sheet("i2")], given=given_splits)


def test_column_types_are_those_that_are_promised():
    frame = table([sheet("a"), sheet("b")]).reset_index()
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds["fold"] == "int8"
    assert kinds["height"] == kinds["width"] == "int32"
    assert kinds["pixels_A"] == "int64"
    assert kinds["pixel_size_um"] == "float64"


def test_an_empty_split_column_never_appears():
    frame = assign_splits(
        pd.DataFrame([{"group_id": "a", "official_test": False, "annotated": True, "rejected": "", "pixels_A": 1}]),
        codes=("A",), share=0.2, folds=0, seed=0,
    )  # fmt: skip
    assert frame["split"].tolist() == ["train"]


def test_fixed_splits_do_not_bring_rejected_images_back():
    frame = pd.DataFrame({"image_id": ["a"], "group_id": ["a"], "annotated": [True], "split": ["rejected"]})
    assert fixed_splits(frame, given={"a": "train"}, where="x")["split"].tolist() == ["rejected"]
