"""A full disk is said in plain words, whichever library finds it."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError, DiskFull, StoreError
from pipeline.stores.disk import check_one_disk, room_on_disk


def of_torch():
    try:
        raise RuntimeError("basic_ios::clear: iostream error")
    finally:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")


RAISED = {
    "python": OSError(errno.ENOSPC, "No space left on device"),
    "quota": OSError(errno.EDQUOT, "Disk quota exceeded"),
    "numpy": OSError("300000 requested and 38384 written"),
    "rust": RuntimeError("failed to write: No space left on device (os error 28)"),
    "torch": RuntimeError("[enforce fail at inline_container.cc:672] . PytorchStreamWriter failed: file write failed"),
}


def fail(library):
    if library in RAISED:
        raise RAISED[library]
    of_torch()


@pytest.mark.parametrize("library", [*RAISED, "torch, from a stream"])
def test_a_full_disk_is_said_with_the_results_folder_and_what_to_do(tmp_path, library):
    log = tmp_path / "results" / ".logs" / "eyes" / "a.log"
    with pytest.raises(DiskFull, match="no space left") as said, room_on_disk(log):
        fail(library)
    assert f"where:    {tmp_path / 'results'}\n" in str(said.value)
    assert "MiB free" in str(said.value)
    assert "Make room and run again" in str(said.value)


@pytest.mark.parametrize(
    "error", [RuntimeError("other"), OSError(errno.EACCES, "denied"), StoreError("No space left on device")]
)
def test_other_errors_are_left_as_they_are(error):
    with pytest.raises(type(error)) as raised, room_on_disk(Path("results")):
        raise error
    assert raised.value is error


def test_a_data_set_that_leads_to_another_disk_is_refused(tmp_path, monkeypatch):
    (tmp_path / "results").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "results" / "eyes").symlink_to(tmp_path / "elsewhere")
    check_one_disk(tmp_path / "results", ["eyes", "none"])  # a link on one disk works
    real = Path.stat

    def other(path, **options):
        found = real(path, **options)
        return (
            os.stat_result((*found[:2], found.st_dev + (path.name == "eyes"), *found[3:]))
            if path.name == "eyes"
            else found
        )

    monkeypatch.setattr(Path, "stat", other)
    with pytest.raises(ConfigurationError, match="leads to another disk"):
        check_one_disk(tmp_path / "results", ["none", "eyes"])
