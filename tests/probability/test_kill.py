"""A process that is killed ten times at random moments ends with the same content, and repeats little."""

import subprocess
import sys
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


@pytest.mark.parametrize("workers", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_ten_kills_end_in_the_same_content_and_repeat_only_blocks_in_flight(tmp_path: Path, workers: int) -> None:
    path, notes = normalized(tmp_path, height=500, width=301), tmp_path / "notes"
    store = outputs(tmp_path, fusions=("gaussian",))["gaussian"]
    deaths = stream(0, "kills", workers).integers(1, 120, KILLS)
    command = [sys.executable, "-m", "tests.probability.one_prediction", path, store, notes, workers, *deaths]
    killed = int(subprocess.check_output(list(map(str, command)), cwd=PROJECT))
    plan = WindowPlan(500, 301, 32, 24, STORAGE.shard)
    total = plan.grid[0] * plan.grid[1]
    np.testing.assert_allclose(read(store), eager(read(path), plan, fusion="gaussian"), atol=6e-4)
    seen = Counter(notes.read_text().splitlines())
    repeated = sum(seen.values()) - total
    most = max(len(plan.windows(block)) for block in plan.blocks)
    print(f"{killed} kills, {workers} workers: {repeated} of {total} windows repeated")  # noqa: T201
    assert len(seen) == total
    assert killed == KILLS
    assert repeated <= killed * workers * most
    assert not [each for each in (tmp_path / "results" / ".partial").rglob("*") if each.is_file()]
