"""What a data set leaves over: every kind is counted and named, and a complete one leaves nothing."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.left_over import left_over
from pipeline.raw.datasets.listing import list_images


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 10), np.uint8)).save(path)


def record(**changes) -> DatasetRecord:
    base = {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "binary",
        "classes": [{"code": "EX", "name": "e"}],
        "folder": {"images": "pics/{image}.jpg", "masks": {"EX": "ex/{image}_EX.png"}},
    }
    return DatasetRecord.model_validate(base | changes)


@pytest.fixture
def root(tmp_path):
    for name in ("007", "008", "009"):
        picture(tmp_path / "pics" / f"{name}.jpg")
        picture(tmp_path / "ex" / f"{name}_EX.png")
    (tmp_path / "notes.txt").touch()
    return tmp_path


def said(root, *, splits=None, **changes):
    made = record(**changes)
    entries = list_images(made, dataset="mine", root=root)
    return left_over(made, entries=entries, root=root, splits=splits)


def test_a_complete_folder_leaves_nothing(root):
    (root / "g.csv").write_text("image_id,group\n007,a\n008,a\n009,b\n")
    assert said(root, group={"csv": "g.csv"}) == []


def test_files_that_fit_no_pattern_are_counted_with_three_names(root):
    for name in ("a.jpeg", "b.PNG", "c.tif", "d.png"):
        picture(root / "pics" / name)
    assert said(root) == ["4 (pics/a.jpeg, pics/b.PNG, pics/c.tif, …) files look like images or masks and are not used"]


def test_masks_without_image_and_images_without_mask_are_counted(root):
    (root / "pics" / "008.jpg").unlink()
    picture(root / "pics" / "010.jpg")
    assert said(root) == [
        "1 (ex/008_EX.png) truth files without image",
        "1 (010) images without truth, where others have it: only predicted",
    ]


def test_a_mask_in_another_folder_is_said_to_be_one_of_an_image_that_counts_as_without_the_class(root):
    (root / "ex" / "008_EX.png").rename(root / "008-ex (copy).png")
    (root / "ex" / "009_EX.png").rename(root / "pics" / "009_EX.jpg")
    words = "files are named like masks, but lie where none are looked for, and their images count as without the class"
    for name in ("008", "009"):
        picture(root / "he" / f"{name}.png")
    found = said(
        root,
        task="multilabel",
        missing_mask="negative",
        classes=[{"code": code, "name": code} for code in ("EX", "HE")],
        folder={"images": "pics/{image}.jpg", "masks": {"EX": "ex/{image}_EX.png", "HE": "he/{image}.png"}},
    )
    assert f"2 (008-ex (copy).png, pics/009_EX.jpg) {words}" in found


def test_a_mask_elsewhere_of_an_image_that_is_only_predicted_is_not_said_to_make_it_negative(root):
    (root / "ex" / "008_EX.png").rename(root / "008_EX.png")
    assert said(root) == [
        "1 (008_EX.png) files look like images or masks and are not used",
        "1 (008) images without truth, where others have it: only predicted",
    ]


def test_files_beside_a_complete_folder_are_not_taken_for_masks(root):
    for name in ("008.EX.png", "extra.png", "0081_EX.png"):
        picture(root / "other" / name)
    assert len(said(root)) == 1


def test_images_that_a_pattern_of_groups_does_not_fit_are_named(root):
    assert said(root, group={"pattern": "^00[78]"}) == [
        "1 (009) images do not fit group.pattern ^00[78]: each is a group of its own"
    ]
    assert said(root, group={"pattern": "^0"}) == []


@pytest.mark.parametrize("fact", ["group", "centre"])
def test_rows_without_image_and_images_without_row_are_counted(root, fact):
    (root / "t.csv").write_text(f"image_id,{fact}\n008,a\n9,b\n")
    found = said(root, **{fact: {"csv": "t.csv", "partial": True}})
    assert found[0] == f"1 (9) rows of the {fact} table t.csv fit no image"
    assert found[1].startswith(
        f"2 (007, 009) images are in no row of the {fact} table t.csv. Restore the leading zeros"
    )


def test_a_table_of_splits_is_compared_too(root):
    (root / "s.csv").write_text("image_id,split\n007,train\nother,test\n")
    assert said(root, splits=str(root / "s.csv")) == [
        f"1 (other) rows of the table of splits {root}/s.csv fit no image",
        f"2 (008, 009) images are in no row of the table of splits {root}/s.csv",
    ]


def test_a_release_is_looked_at_in_its_own_folders_only(tmp_path):
    base = tmp_path / "A. Segmentation"
    picture(base / "1. Original Images" / "a. Training Set" / "IDRiD_01.jpg")
    truths = base / "2. All Segmentation Groundtruths" / "a. Training Set"
    picture(truths / "3. Hard Exudates" / "IDRiD_01_EX.tif")
    picture(tmp_path / "B. Disease Grading" / "1. Original Images of Grading.jpg")
    assert said(tmp_path, adaptor="idrid", folder=None) == []
    picture(truths / "3. Hard Exudates" / "IDRiD_02_EX.tif")
    assert "1 (A. Segmentation/2. All" in said(tmp_path, adaptor="idrid", folder=None)[0]


def test_thumbnails_beside_slides_are_no_slides(tmp_path):
    for name in ("a.svs", "a.geojson", "a.png", "b.ndpi"):
        (tmp_path / name).touch()
    layout = {"images": "{image}.svs", "annotations": "{image}.geojson"}
    (found,) = said(tmp_path, adaptor="slide", folder=None, slide=layout)
    assert found.startswith("1 (b.ndpi) files")
