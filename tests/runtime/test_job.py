"""A job writes its log, and an error raised on purpose is its message and exit code 1."""

import errno
import logging
import re

import pytest

from pipeline.errors import ModelError
from pipeline.runtime.job import job_context


def test_an_error_raised_on_purpose_is_logged_without_a_traceback(tmp_path):
    with pytest.raises(SystemExit) as ended, job_context(str(tmp_path / "a" / "log"), threads=1):
        raise ModelError("what is wrong")
    assert ended.value.code == 1
    text = (tmp_path / "a" / "log").read_text()
    assert "what is wrong" in text
    assert "Traceback" not in text


def test_an_error_nobody_foresaw_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), job_context(str(tmp_path / "log"), threads=1):
        print(1 / 0)  # noqa: T201
    assert "Traceback" in (tmp_path / "log").read_text()


def test_messages_of_the_library_reach_the_log_and_no_other(tmp_path):
    handlers = list(logging.getLogger().handlers)
    with job_context(str(tmp_path / "log"), threads=1):
        logging.getLogger("pipeline.x").info("done %d", 3)
    first, last = (tmp_path / "log").read_text().splitlines()
    assert first == "INFO pipeline.x: done 3"
    assert re.fullmatch(r"INFO root: Memory held at most: [1-9]\d+ MiB", last)
    assert logging.getLogger().handlers == handlers


FULL = "There is no space left on the disk."


def test_a_log_without_room_is_said_once_in_plain_words_though_the_work_is_done(capfd):
    with pytest.raises(SystemExit) as end, job_context("/dev/full", threads=1):
        logging.getLogger("pipeline").info("done")
    assert end.value.code == 1
    assert capfd.readouterr().err.count(FULL) == 1


def test_a_full_disk_is_said_once_though_the_log_has_no_room_either(capfd):
    with pytest.raises(SystemExit), job_context("/dev/full", threads=1):
        raise OSError(errno.ENOSPC, "No space left on device", "a.zarr")
    said = capfd.readouterr().err
    assert said.count(FULL) == 1
    assert "a.zarr" in said
    assert "Traceback" not in said
