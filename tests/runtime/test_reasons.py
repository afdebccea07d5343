"""Reasons of jobs stay readable however many files there are, and lose nothing else."""

import logging

import pytest

from pipeline.runtime.reasons import LONGEST, ShortReasons, shortened

FILES = ", ".join(f"results/eyes/normalized/eye_{at}.zarr" for at in range(900))


@pytest.mark.parametrize(
    "said", ["Missing output files", "Updated input files", "Input files updated by another job"], ids=str
)
def test_lists_of_files_are_shortened_and_counted(said):
    text = shortened(f"{said}: {FILES}; Code has changed since last execution")
    assert text.startswith(f"{said}: results/eyes/normalized/eye_0.zarr, ")
    assert text.endswith(" and 897 more; Code has changed since last execution")


def test_what_changed_in_the_parameters_is_said_in_full():
    reason = "Params have changed since last execution: before: sigma: 1, tiles: 2, a: 3, b: 4 now: sigma: 2"
    assert shortened(reason) == reason


def test_no_reason_is_longer_than_the_limit():
    assert len(shortened("Params have changed: " + "x" * 9000)) < LONGEST + 40


def test_records_of_jobs_are_shortened_and_others_pass():
    job, other = (logging.makeLogRecord(each) for each in ({"reason": f"Missing output files: {FILES}"}, {"msg": "a"}))
    assert ShortReasons().filter(job)
    assert ShortReasons().filter(other)
    assert len(job.reason) < 200
