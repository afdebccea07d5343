"""A full disk that Snakemake comes upon is said once in plain words, with the results folder, and no record is lost."""

import errno
import logging
import sys

import pytest

from benchmarks.reliability.full_disk import _outcome
from pipeline.runtime.full_disk import SaidFull

SYSTEM = OSError(errno.ENOSPC, "No space left on device", ".snakemake/incomplete/cmVz")


@pytest.fixture
def logger(tmp_path):
    found, lines = logging.Logger("of Snakemake"), []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    found.addHandler(handler)
    found.addFilter(SaidFull(tmp_path / "results"))
    return found, lines


def test_what_snakemake_says_of_a_full_disk_is_said_in_plain_words_once(logger, tmp_path, capsys):
    log, lines = logger
    log.error(f"OSError:\n{SYSTEM}")
    log.error(f"OSError:\n{SYSTEM}")
    said = capsys.readouterr().err
    assert said.count("There is no space left on the disk.") == 1
    assert f"where:    {tmp_path / 'results'}\n" in said
    assert ".snakemake/incomplete/cmVz" in said
    assert "Make room and run again" in said
    assert len(lines) == 2
    assert _outcome(1, said + lines[0], snakemake=True) == ("said in plain words", [])


def test_the_error_of_a_record_counts_too(logger, capsys):
    log, lines = logger
    try:
        raise SYSTEM
    except OSError:
        log.exception("it failed")
    assert "no space left on the disk" in capsys.readouterr().err
    assert lines == ["it failed"]


def test_other_records_pass_without_a_word(logger, capsys):
    log, lines = logger
    log.error("%s of %s steps (50%%) done", 1, 2)
    log.info(None, extra={"event": "job"})
    assert (len(lines), capsys.readouterr().err) == (2, "")


def test_a_terminal_that_is_written_to_a_full_disk_breaks_no_record(logger, monkeypatch):
    class Full:
        def write(self, _):
            raise SYSTEM

    log, lines = logger
    monkeypatch.setattr(sys, "stderr", Full())
    log.error(f"OSError:\n{SYSTEM}")
    assert len(lines) == 1


def test_what_snakemake_says_alone_is_counted_apart():
    assert _outcome(1, str(SYSTEM), snakemake=True)[0] == "said by Snakemake alone"
    assert _outcome(1, str(SYSTEM), snakemake=False)[1]
