"""The main process of a run holds the lock of the results folder; what writes no results takes none."""

import pytest

from pipeline.runtime.run_lock import LOCK, RunLock


@pytest.fixture
def results(finished):
    folder = finished.folder / "results"
    lock = RunLock(folder)
    lock.take()
    yield folder
    lock.give_back()


def test_a_run_leaves_no_lock(finished):
    assert not (finished.folder / "results" / LOCK).exists()
    assert not list((finished.folder / ".snakemake").glob("locks/*"))


def test_a_second_run_is_told_whose_the_folder_is_before_any_job(finished, results):
    code, text, jobs = finished.forked("-j1", "--forcerun", "complete", "--", "results/.complete/tiny/raw")
    assert code != 0
    assert "The results folder belongs to another run." in text
    assert "process" in text
    assert not jobs


def test_dry_runs_and_unlocking_go_on(finished, results):
    before = (results / LOCK).read_text()
    assert finished.dry_run("all")[0] == 0
    assert finished.forked("--unlock")[0] == 0
    assert (results / LOCK).read_text() == before
