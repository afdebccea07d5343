"""Input files count by their content; size and date only tell which of them are read."""

import os
import shutil

import pytest

from pipeline.runtime import input_records
from pipeline.runtime.input_records import content_of, current_states, hashed, outdated, read_record, refresh
from pipeline.stores.provenance import file_digest

YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture
def files(tmp_path):
    found = {"image": tmp_path / "root" / "a.png", "mask MA": tmp_path / "root" / "masks" / "a.png"}
    for number, path in enumerate(found.values()):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]) * 100)
    return found


@pytest.fixture
def record(tmp_path):
    return tmp_path / "results" / ".inputs" / "a.json"


@pytest.fixture
def read(monkeypatch):
    """Names of the files that are read."""
    names = []
    monkeypatch.setattr(input_records, "file_digest", lambda path: names.append(path.name) or file_digest(path))
    return names


def age(path, years):
    moment = path.stat().st_mtime_ns + years * YEAR_NS
    os.utime(path, ns=(moment, moment))


def test_a_file_that_did_not_change_is_read_once(files, record, read):
    first = current_states(files, record)
    assert (current_states(files, record), len(read)) == (first, 2)
    assert first == hashed(files)


@pytest.mark.parametrize("years", [-30, 30])
def test_a_file_of_another_date_is_read_once_more_and_counts_by_its_content(files, record, read, years):
    first = content_of(current_states(files, record))
    read.clear()
    age(files["image"], years)
    assert content_of(current_states(files, record)) == first
    assert content_of(current_states(files, record)) == first
    assert read == ["a.png"]


@pytest.mark.parametrize("years", [-1, 1])
@pytest.mark.parametrize("size", [100, 101])
@pytest.mark.parametrize("what", ["image", "mask MA"])
def test_another_content_is_seen_whatever_its_date_and_size(files, record, years, size, what):
    first = content_of(current_states(files, record))
    moment = files[what].stat().st_mtime_ns + years * YEAR_NS
    files[what].write_bytes(b"x" * size)
    os.utime(files[what], ns=(moment, moment))
    assert content_of(current_states(files, record)) != first


def test_equal_size_and_date_are_believed_without_reading(files, record, read):
    first = current_states(files, record)
    read.clear()
    found = files["image"].stat()
    files["image"].write_bytes(b"x" * 100)
    os.utime(files["image"], ns=(found.st_atime_ns, found.st_mtime_ns))
    assert (current_states(files, record), read) == (first, [])


def test_no_folder_and_no_date_is_in_the_content(files, record, tmp_path):
    first = content_of(current_states(files, record))
    shutil.copytree(tmp_path / "root", tmp_path / "elsewhere")
    moved = {what: tmp_path / "elsewhere" / path.relative_to(tmp_path / "root") for what, path in files.items()}
    age(moved["image"], 1)
    assert content_of(current_states(moved, record)) == first
    assert str(tmp_path) not in record.read_text()


def test_another_name_a_file_more_and_a_file_less_are_another_content(files, record):
    first = content_of(current_states(files, record))
    renamed = files["image"].with_name("b.png")
    files["image"].rename(renamed)
    others = [files | {"image": renamed}, files | {"image": renamed, "mask HE": files["mask MA"]}, {"image": renamed}]
    assert len({first, *(content_of(current_states(each, record)) for each in others)}) == 4
    assert set(read_record(record).states) == {"image"}


def test_two_masks_that_change_places_are_another_content(files, record):
    swapped = {"image": files["mask MA"], "mask MA": files["image"]}
    assert content_of(current_states(files, record)) != content_of(current_states(swapped, record))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"states": 1}', '{"states": {"image": {}}}', "\x00"])
def test_a_torn_record_is_as_good_as_none(files, record, text):
    first = current_states(files, record)
    record.write_text(text)
    assert read_record(record) is None
    assert current_states(files, record) == first


def test_a_file_that_changes_while_it_is_read_is_read_again(files, record, monkeypatch):
    def slow(path):
        digest = file_digest(path)
        path.write_bytes(b"later and longer")
        return digest

    monkeypatch.setattr(input_records, "file_digest", slow)
    current_states(files, record)
    monkeypatch.undo()
    assert outdated(files, read_record(record)) == ["image", "mask MA"]
    assert current_states(files, record) == hashed(files)


def test_a_folder_that_may_not_be_written_to_costs_only_time(files, record):
    record.parent.parent.mkdir(parents=True)
    record.parent.write_text("no folder")
    assert current_states(files, record) == hashed(files)


def test_hashing_is_said_where_it_takes_long(files, record, capsys, monkeypatch):
    refresh([(files, record)], name="mine", workers=2)
    assert capsys.readouterr().err == ""
    record.unlink()
    monkeypatch.setattr(input_records, "SAID_AFTER_S", 0.0)
    refresh([(files, record)], name="mine", workers=2)
    assert "mine: hashed the files of 1 image whose" in capsys.readouterr().err
    assert read_record(record).states == hashed(files)
