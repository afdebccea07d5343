"""Times are sums over what Snakemake wrote for each job, and hold nothing where nothing is known."""

from pathlib import Path

import pandas as pd
import pytest

from pipeline.report.measures.times import COLUMNS, read_times, write_times

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time"


def note(path: Path, *, seconds: float, memory: str, processor: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEAD}\n{seconds}\t0:00:01\t{memory}\t9\t9\t9\t9\t9\t50\t{processor}\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / ".benchmarks" / "eyes"
    note(root / "raw" / "raw_image" / "a.tsv", seconds=1.5, memory="100.5", processor="1.25")
    note(root / "raw" / "raw_image" / "b.tsv", seconds=2.5, memory="300.25", processor="2.0")
    note(root / "raw" / "raw_image" / "c.tsv", seconds=0.5, memory="NA", processor="NA")
    note(root / "probability" / "probability_image" / "unet" / "a.tsv", seconds=60, memory="2000", processor="110")
    note(root / "index" / "index_sampling" / "guided.tsv", seconds=0.1, memory="-", processor="-")
    note(root / "report" / "report_page" / "page.tsv", seconds=7, memory="1", processor="1")
    return root


def test_jobs_are_summed_by_stage_and_rule_in_the_order_of_the_stages(folder: Path) -> None:
    found = read_times(folder, predicted={"raw_image": 512})
    assert tuple(found.columns) == COLUMNS
    assert list(found["rule"]) == ["raw_image", "index_sampling", "probability_image"]
    first = found.iloc[0]
    assert (first["stage"], first["jobs"], first["seconds"], first["median_seconds"]) == ("raw", 3, 4.5, 1.5)
    assert (first["processor_seconds"], first["memory_mb"], first["predicted_mb"]) == (3.25, 300.25, 512)


def test_what_is_not_known_is_empty_and_never_zero(folder: Path) -> None:
    row = read_times(folder, predicted={}).set_index("rule").loc["index_sampling"]
    assert row["seconds"] == 0.1
    assert row[["processor_seconds", "memory_mb", "predicted_mb"]].isna().all()


def test_the_page_that_shows_the_times_is_not_among_the_jobs(folder: Path) -> None:
    assert "report_page" not in set(read_times(folder, predicted={})["rule"])


def test_a_job_that_was_killed_before_it_wrote_a_row_counts_as_none(folder: Path) -> None:
    before = read_times(folder, predicted={})
    (folder / "raw" / "raw_image" / "d.tsv").write_text(HEAD + "\n")
    (folder / "raw" / "raw_image" / "e.tsv").write_text("")
    pd.testing.assert_frame_equal(read_times(folder, predicted={}), before)


def test_the_table_reads_back_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    found = read_times(folder, predicted={"raw_image": 512})
    write_times(found, tmp_path / "report" / "times.csv")
    again = pd.read_csv(tmp_path / "report" / "times.csv").astype({"predicted_mb": "Int64"})
    pd.testing.assert_frame_equal(again, found, check_dtype=False)


def test_a_run_without_such_files_gives_a_table_without_rows(tmp_path: Path) -> None:
    found = read_times(tmp_path / "none", predicted={})
    write_times(found, tmp_path / "times.csv")
    assert tuple(pd.read_csv(tmp_path / "times.csv").columns) == COLUMNS
    assert not len(found)
