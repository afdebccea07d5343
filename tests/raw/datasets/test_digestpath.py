"""The released DigestPath folder: positive and negative folders, masks beside the pictures, names with spaces."""

import numpy as np
import pytest
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ManifestError, MissingDataError
from pipeline.raw.datasets.digestpath import patient_of
from pipeline.raw.datasets.listing import list_images
from tests.raw.whole import whole_truth

NAME = "18-09926B_2019-05-08 23_29_50-lv1-34806-17796-5100-5004"
OTHER = "18-09926B_2019-05-08 23_29_50-lv1-1000-2000-3000-3001"
PLAIN = "D201803322_1_1-lv1-2000-3000-4000-4000"


def record(**changes) -> DatasetRecord:
    base = {
        "title": "t",
        "adaptor": "digestpath",
        "modality": "histology",
        "task": "binary",
        "classes": [{"code": "LESION", "name": "lesion"}],
    }
    return DatasetRecord.model_validate(base | changes)


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((32, 48), value, np.uint8)).save(path)
    return path


@pytest.fixture(params=["", "DigestPath2019/tissue"])
def root(tmp_path, request):
    folder = tmp_path / request.param
    for name in (NAME, OTHER):
        picture(folder / "tissue-train-pos-v1" / f"{name}.jpg")
    mask = np.zeros((32, 48), np.uint8)
    mask[8:24, 16:40] = 255
    Image.fromarray(mask).save(folder / "tissue-train-pos-v1" / f"{NAME}_mask.jpg", quality=60)
    picture(folder / "tissue-train-neg" / f"{PLAIN}.jpg")
    picture(folder / "tissue-train-neg" / "._hidden.jpg")
    picture(folder / "previews" / "overview.jpg")
    return tmp_path


def listed(root, **changes):
    return {entry.image.stem: entry for entry in list_images(record(**changes), dataset="d", root=root)}


def test_pictures_of_both_folders_are_found_with_their_masks(root):
    entries = listed(root)
    assert set(entries) == {NAME, OTHER, PLAIN}
    assert entries[NAME].image_id == NAME.replace(" ", "_")
    assert [path.name for _, path in entries[NAME].masks] == [f"{NAME}_mask.jpg"]


def test_a_negative_picture_is_known_to_hold_nothing_and_a_positive_one_without_mask_is_not(root):
    for missing in ("negative", "unknown"):
        entries = listed(root, missing_mask=missing)
        assert {name: entry.annotated for name, entry in entries.items()} == {NAME: True, OTHER: False, PLAIN: True}


def test_the_group_is_the_patient_unless_the_manifest_says_otherwise(root):
    assert [listed(root)[name].group for name in (NAME, OTHER, PLAIN)] == ["18-09926", "18-09926", "D201803322"]
    own = listed(root, group={"pattern": r"^(\d\d)-"})
    assert (own[NAME].group, own[PLAIN].group) == ("18", "D201803322")
    slides = listed(root, group={"pattern": r"^.+?(?=_\d{4}-\d|-lv)"})
    assert (slides[NAME].group, slides[PLAIN].group) == ("18-09926B", "D201803322_1_1")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("18-09926A", "18-09926B", True),
        ("D201803322_1_1", "D201803322_1_2", True),
        ("D201803322_1_1", "D201803322_2_1", True),
        ("2018_64982_1-1", "2018_64982_1-3", True),
        ("2018_64982_1-1", "2018_70001_1-1", False),
        ("18-09926A", "19-09926A", False),
        ("18-09926", "18-09927", False),
        ("D201803322_1_1", "D201803323_1_1", False),
        ("slide_1", "slide_2", False),
        ("1", "2", False),
    ],
)
def test_slides_of_one_accession_number_are_one_patient(first, second, same):
    assert (patient_of(first) == patient_of(second)) == same


def test_a_blurred_mask_is_cut_at_the_middle(root):
    truth = whole_truth(listed(root)[NAME], record=record(), height=32, width=48)
    expected = np.zeros((32, 48), bool)
    expected[8:24, 16:40] = True
    assert np.array_equal(truth[0], expected)


def test_a_name_in_both_folders_is_refused(root):
    folder = next(root.rglob("tissue-train-neg"))
    picture(folder / f"{NAME}.jpg")
    with pytest.raises(ManifestError, match="both positive and negative"):
        listed(root)


def test_a_mask_among_negative_pictures_is_refused(root):
    folder = next(root.rglob("tissue-train-neg"))
    picture(folder / f"{PLAIN}_mask.jpg")
    with pytest.raises(ManifestError, match="mask among negative"):
        listed(root)


def test_a_folder_that_is_not_digestpath_says_what_is_missing(tmp_path):
    picture(tmp_path / "repository" / "a.jpg")
    with pytest.raises(MissingDataError, match="tissue-train-pos"):
        listed(tmp_path)


def test_it_knows_one_class():
    classes = [{"code": "A", "name": "a"}, {"code": "B", "name": "b"}]
    with pytest.raises(ValueError, match="one class"):
        record(task="multilabel", classes=classes)
