"""A process that is killed ten times at random moments ends with the same content, and repeats little."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from pipeline.probability.plan import WindowPlan
from pipeline.seeds import stream
from tests.probability.eager import eager
from tests.probability.test_predict import STORAGE, normalized, outputs, read

PROJECT = Path(__file__).parents[2]
KILLS = 10
PAUSE_S = 0.02


def start(path: Path, store: Path, notes: Path, *, workers: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.probability.one_prediction", path, store, notes, str(workers), str(PAUSE_S)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}  # noqa: TID251
    return subprocess.Popen(list(map(str, command)), cwd=PROJECT, env=environment)


def windows_seen(notes: Path) -> list[str]:
    return notes.read_text().splitlines() if notes.exists() else []


def kill_while_it_works(process: subprocess.Popen[bytes], notes: Path, *, after: float) -> None:
    """Wait for the first window, then some time more, then kill; a process that is through stays so."""
    before = len(windows_seen(notes))
    while process.poll() is None and len(windows_seen(notes)) == before:
        time.sleep(0.01)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ten_kills_end_in_the_same_content_and_repeat_only_blocks_in_flight(tmp_path: Path, workers: int) -> None:
    path, notes = normalized(tmp_path, height=500, width=301), tmp_path / "notes"
    store = outputs(tmp_path, fusions=("gaussian",))["gaussian"]
    moments = stream(0, "kills", workers).uniform(0, 0.2, KILLS)
    kills = 0
    for moment in moments:
        process = start(path, store, notes, workers=workers)
        kill_while_it_works(process, notes, after=float(moment))
        kills += process.returncode == -signal.SIGKILL
    assert start(path, store, notes, workers=workers).wait() == 0
    plan = WindowPlan(500, 301, 32, 24, STORAGE.shard)
    total = plan.grid[0] * plan.grid[1]
    np.testing.assert_allclose(read(store), eager(read(path), plan, fusion="gaussian"), atol=6e-4)
    seen = Counter(windows_seen(notes))
    repeated = sum(seen.values()) - total
    most = max(len(plan.windows(block)) for block in plan.blocks)
    print(f"{kills} kills, {workers} workers: {repeated} of {total} windows repeated")  # noqa: T201
    assert len(seen) == total
    assert kills >= KILLS // 2
    assert repeated <= kills * workers * most
    assert not [each for each in (tmp_path / "results" / ".partial").rglob("*") if each.is_file()]
