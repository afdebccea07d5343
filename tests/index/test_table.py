"""The patch index has the columns, counts, order and notes that it declares, and says what is wrong."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.config import BalancedSampling, GridSampling, GuidedSampling
from pipeline.errors import SamplingError, StoreError
from pipeline.index import table
from pipeline.index.sampling.quota import apportion
from pipeline.index.schema import columns, problems, row_groups
from pipeline.model.rows import choose_rows
from pipeline.stores import read_rows, table_metadata, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

CODES = ("MA", "HE", "SE")
GRID = GridSampling(strategy="grid", patch=32)


def guided(**settings):
    return GuidedSampling(**({"strategy": "guided", "patch": 32, "jitter": 8, "total": 40} | settings))


def components(plane):
    return ndimage.label(plane, np.ones((3, 3)))[1]


def sizes(data):
    return {key: picture.shape for key, picture in data.pictures.items()}


def test_columns_types_and_order_are_those_of_the_declared_schema(several):
    path = several.write(guided(background_share=0.1))
    frame = pd.read_parquet(path)
    assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == [
        (column.name, column.dtype) for column in columns(CODES)
    ]
    assert list(frame) == [
        "patch_id",
        "dataset",
        "image_id",
        "group_id",
        "split",
        "fold",
        "strategy",
        "y",
        "x",
        "height",
        "width",
        "anchor_y",
        "anchor_x",
        "jitter_y",
        "jitter_x",
        "target_class",
        "is_positive",
        "truth_fraction",
        "roi_fraction",
        "pixels_MA",
        "pixels_HE",
        "pixels_SE",
        "structure",
        "draw_weight",
        "coverage",
    ]
    assert list(frame["target_class"].cat.categories) == [*CODES, "background"]
    assert frame["patch_id"].is_unique
    assert all(column.meaning.endswith(".") for column in columns(CODES))
    compression = pq.ParquetFile(path).metadata.row_group(0).column(0).compression
    assert compression == "ZSTD"


def test_rows_are_sorted_by_text_then_place(several):
    frame = several.index(guided())
    keys = list(
        zip(
            frame["split"].astype(str),
            frame["image_id"].astype(str),
            frame["y"],
            frame["x"],
            frame["patch_id"],
            strict=True,
        )
    )
    assert keys == sorted(keys)
    assert frame["split"].astype(str).unique().tolist() == ["test", "train", "validation"]


def test_the_counts_in_pandas_are_the_ones_configured(several):
    frame = pd.read_parquet(several.write(guided(total=41, background_share=0.25, cover="all")))
    drawn = frame[~frame["coverage"]]
    present = drawn.groupby(["split", "target_class"], observed=True).size()
    assert present.to_dict() == {
        ("train", "MA"): 11,
        ("train", "HE"): 10,
        ("train", "SE"): 10,
        ("train", "background"): 10,
    }
    every = drawn.groupby(["split", "target_class"], observed=False).size()
    assert len(every) == 3 * 4
    assert every.sum() == 41
    assert (frame["target_class"].isna() == (frame["strategy"] == "grid")).all()


def test_quotas_of_images_are_the_largest_remainders_of_their_components(several):
    frame = several.index(guided(total=100))
    for at, code in enumerate(CODES):
        counts = [components(several.pictures[key].truth[at]) for key in "abc"]
        rows = frame[frame["target_class"] == code]
        quota = apportion(len(rows), counts)
        assert [int((rows["image_id"] == key).sum()) for key in "abc"] == list(quota)


def test_the_summary_tells_what_was_asked_for_and_what_came(several):
    frame = several.index(guided(total=50, background_share=0.2, cover="all"))
    summary = several.summary()
    notes = table_metadata(several.root / "index" / "s.parquet")
    assert summary["requested"] == {"MA": 14, "HE": 13, "SE": 13, "background": 10}
    assert summary["counts"]["train"]["guided"] == summary["requested"]
    assert summary["counts"]["test"] == {"grid": {"none": int((frame["split"] == "test").sum())}}
    assert sum(summary["coverage"].values()) == int(frame["coverage"].sum())
    assert summary["frequencies"] == {
        code: sum(components(several.pictures[key].truth[at]) for key in "abc") for at, code in enumerate(CODES)
    }
    assert summary["notes"] == []
    assert {code: each["untouched"] for code, each in summary["lesions"].items()} == dict.fromkeys(CODES, 0)
    assert summary["short"] == []
    assert notes["schema_version"] == 1
    assert notes["config"]["total"] == 50
    assert notes["provenance"]["stage"] == "index"


def test_lesions_that_no_patch_touches_are_counted(make, picture):
    truth = np.zeros((3, 200, 200), np.uint8)
    truth[0, 10, 10] = truth[0, 100, 100] = truth[0, 190, 190] = 1
    data = make(i=picture(truth))
    data.index(guided(total=1))
    missed = {"components": 3, "untouched": 2, "untouched_share": 2 / 3}
    assert data.summary()["lesions"]["MA"] == missed | {"by_area": [{"least_area": 1, "most_area": 9} | missed]}


def test_background_is_short_where_truth_leaves_no_room_and_the_summary_says_so(make, picture):
    truth = np.zeros((3, 60, 60), np.uint8)
    truth[0, ::9, ::9] = 1
    data = make(i=picture(truth))
    frame = data.index(guided(total=20, background_share=0.5))
    assert Counter(frame["target_class"]) == {"MA": 10}
    reasons = {each["class"]: (each["requested"], each["drawn"]) for each in data.summary()["short"]}
    assert reasons == {"HE": (0, 0), "SE": (0, 0), "background": (10, 0)}
    said = " ".join(data.summary()["notes"])
    assert "HE: no component" in said
    assert "Background: 0 of 10 patches" in said


def test_what_one_image_lacks_in_background_another_gives(make, picture):
    truth = np.zeros((3, 60, 60), np.uint8)
    truth[0, ::9, ::9] = 1
    empty = np.zeros((3, 60, 60), np.uint8)
    frame = make(i=picture(truth), j=picture(empty)).index(guided(total=20, background_share=0.5))
    rows = frame[frame["target_class"] == "background"]
    assert len(rows) == 10
    assert set(rows["image_id"]) == {"j"}
    assert not rows["is_positive"].any()


def test_an_image_where_a_class_was_not_looked_for_gives_no_background(make, picture):
    truth = np.zeros((3, 60, 60), np.uint8)
    lesion = truth.copy()
    lesion[0, 4, 4] = 1
    data = make(i=picture(lesion), j=picture(truth, unknown=("SE",)))
    frame = data.index(guided(total=10, background_share=0.5))
    assert set(frame[frame["target_class"] == "background"]["image_id"]) == {"i"}


def test_a_data_set_without_any_lesion_is_an_error_for_guided_and_a_grid_for_grid(make, picture):
    data = make(
        i=picture(np.zeros((3, 40, 40), np.uint8)), v=picture(np.ones((3, 40, 40), np.uint8), split="validation")
    )
    with pytest.raises(SamplingError, match=r"no lesion to draw(.|\n)*Use strategy grid"):
        data.index(guided())
    assert set(data.index(GRID)["strategy"]) == {"grid"}
    only_background = data.index(guided(background_share=1.0, total=5))
    assert (only_background["target_class"] == "background").sum() == 5


def test_a_grid_that_no_memory_holds_is_refused_before_it_is_made(several, monkeypatch):
    sampling = GridSampling(strategy="grid", patch=16, overlap=0.5)
    count = len(several.index(sampling))
    monkeypatch.setattr("pipeline.index.table.MOST_ROWS", count // 2)
    with pytest.raises(SamplingError, match=r"every 8 pixels(.|\n)*larger patch or less overlap"):
        several.index(sampling)


def test_a_class_whose_share_is_no_whole_patch_is_named(several):
    frame = several.index(GuidedSampling(strategy="guided", patch=16, total=1))
    assert (frame["split"] == "train").sum() == 1
    assert sum("less than one patch" in note for note in several.summary()["notes"]) == len(several.codes) - 1


def test_a_class_that_reaches_its_largest_share_is_named(several):
    frame = several.index(guided(total=60, most_share={"SE": 0.05}))
    assert Counter(frame.loc[frame["split"] == "train", "target_class"]) == {"MA": 29, "HE": 28, "SE": 3}
    assert [note for note in several.summary()["notes"] if note.startswith("SE: 3 instead of 20")]
    several.index(guided(total=60, most_share=dict.fromkeys(CODES, 0.25)))
    said = " ".join(several.summary()["notes"])
    assert "15 patches fewer than asked for" in said


def test_rejected_and_predicted_images_give_no_rows(make, picture):
    truth = np.zeros((3, 40, 40), np.uint8)
    truth[:, 5, 5] = 1
    data = make(i=picture(truth), r=picture(truth, rejected="truncated"), p=picture(truth, split="predict"))
    assert set(data.index(guided())["image_id"]) == {"i"}
    with pytest.raises(SamplingError, match="no image to cut patches from"):
        data.index(guided(), ids=("r", "p"))


@pytest.mark.parametrize("strategy", ["guided", "balanced"])
@pytest.mark.parametrize("fold", [0, 1, 2])
def test_the_index_of_a_fold_draws_from_all_others_and_not_from_it(make, picture, scatter, strategy, fold):
    splits = ("train", "validation", "train", "train", "validation", "train", "test")
    pictures = {
        f"i{at}": picture(
            scatter(at, height=60, width=70, count=9), split=split, fold=-1 if split == "test" else at % 3
        )
        for at, split in enumerate(splits)
    }
    chosen = (
        GuidedSampling(patch=16, total=90, jitter=4, fold=fold)
        if strategy == "guided"
        else BalancedSampling(patch=16, total=40, negatives="anywhere", least_roi=0.0, fold=fold)
    )
    found = make(pictures).index(chosen)
    inside = {name for name, each in pictures.items() if each.fold == fold}
    others = {name for name, each in pictures.items() if each.fold not in (fold, -1)}
    by_split = {split: set(rows["image_id"].astype(str)) for split, rows in found.groupby("split", observed=True)}
    assert by_split == {"train": others, "validation": inside, "test": {"i6"}}
    assert set(found.loc[found["split"] == "train", "strategy"]) == {strategy}
    assert set(found.loc[found["split"] != "train", "strategy"]) == {"grid"}
    rows = choose_rows(found, fold=fold)
    assert not set(rows.training["group_id"]) & set(rows.validation["group_id"])


def test_a_missing_input_is_named(several):
    with pytest.raises(StoreError, match=r"candidates(.|\n)*none for b"):
        table.write_index(
            table.Inputs(several.images(("a", "b")), {"a": several.candidates["a"]}, several.normalized),
            dataset="d",
            sampling=GRID,
            job=Job(several.record, Provenance("index", {}, "0")),
            output=several.root / "index" / "x.parquet",
        )


def test_of_many_missing_inputs_the_first_are_named_and_the_rest_counted(several, monkeypatch):
    monkeypatch.setattr("pipeline.index.table.NAMED", 1)
    with pytest.raises(StoreError, match="none for a and 1 more"):
        table.write_index(
            table.Inputs(several.images(("a", "b")), {}, several.normalized),
            dataset="d",
            sampling=GRID,
            job=Job(several.record, Provenance("index", {}, "0")),
            output=several.root / "index" / "x.parquet",
        )


def test_read_refuses_a_file_that_breaks_a_rule_and_names_it(several, tmp_path):
    path = several.write(guided())
    frame, notes = table.read_index(path), table_metadata(path)
    first = frame.index[frame["anchor_y"] >= 0][0]
    changes = {
        "box outside the image": frame.assign(y=(frame["y"] + 1000).astype("int32")),
        "repeated patch_id": frame.assign(patch_id="x"),
        "rows out of order": frame[::-1].reset_index(drop=True),
        "jitter_x wrong": frame.assign(jitter_x=frame["jitter_x"].where(frame.index != first, 99).astype("int32")),
        "anchor_y outside the box": frame.assign(
            anchor_y=frame["anchor_y"].where(frame.index != first, 0).astype("int32")
        ).assign(y=frame["y"].where(frame.index != first, 5).astype("int32")),
        "is_positive wrong": frame.assign(is_positive=~frame["is_positive"]),
        "columns: y int64": frame.assign(y=frame["y"].astype("int64")),
        "columns: structure missing": frame.drop(columns="structure"),
        "columns: extra unknown": frame.assign(extra=1),
        "drawn outside train": frame.assign(split=pd.Categorical(["test"] * len(frame))),
        "share outside 0 to 1": frame.assign(structure=np.float32(2)),
        "group in two splits": frame.assign(group_id=pd.Categorical(["g"] * len(frame))),
        "null values": frame.assign(truth_fraction=np.float32("nan")),
    }
    for name, broken in changes.items():
        extra = {"schema_version": 1, "summary": notes["summary"]}
        write_table(broken, tmp_path / "broken.parquet", provenance={}, extra=extra)
        with pytest.raises(StoreError, match=name):
            table.read_index(tmp_path / "broken.parquet")
    assert problems(frame, sizes=sizes(several)) == []
    write_table(frame, tmp_path / "old.parquet", provenance={}, extra={"schema_version": 0})
    with pytest.raises(StoreError, match="schema version 0, expected 1"):
        table.read_index(tmp_path / "old.parquet")


def test_structure_and_weights_reach_the_file_from_the_picture(make, picture):
    truth = np.zeros((3, 64, 64), np.uint8)
    truth[0, 5, 5] = 1
    colour = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (3, 64, 64)).astype(np.uint8)
    frame = make(i=picture(truth, colour=colour)).index(GRID)
    assert (frame["structure"] > 0).all()


def rows_of(counts):
    """A frame with as many rows of each (split, image) as asked for, sorted."""
    keys = [key for key, count in counts.items() for _ in range(count)]
    frame = pd.DataFrame(keys, columns=["split", "image_id"]).sort_values(["split", "image_id"], ignore_index=True)
    return frame.astype("category").assign(y=np.arange(len(frame), dtype="int32"))


@given(
    counts=st.dictionaries(
        st.tuples(st.sampled_from(["test", "train", "validation"]), st.sampled_from("abcdef")),
        st.integers(1, 9),
        min_size=1,
    ),
    least=st.integers(1, 20),
)
def test_row_groups_end_between_images_hold_one_split_and_are_large_enough(counts, least):
    frame = rows_of(counts)
    ends = row_groups(frame, least=least)
    assert ends == sorted(set(ends))
    assert ends[-1] == len(frame)
    for start, end in itertools.pairwise([0, *ends]):
        part, after = frame[start:end], frame[end:]
        assert len(set(part["split"])) == 1
        assert not len(after) or tuple(part.iloc[-1][["split", "image_id"]]) != tuple(
            after.iloc[0][["split", "image_id"]]
        )
        last = after.empty or after["split"].iloc[0] != part["split"].iloc[0]
        assert last or len(part) >= least


def test_filters_on_split_and_image_skip_all_other_row_groups_by_their_statistics(several, tmp_path):
    written = several.write(guided())
    assert pq.ParquetFile(written).num_row_groups == 3  # one for each split
    frame = rows_of({(split, f"{split}{at:02d}"): 7 for split in ("test", "train", "validation") for at in range(20)})
    path = tmp_path / "x.parquet"
    write_table(frame, path, provenance={}, ends=row_groups(frame, least=10))
    groups = [pq.ParquetFile(path).metadata.row_group(at) for at in range(pq.ParquetFile(path).num_row_groups)]
    assert len(groups) == 30

    def kept(column, value):
        found = [each.column(["split", "image_id"].index(column)).statistics for each in groups]
        return sum(each.min <= value <= each.max for each in found)

    assert {kept("split", split) for split in ("test", "train", "validation")} == {10}
    assert {kept("image_id", image) for image in frame["image_id"].unique()} == {1}
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame)
    one = pd.read_parquet(path, filters=[("image_id", "==", "train05")])
    pd.testing.assert_frame_equal(read_rows(path, image_id="train05"), one)
    pd.testing.assert_frame_equal(
        read_rows(path, split="train"), frame[frame["split"] == "train"].reset_index(drop=True)
    )
    assert read_rows(path, split="test", image_id="train05").empty
    assert one["y"].tolist() == frame.loc[frame["image_id"] == "train05", "y"].tolist()
