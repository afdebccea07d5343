"""What is exported is what the index names, pixel for pixel, in a folder that is there whole or not at all."""

import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.config import GridSampling, GuidedSampling
from pipeline.errors import ConfigurationError, SamplingError, StoreError
from pipeline.index.export import export_patches, patch_names
from pipeline.seeds import stream
from pipeline.stores import open_array

GUIDED = GuidedSampling(strategy="guided", patch=32, total=30, jitter=6, background_share=0.2)
SPLITS = {"a": "train", "b": "train", "v": "validation", "t": "test"}


@pytest.fixture(scope="module")
def data(make, picture, scatter):
    random, pictures = stream(0, "test", "export"), {}
    for at, (name, split) in enumerate(SPLITS.items(), 3):
        colour = random.integers(0, 256, (3, 70, 90), dtype=np.uint8)
        pictures[name] = picture(scatter(at, height=70, width=90, count=9), split=split, colour=colour)
    return make(pictures)


@pytest.fixture(scope="module")
def frame(data):
    return data.index(GUIDED)


def export(frame, data, folder, layout="files", **changed):
    record = data.record.model_copy(update=changed)
    return list(
        export_patches(
            frame,
            normalized=data.normalized,
            record=record,
            folder=folder,
            layout=layout,
            origin={"index": "s.parquet"},
        )
    )


def boxes(frame, data, name):
    """Each patch: file name, split, and the box of an array of its store, read on its own."""
    for row, file in zip(frame.to_dict("records"), patch_names(frame), strict=True):
        array = open_array(data.normalized[row["image_id"]], name)
        yield file, row["split"], array[:, row["y"] : row["y"] + row["height"], row["x"] : row["x"] + row["width"]]


