"""The list of hard negatives names exactly the regions that a model invents in training images, and in no others."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.config import SegmentationConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.index.sampling.hard_negatives import read_hard_negatives
from pipeline.segmentation.false_positives import COLUMNS, write_hard_negatives
from pipeline.stores import create_plane, create_pyramid, write_box, write_table
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

STORAGE = Storage(chunk=16, shard=16)
ORIGIN = Provenance("segmentation", {}, "code")
EIGHT = np.ones((3, 3))
CUTS = {"EX": 0.5, "OD": 0.5, "MA": 0.75}
RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "idrid",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [
            {"code": "EX", "name": "EX"},
            {"code": "OD", "name": "OD", "kind": "anatomy"},
            {"code": "MA", "name": "MA"},
        ],
    }
)


def settings(**changes):
    return SegmentationConfig(storage=STORAGE, **({"hard_negative_margin": 2} | changes))


def maps(seed, height=50, width=70):
    random = np.random.Generator(np.random.PCG64(seed))
    smooth = ndimage.gaussian_filter(random.random((3, height, width)), (0, 2, 2))
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min())).astype(np.float16)


def truth_of(seed, height=50, width=70):
    random = np.random.Generator(np.random.PCG64(seed + 1000))
    return (ndimage.gaussian_filter(random.random((3, height, width)), (0, 3, 3)) > 0.57).astype(np.uint8)


def stores(folder, name, probability, truth, ignore=None):
    notes = {"image_id": name, "mapping": {"factor_y": 1.0, "factor_x": 1.0}}
    paths = folder / "probability" / f"{name}.zarr", folder / "normalized" / f"{name}.zarr"
    for path, array in zip(paths, (probability, np.zeros(probability.shape, np.uint8)), strict=True):
        group = create_pyramid(
            path,
            channels=["0", "1", "2"],
            shapes=(array.shape[1:],),
            dtype=array.dtype,
            storage=STORAGE,
            provenance={"stage": "x"},
            extra={"lesionmap": notes},
        )
        write_box(group["0"], array, y0=0, x0=0)
    for plane, values in (("truth", truth), ("ignore", ignore)):
        if values is not None:
            made = create_plane(group, plane, shape=values.shape, dtype="uint8", storage=STORAGE)
            write_box(made, values, y0=0, x0=0)
    for path in paths:
        seal(path)
    return paths


def written(folder, images, config):
    """``images``: name → split, probability, truth, classes that nobody looked for, and pixels to ignore."""
    probability, normalized, rows = {}, {}, []
    for name, (split, values, truth, unknown, *ignore) in images.items():
        if values is not None:
            probability[name], normalized[name] = stores(folder, name, values, truth, *ignore)
        counts = {
            f"pixels_{code}": -1 if code in unknown else int(n)
            for code, n in zip(RECORD.codes, truth.sum((1, 2)), strict=True)
        }
        rows.append({"image_id": name, "split": split, "rejected": "", **counts})
    write_table(pd.DataFrame(rows), folder / "images.parquet", provenance={})
    (folder / "thresholds.json").write_text(
        json_text({"classes": {code: {"threshold": cut} for code, cut in CUTS.items()}})
    )
    write_hard_negatives(
        folder / "images.parquet",
        probability=list(probability.items()),
        normalized=normalized,
        thresholds=folder / "thresholds.json",
        config=config,
        job=Job(RECORD, ORIGIN),
        output=folder / "hard_negatives.parquet",
    )
    return pd.read_parquet(folder / "hard_negatives.parquet")


def expected(values, truth, *, margin, least, ignore=None):
    """The same by SciPy on whole arrays."""
    sure = np.ones(truth.shape[1:], bool) if ignore is None else ignore == 0
    near = ndimage.binary_dilation(truth.any(axis=0), np.ones((2 * margin + 1,) * 2)) if margin else truth.any(axis=0)
    found = set()
    for code in ("EX", "MA"):
        plane = values[RECORD.codes.index(code)]
        labels, count = ndimage.label(plane >= CUTS[code], EIGHT)
        for number, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
            member = labels == number
            if not (member & near).any() and member.sum() >= least and (member & sure).any():
                box = (rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start)
                found.add((code, *box, int(member.sum()), float(plane[member].max())))
        assert count == len(np.unique(labels)) - 1
    return found


@hypothesis.settings(max_examples=12)  # each of them stores and reads a data set
@given(seed=st.integers(0, 999), margin=st.integers(0, 4), least=st.integers(0, 6))
def test_the_list_holds_the_regions_without_truth_near_as_scipy_finds_them(tmp_path_factory, seed, margin, least):
    values, truth = maps(seed), truth_of(seed)
    config = settings(hard_negative_margin=margin, minimum_area=least)
    frame = written(tmp_path_factory.mktemp("f"), {"a": ("train", values, truth, ())}, config)
    found = {(r.class_code, r.y, r.x, r.height, r.width, r.area, float(r.score)) for r in frame.itertuples()}
    assert found == expected(values, truth, margin=margin, least=max(least, 1))
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        name: kind for name, (kind, _) in COLUMNS.items()
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_a_region_that_lies_wholly_where_nobody_is_sure_is_no_false_positive(tmp_path, seed):
    values, truth = maps(seed), truth_of(seed)
    ignore = np.zeros(truth.shape[1:], np.uint8)
    ignore[:, 20:] = 1
    frame = written(tmp_path, {"a": ("train", values, truth, (), ignore)}, settings(hard_negative_margin=0))
    found = {(r.class_code, r.y, r.x, r.height, r.width, r.area, float(r.score)) for r in frame.itertuples()}
    every = expected(values, truth, margin=0, least=1)
    assert found == expected(values, truth, margin=0, least=1, ignore=ignore)
    assert 0 < len(found) < len(every)


def test_only_training_images_with_every_class_annotated_are_looked_at(tmp_path):
    values, truth = maps(3), np.zeros((3, 50, 70), np.uint8)
    images = {"a": ("train", values, truth, ()), "u": ("train", values, truth, ("EX",))}
    images |= {split: (split, values, truth, ()) for split in ("validation", "test", "predict")}
    assert set(written(tmp_path, images, settings())["image_id"]) == {"a"}


def test_the_maps_of_other_splits_are_not_even_needed(tmp_path):
    values, truth = maps(3), np.zeros((3, 50, 70), np.uint8)
    images = {"a": ("train", values, truth, ()), "t": ("test", None, truth, ())}
    assert len(written(tmp_path, images, settings())) > 0
    with pytest.raises(StoreError, match=r"training image has no map(.|\n)*where: *b"):
        written(tmp_path / "x", images | {"b": ("train", None, truth, ())}, settings())


def test_with_folds_each_image_has_the_maps_that_are_given_and_images_of_no_fold_have_none(tmp_path):
    """Images of split validation train other folds, so theirs are listed; a test image is not, whatever map it has."""
    truth, rows, given, normalized = np.zeros((3, 50, 70), np.uint8), [], [], {}
    seen, unseen = maps(3), maps(4)
    for name, split, fold in (("a", "train", 0), ("b", "validation", 1), ("c", "train", 2), ("t", "test", -1)):
        for member, values in (("own", seen), ("other", unseen)):
            path, normalized[name] = stores(tmp_path / name / member, name, values, truth)
            given += [(name, path)] if member == "other" else []
        counts = dict.fromkeys((f"pixels_{code}" for code in RECORD.codes), 0)
        rows.append({"image_id": name, "split": split, "fold": fold, "rejected": "", **counts})
    write_table(pd.DataFrame(rows), tmp_path / "images.parquet", provenance={})
    cuts = {"classes": {code: {"threshold": cut} for code, cut in CUTS.items()}}
    (tmp_path / "thresholds.json").write_text(json_text(cuts))
    write_hard_negatives(
        tmp_path / "images.parquet",
        probability=given,
        normalized=normalized,
        thresholds=tmp_path / "thresholds.json",
        folds=(0, 1),
        config=settings(),
        job=Job(RECORD, ORIGIN),
        output=tmp_path / "hard_negatives.parquet",
    )
    frame = pd.read_parquet(tmp_path / "hard_negatives.parquet")
    assert set(frame["image_id"]) == {"a", "b"}
    for _, part in frame.groupby("image_id"):
        found = {(r.class_code, r.y, r.x, r.height, r.width, r.area, float(r.score)) for r in part.itertuples()}
        assert found == expected(unseen, truth, margin=2, least=1) != expected(seen, truth, margin=2, least=1)


def test_a_sampling_reads_what_was_written_even_when_nothing_was_found(tmp_path):
    truth = np.zeros((3, 50, 70), np.uint8)
    written(tmp_path, {"a": ("train", maps(3), truth, ())}, settings())
    assert set(read_hard_negatives(tmp_path / "hard_negatives.parquet")) == {"a"}
    empty = tmp_path / "e"
    empty.mkdir()
    written(empty, {"a": ("train", np.zeros((3, 50, 70), np.float16), truth, ())}, settings())
    assert read_hard_negatives(empty / "hard_negatives.parquet") == {}
