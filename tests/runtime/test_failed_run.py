"""The last words of a run that failed say what was left out or failed, and what to do, in place of Snakemake's."""

import logging

import pandas as pd
import pytest

from pipeline.errors import ImageRejected
from pipeline.runtime.failed_run import SNAKEMAKES, FailedJob, SaidFailure, last_words
from pipeline.stores import write_table
from pipeline.stores.shard_file import damaged

DAMAGED = ImageRejected(
    "The file cannot be used.",
    where="eye 2.jpg",
    found="damaged JPEG",
    expected="a whole image file",
    remedy="Replace the file.",
)
END = FailedJob("complete", "results/.complete/mine/report", "results/.logs/mine/report.complete.log")
FIT = FailedJob("model_fit", "results/mine/model/unet", "results/.logs/mine/model/unet.log")


@pytest.fixture
def results(tmp_path):
    """Results folder with a data set of which an image was left out, and its report."""
    raw = tmp_path / "mine" / "raw"
    raw.mkdir(parents=True)
    (tmp_path / "mine" / "report").mkdir()
    (tmp_path / "mine" / "report" / "index.html").touch()
    frame = pd.DataFrame({"image_id": ["eye_1", "eye_2"], "rejected": ["", str(DAMAGED)]})
    write_table(frame, raw / "images.parquet", provenance={})
    return tmp_path


@pytest.fixture
def logger(results):
    found, lines = logging.Logger("of Snakemake"), []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    found.addHandler(handler)
    found.addFilter(SaidFailure(results, keep_going=True))
    return found, lines


def failed(log, job, *, jobid=1):
    said = {"event": "job_error", "jobid": jobid, "rule_name": job.rule, "output": [job.output]}
    log.error("Error in rule", extra=said | {"log": [f"{job.log} (check log file(s) for error details)"]})


def test_an_image_that_was_left_out_is_named_with_reason_report_and_remedy(results):
    first, image, report, remedy = last_words([END], results=results, keep_going=True).splitlines()
    assert first == "All else was made; 1 image was left out:"
    assert image == "  mine, eye_2: The file cannot be used (eye 2.jpg: damaged JPEG)"
    assert report == f"report: {results / 'mine' / 'report' / 'index.html'}"
    assert "run again" in remedy
    assert "out of the folder" in remedy


def test_nothing_is_said_of_all_else_where_something_else_failed_or_the_run_stopped(results):
    both = last_words([FIT, END], results=results, keep_going=True)
    assert "All else" not in both
    assert "1 job failed:\n  model_fit: results/mine/model/unet (log: results/.logs/mine/model/unet.log)\n" in both
    assert "1 image was left out" in both
    assert "All else" not in last_words([END], results=results, keep_going=False)


def test_many_images_are_counted(results):
    frame = pd.DataFrame({"image_id": [f"i{at}" for at in range(9)], "rejected": "one line"})
    write_table(frame, results / "mine" / "raw" / "images.parquet", provenance={})
    said = last_words([END], results=results, keep_going=True)
    assert "9 images were left out" in said
    assert "  mine, i4: one line\n  and 4 more\n" in said


def test_an_end_that_failed_for_another_reason_is_a_job_that_failed(tmp_path):
    said = last_words([END], results=tmp_path, keep_going=True)
    assert said.startswith("1 job failed:\n  complete: ")
    assert "left out" not in said


def test_a_job_that_came_upon_a_damaged_result_says_how_all_are_found(tmp_path):
    (tmp_path / "whole.log").write_text("ERROR root: Something else.")
    whole = FailedJob("index_sampling", "results/mine/index/guided.parquet", str(tmp_path / "whole.log"))
    assert "lesionmap verify" not in last_words([whole], results=tmp_path, keep_going=True)
    (tmp_path / "torn.log").write_text(f"ERROR root: {damaged(tmp_path / 'a.zarr', found=1, expected=2)}")
    torn = FailedJob("index_sampling", "results/mine/index/guided.parquet", str(tmp_path / "torn.log"))
    said = last_words([whole, torn], results=tmp_path, keep_going=True)
    assert "`lesionmap verify` names them all" in said


def test_snakemakes_last_words_alone_are_replaced(logger):
    log, lines = logger
    log.error(f"WorkflowError:\n{SNAKEMAKES}.")
    failed(log, END)
    log.info("100% done")
    log.error(f"WorkflowError:\n{SNAKEMAKES}.")
    assert lines[:3] == [f"WorkflowError:\n{SNAKEMAKES}.", "Error in rule", "100% done"]
    assert lines[3].startswith("All else was made; 1 image was left out:")


def test_a_job_that_succeeds_at_its_next_attempt_did_not_fail(logger):
    log, lines = logger
    failed(log, FIT, jobid=7)
    log.info("Finished", extra={"event": "job_finished", "job_id": 7})
    failed(log, END, jobid=8)
    log.error(SNAKEMAKES)
    assert "model_fit" not in lines[-1]


def test_a_run_that_its_user_stopped_says_so_and_claims_nothing_of_all_else(logger):
    log, lines = logger
    log.info("Terminating processes on user request, this might take some time.")
    log.error(f"WorkflowError:\n{SNAKEMAKES}.")
    assert lines[-1] == "The run was stopped before its end.\nRun again to go on: what is made stays."
    failed(log, END)
    log.error(f"WorkflowError:\n{SNAKEMAKES}.")
    assert lines[-1].startswith("The run was stopped before its end.\n1 image was left out:")


def test_of_a_failed_job_the_first_files_are_shown_and_not_its_call(logger):
    log, lines = logger
    seen = []
    log.handlers[0].emit = lambda record: (lines.append(record.getMessage()), seen.append(vars(record)))
    files = [f"results/mine/normalized/e{at}.zarr" for at in range(48)]
    extra = {
        "event": "job_error",
        "jobid": 1,
        "rule_name": "fit",
        "output": files[:3],
        "log": ["a.log"],
        "input": files,
    }
    log.error(
        "RuleException:\nCalledProcessError in file 3_model.smk, line 40:\nCommand 'python x.py' returned non-zero exit status 1."
    )
    log.error("Error in rule", extra=extra)
    log.error(
        "RuleException:\nCalledProcessError in file 3_model.smk, line 40:\nCommand 'python x.py' died with <Signals.SIGKILL: 9>."
    )
    log.error("RuleException:\nMissingOutputException in rule fit")
    log.error(SNAKEMAKES)
    assert seen[0]["input"] == [*files[:3], "and 45 more"]
    assert seen[0]["output"] == files[:3]
    assert [line.splitlines()[0] for line in lines] == [
        "Error in rule",
        "RuleException:",
        "RuleException:",
        "1 job failed:",
    ]
    assert "a.log" in lines[-1]