def grey(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_images_and_masks_are_those_of_the_stores_pixel_for_pixel(frame, data, tmp_path):
    folder = tmp_path / "out"
    assert export(frame, data, folder) == patch_names(frame)
    for file, split, pixels in boxes(frame, data, "0"):
        assert np.array_equal(grey(folder / split / "images" / f"{file}.png")[..., ::-1], np.moveaxis(pixels, 0, 2))
    for file, split, truth in boxes(frame, data, "truth"):
        for code, plane in zip(data.codes, truth, strict=True):
            assert np.array_equal(grey(folder / split / "masks" / code / f"{file}.png"), plane * 255)
    table = pd.read_csv(folder / "patches.csv")
    assert table["file"].tolist() == patch_names(frame)
    assert table["pixels_MA"].tolist() == frame["pixels_MA"].tolist()
    assert len([*folder.rglob("*.png")]) == len(frame) * (1 + len(data.codes))
    facts = json.loads((folder / "dataset.json").read_text())
    assert [each["code"] for each in facts["classes"]] == list(data.codes)
    assert facts["lesionmap"] == {"index": "s.parquet"}


@pytest.mark.parametrize("layout", ["files", "nnunet"])
def test_overlapping_classes_follow_the_priority_in_a_label_image(frame, data, tmp_path, layout):
    folder, order = tmp_path / "Dataset501_x", ("SE", "MA", "HE")
    export(frame, data, folder, layout, task="multiclass", priority=order)
    overlaps = 0
    for file, split, truth in boxes(frame, data, "truth"):
        overlaps += int((truth.sum(axis=0) > 1).sum())
        expected = np.zeros(truth.shape[1:], int)
        for code in order[::-1]:
            at = data.codes.index(code)
            expected[truth[at] > 0] = at + 1
        place = f"{split}/labels" if layout == "files" else f"labels{'Ts' if split == 'test' else 'Tr'}"
        assert np.array_equal(grey(folder / place / f"{file}.png"), expected)
    assert overlaps


def test_a_folder_of_nnunet_has_its_layout(frame, data, tmp_path):
    folder = tmp_path / "Dataset501_eyes"
    export(frame, data, folder, "nnunet")
    learned, tested = frame[frame["split"] != "test"], frame[frame["split"] == "test"]
    for rows, end in ((learned, "Tr"), (tested, "Ts")):
        names = set(patch_names(rows))
        assert {path.stem for path in (folder / f"labels{end}").iterdir()} == names
        channels = {f"{name}_{channel:04}" for name in names for channel in range(3)}
        assert {path.stem for path in (folder / f"images{end}").iterdir()} == channels
    for file, split, pixels in boxes(learned, data, "0"):
        for channel in range(3):
            found = grey(folder / "imagesTr" / f"{file}_{channel:04}.png")
            assert found.ndim == 2
            assert np.array_equal(found, pixels[channel]), split
    facts = json.loads((folder / "dataset.json").read_text())
    assert facts["channel_names"] == {"0": "R", "1": "G", "2": "B"}
    assert facts["labels"] == {"background": 0, "MA": 1, "HE": 2, "SE": 3}
    assert facts["numTraining"] == len(learned)
    assert facts["file_ending"] == ".png"


def test_our_splits_are_kept_for_nnunet(frame, data, tmp_path):
    export(frame, data, tmp_path / "Dataset501_eyes", "nnunet")
    (only,) = json.loads((tmp_path / "Dataset501_eyes" / "splits_final.json").read_text())
    names = dict(zip(patch_names(frame), frame["split"], strict=True))
    assert {key: sorted(only[key]) for key in ("train", "val")} == {
        key: sorted(name for name, found in names.items() if found == split)
        for key, split in (("train", "train"), ("val", "validation"))
    }


def test_folds_of_a_grid_become_the_folds_of_nnunet(data, tmp_path):
    frame = data.index(GridSampling(strategy="grid", patch=32))
    fold = frame["image_id"].map({"a": 0, "b": 1, "v": 2, "t": -1}).astype("int8")
    frame = frame.assign(fold=fold)
    export(frame, data, tmp_path / "Dataset502_eyes", "nnunet")
    found = json.loads((tmp_path / "Dataset502_eyes" / "splits_final.json").read_text())
    assert [{name.split("__")[0] for name in each["val"]} for each in found] == [{"a"}, {"b"}, {"v"}]
    assert all(len(each["train"]) + len(each["val"]) == (frame["split"] != "test").sum() for each in found)


def test_without_validation_there_are_no_splits_to_keep(frame, data, tmp_path):
    train = frame[frame["split"] == "train"].reset_index(drop=True)
    export(train, data, tmp_path / "Dataset503_eyes", "nnunet")
    assert not (tmp_path / "Dataset503_eyes" / "splits_final.json").exists()
    assert not (tmp_path / "Dataset503_eyes" / "imagesTs").exists()


@pytest.mark.parametrize("name", ["eyes", "Dataset1_eyes", "Dataset0001_eyes", "Dataset501"])
def test_a_name_that_nnunet_would_not_find_is_refused(frame, data, tmp_path, name):
    with pytest.raises(ConfigurationError, match="Dataset501"):
        export(frame, data, tmp_path / name, "nnunet")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("layout", ["files", "nnunet"])
def test_any_number_of_workers_writes_the_same_bytes(frame, data, tmp_path, layout, monkeypatch):
    monkeypatch.setattr("pipeline.index.export.BATCH", 7)
    found = []
    for workers in (1, 3):
        folder = tmp_path / str(workers) / "Dataset001_eyes"
        names = list(
            export_patches(
                frame,
                normalized=data.normalized,
                record=data.record,
                folder=folder,
                layout=layout,
                origin={},
                workers=workers,
            )
        )
        files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        found.append((names, files))
    assert found[0] == found[1]
    assert found[0][0] == patch_names(frame)


def test_a_folder_that_is_there_is_never_overwritten(frame, data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").touch()
    with pytest.raises(ConfigurationError, match="there already"):
        export(frame, data, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["precious"]


@pytest.mark.parametrize("end", ["stopped", "broken"])
def test_what_does_not_come_to_its_end_leaves_no_folder(frame, data, tmp_path, end, monkeypatch):
    folder = tmp_path / "out"
    written = export_patches(
        frame, normalized=data.normalized, record=data.record, folder=folder, layout="files", origin={}
    )
    next(written)
    assert not folder.exists()
    if end == "stopped":
        written.close()
    else:
        monkeypatch.setattr("pipeline.index.export_layouts._write_png", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            list(written)
    assert not [*tmp_path.iterdir()]


def test_what_a_killed_export_left_is_no_obstacle(frame, data, tmp_path):
    (tmp_path / ".out.partial" / "train").mkdir(parents=True)
    export(frame, data, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_nothing_to_export_is_refused(frame, data, tmp_path):
    with pytest.raises(SamplingError, match="no patch"):
        export(frame.iloc[:0], data, tmp_path / "out")
    with pytest.raises(SamplingError, match="train on"):
        export(frame[frame["split"] == "test"], data, tmp_path / "Dataset501_x", "nnunet")


def test_names_of_files_are_safe_and_unique(frame):
    names = patch_names(frame)
    assert len(set(names)) == len(frame)
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    clash = pd.DataFrame({"patch_id": ["a/b/c", "A__b/c"]})
    with pytest.raises(StoreError, match="one file name"):
        patch_names(clash)


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
@pytest.mark.parametrize("layout", ["files", "nnunet"])
def test_where_nobody_looked_for_a_class_no_background_is_exported(make, picture, scatter, tmp_path, layout, task):
    truths = {name: scatter(at, height=40, width=64, count=9) for at, name in enumerate(("i", "j"), 3)}
    data = make(i=picture(truths["i"]), j=picture(truths["j"], unknown=("HE",)))
    frame, folder = data.index(GUIDED), tmp_path / "Dataset501_x"
    export(frame, data, folder, layout, task=task)
    facts = json.loads((folder / "dataset.json").read_text())
    planes = layout == "files" and task == "multilabel"
    for (file, split, truth), image in zip(boxes(frame, data, "truth"), frame["image_id"], strict=True):
        if planes:
            assert [(folder / split / "masks" / code / f"{file}.png").exists() for code in data.codes] == [
                image == "i" or code != "HE" for code in data.codes
            ]
            continue
        labels = grey(folder / ("labelsTr" if layout == "nnunet" else f"{split}/labels") / f"{file}.png")
        ignore = facts["labels"]["ignore"] if layout == "nnunet" else facts["ignored"]["label"]
        assert np.array_equal(labels == 0, ~truth.any(axis=0) & (image == "i"))
        assert np.array_equal(labels == ignore, ~truth.any(axis=0) & (image == "j"))
    assert ("ignored" in facts) == (layout == "files" and task == "multiclass")
