"""A fact sheet is made again when a file of its image holds something else than what it was made of, and only then."""

import os

import numpy as np
import pytest
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import MissingDataError
from pipeline.raw.datasets.changed_files import ImageInputs, NamedFile, model_of, refresh_images
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import read_sheet, write_fact_sheet
from pipeline.runtime import input_records
from pipeline.runtime.input_records import FIRST, record_reading
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "idrid",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": "A", "name": "a"}],
    }
)


@pytest.fixture
def entry(tmp_path):
    picture(tmp_path / "eye.png", 7)
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(tmp_path / "eye_A.png")
    return ImageEntry("eye", tmp_path / "eye.png", (("A", tmp_path / "eye_A.png"),))


def picture(path, value):
    Image.fromarray(np.full((20, 30, 3), value, np.uint8)).save(path)


def inputs(entry):
    return ImageInputs(entry, results=entry.image.parent / "results", dataset="d")


def read(entry):
    """Read the image as a job does, and say what the workflow records of it."""
    said = inputs(entry).reading()
    sheet = entry.image.parent / "results" / "d" / "raw" / "eye.json"
    states = write_fact_sheet(entry, job=Job(RECORD, Provenance("raw", {}, "0")), output=sheet)
    record_reading(states, inputs(entry).record, said=said)
    return said


@pytest.fixture
def unread(monkeypatch):
    def refuse(path):
        raise AssertionError(f"{path} is read")

    return lambda: monkeypatch.setattr(input_records, "file_digest", refuse)


def test_nothing_is_hashed_before_the_first_reading(entry, unread):
    unread()
    refresh_images([entry], results=entry.image.parent / "results", dataset="d")
    assert inputs(entry).reading() == FIRST


def test_what_a_job_read_is_not_hashed_again(entry, unread):
    said = read(entry)
    unread()
    refresh_images([entry], results=entry.image.parent / "results", dataset="d")
    assert inputs(entry).reading() == said == FIRST
    assert inputs(entry).content() == inputs(entry).content()


@pytest.mark.parametrize("date", [0, 4 * 10**18])
def test_another_content_is_read_again_once_whatever_its_date(entry, date, unread):
    said, content = read(entry), inputs(entry).content()
    picture(entry.image, 8)
    os.utime(entry.image, ns=(date, date))
    assert inputs(entry).reading() == inputs(entry).content() != said
    assert inputs(entry).content() != content
    again = read(entry)
    unread()
    assert inputs(entry).reading() == again != said


def test_a_content_that_comes_back_is_read_again(entry):
    texts, contents = [read(entry)], [inputs(entry).content()]
    for value in (8, 7):
        picture(entry.image, value)
        texts.append(read(entry))
        contents.append(inputs(entry).content())
    assert contents[0] == contents[2] != contents[1]
    assert texts[0] != texts[1] != texts[2]


def test_another_date_alone_is_hashed_once_and_changes_nothing(entry, unread):
    said, content = read(entry), inputs(entry).content()
    os.utime(entry.image, ns=(0, 0))
    os.utime(entry.masks[0][1], ns=(4 * 10**18, 4 * 10**18))
    assert inputs(entry).must_hash()
    refresh_images([entry], results=entry.image.parent / "results", dataset="d")
    unread()
    assert not inputs(entry).must_hash()
    assert (inputs(entry).reading(), inputs(entry).content()) == (said, content)


def test_a_content_that_was_back_before_it_was_read_changes_nothing(entry):
    said = read(entry)
    for value in (8, 7):
        picture(entry.image, value)
        refresh_images([entry], results=entry.image.parent / "results", dataset="d")
    assert inputs(entry).reading() == said


@pytest.mark.parametrize("masks", [(), ("A", "B")])
def test_a_mask_less_or_more_is_another_content(entry, masks):
    said, content = read(entry), inputs(entry).content()
    other = ImageEntry("eye", entry.image, tuple((code, entry.masks[0][1]) for code in masks))
    assert inputs(other).reading() == inputs(other).content() != said
    assert inputs(other).content() != content


@pytest.mark.parametrize("changed", [False, True])
def test_where_the_record_is_lost_the_digests_of_the_sheet_count(entry, changed):
    said = read(entry)
    inputs(entry).record.unlink()
    if changed:
        picture(entry.image, 8)
    assert inputs(entry).must_hash()
    assert (inputs(entry).reading() == said) is not changed


def test_a_rejected_image_is_tried_again_when_its_content_changes_and_only_then(entry):
    whole = entry.image.read_bytes()
    entry.image.write_bytes(whole[:60])
    said = read(entry)
    assert read_sheet(entry.image.parent / "results" / "d" / "raw" / "eye.json")["rejected"]
    os.utime(entry.image, ns=(0, 0))
    assert inputs(entry).reading() == said
    entry.image.write_bytes(whole)
    os.utime(entry.image, ns=(0, 0))
    assert inputs(entry).reading() != said


def test_a_phantom_has_no_file_to_change(tmp_path):
    phantom = ImageInputs(ImageEntry("eye", None, number=1), results=tmp_path, dataset="d")
    assert (phantom.must_hash(), phantom.reading()) == (False, FIRST)
    phantom.content()
    assert not list(tmp_path.iterdir())


def named(tmp_path, path):
    return NamedFile(path and str(path), key="raw.splits_csv", results=tmp_path / "results", dataset="d")


def test_a_file_that_the_configuration_names_counts_by_its_name_and_content(tmp_path):
    table = tmp_path / "splits.csv"
    table.write_text("image_id,split\n")
    first = named(tmp_path, table).content()
    os.utime(table, ns=(0, 0))
    copy = tmp_path / "elsewhere" / "splits.csv"
    copy.parent.mkdir()
    copy.write_bytes(table.read_bytes())
    assert {named(tmp_path, each).content() for each in (table, copy)} == {first}
    table.write_text("image_id,split\na,test\n")
    os.utime(table, ns=(0, 0))
    assert len({first, named(tmp_path, table).content(), named(tmp_path, None).content()}) == 3


def test_a_file_that_the_workflow_makes_is_left_to_it(tmp_path):
    made = named(tmp_path, tmp_path / "results" / "d" / "segmentation" / "hard_negatives.parquet")
    assert made.result
    assert made.content() == named(tmp_path, None).content()
    assert named(tmp_path, tmp_path / "mine.parquet").result is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("results/d/model/unet/weights.pt", ("d", "unet")),
        ("results/../results/d/model/unet/weights.pt", ("d", "unet")),
        ("results/d/model/unet", None),
        ("results/d/normalized/unet/weights.pt", None),
        ("model/unet/weights.pt", None),
    ],
)
def test_a_file_in_the_folder_of_a_model_is_known_by_it(tmp_path, name, expected):
    assert model_of(str(tmp_path / name), results=tmp_path / "results") == expected


def test_a_named_file_that_is_missing_is_an_error_with_its_key(tmp_path):
    with pytest.raises(MissingDataError, match=r"raw\.splits_csv\n.*gone\.csv"):
        named(tmp_path, tmp_path / "gone.csv").content()
