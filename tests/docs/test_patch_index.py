"""The tutorial runs as it stands, and its answers are those of a plain count."""

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import GuidedSampling, RawConfig
from pipeline.raw.table import images_table
from pipeline.stores import open_array, write_table
from tests.scenes.dataset import Dataset, Picture, blobs

PAGE = Path(__file__).parents[2] / "docs" / "patch_index.md"
SPLITS = {"a": "train", "b": "train", "c": "train", "v": "validation", "t": "test"}


def sheet(name, data):
    """The fact sheet of an image; the pictures of c and t are the same."""
    height, width = data.pictures[name].shape
    pixels = dict(zip(data.codes, data.pictures[name].truth.sum(axis=(1, 2)).tolist(), strict=True))
    return {
        "image_id": name,
        "file": f"{name}.png",
        "group_id": f"g{name}",
        "centre": "",
        "height": height,
        "width": width,
        "sha256": name,
        "perceptual_hash": "0f" * 32 if name in "ct" else "",
        "stored": "",
        "rejected": "",
        "official_test": False,
        "annotated": True,
        "pixel_size_um": None,
        "pixels": pixels,
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Results that lie where those of a run lie: three training images, with lesions that few patches cannot all see."""
    pictures = {
        name: Picture(blobs(at + 30, height=120, width=140, count=40), split=split)
        for at, (name, split) in enumerate(SPLITS.items())
    }
    data = Dataset(tmp_path_factory.mktemp("run") / "results" / "idrid", pictures)
    data.write(GuidedSampling(strategy="guided", patch=24, total=9, jitter=2)).rename(
        data.root / "index" / "guided.parquet"
    )
    frame = images_table(
        [sheet(name, data) for name in SPLITS],
        dataset="idrid",
        record=data.record,
        config=RawConfig(),
        seed=0,
        given=SPLITS,
    )
    write_table(frame, data.root / "raw" / "images.parquet", provenance={})
    return data


@pytest.fixture(scope="module")
def answers(data):
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(data.root.parents[1])
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL), start=1):
            exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
    return names


@pytest.fixture(scope="module")
def rows(data):
    return pd.read_parquet(data.root / "index" / "guided.parquet")


def test_patches_that_hold_microaneurysms_are_counted(answers, rows, data):
    counted = 0
    for row in rows[rows["split"] == "train"].itertuples():
        mask = open_array(data.normalized[row.image_id], "truth")[
            0, row.y : row.y + row.height, row.x : row.x + row.width
        ]
        counted += bool(mask.any())
    assert answers["hold_ma"] == counted > 0
    assert answers["drawn_for_ma"] == 3
    assert answers["share_of_each"].loc["train", "pixels_MA"] == counted / 9


def test_the_patches_of_every_patient_are_counted(answers, rows):
    train = rows[rows["split"] == "train"]
    found = answers["per_patient"]
    assert found.to_numpy().sum() == len(train) == 9
    for patient in found.index:
        assert found.loc[patient].sum() == (train["group_id"] == patient).sum()
    assert (answers["largest_share"] <= 1).all()


def test_lesions_that_are_never_seen_are_found_and_each_one_is_untouched(answers, rows, data):
    train = rows[rows["split"] == "train"]
    assert len(answers["never_seen"]) > 0
    for lesion in answers["never_seen"].itertuples():
        truth = open_array(data.normalized[lesion.image_id], "truth")[data.codes.index(lesion.class_code)]
        seen = np.zeros(truth.shape, dtype=bool)
        for row in train[train["image_id"] == lesion.image_id].itertuples():
            seen[row.y : row.y + row.height, row.x : row.x + row.width] = True
        assert truth[lesion.first_y, lesion.first_x]
        assert not seen[lesion.y0 : lesion.y1, lesion.x0 : lesion.x1].any()
    per_class = answers["never_seen"]["class_code"].value_counts()
    for code, (untouched, components) in answers["never_touched"].items():
        # A bounding box may meet a patch that the lesion itself does not touch.
        assert per_class.get(code, 0) <= untouched <= components


def test_no_patient_straddles_and_a_picture_that_occurs_twice_is_found(answers):
    assert answers["straddling"] == []
    assert sorted(answers["leaks"]["image_id"]) == ["c", "t"]


def test_a_filter_reads_the_rows_of_one_image_only(answers, rows):
    one = answers["one_image"]
    assert set(one["image_id"]) == {answers["first"]}
    assert len(one) == (rows["image_id"] == answers["first"]).sum()


def test_the_block_of_the_readme_runs_on_the_same_index(data, rows, monkeypatch):
    monkeypatch.chdir(data.root.parents[1])
    (data.root.parent / "fundus_sample").symlink_to(data.root)
    (block,) = re.findall(r"```python\n(.*?)```", (PAGE.parents[1] / "README.md").read_text(), re.DOTALL)
    drawn, shares, sides = (ast.unparse(node.value) for node in ast.parse(block).body if isinstance(node, ast.Expr))
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    assert eval(drawn, names).sum() == rows["target_class"].notna().sum() > 0
    train = rows[rows["split"] == "train"]
    assert eval(shares, names)["pixels_MA"] == (train["pixels_MA"] > 0).mean()
    assert eval(sides, names) == 1


def test_every_output_has_a_block_and_the_readme_leads_here():
    text = PAGE.read_text()
    assert text.count("```") % 2 == 0
    assert "OUTPUT" not in text
    assert "docs/patch_index.md" in (PAGE.parents[1] / "README.md").read_text()
