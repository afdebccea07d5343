"""Nothing is lost by kills, power cuts, full disks and flipped bits: the reduced form of ``make soak``."""

from collections.abc import Sequence

import pytest

from benchmarks.reliability.__main__ import run_series
from benchmarks.reliability.scene import Scene, make_scene

pytestmark = pytest.mark.slow
SEED = 1
JOBS = 20
"""Jobs of the run."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return make_scene(tmp_path_factory.mktemp("soak") / "scene")


REDUCED = {
    "flips": range(20),
    "job-kills": [4, 8, 9, 11, 12, 14, 17, 19],
    "kills": [11, 3],  # a job of stage index, and a prediction
    "cuts": [4, 11 + JOBS, 12 + 2 * JOBS, 14],
    "cut-runs": [2],
    "disks": [6 + 8 * JOBS, 11 + 3 * JOBS, 12 + 17 * JOBS, 14 + 11 * JOBS],
}
"""Numbers of each series."""


@pytest.mark.parametrize("series", REDUCED)
def test_nothing_is_lost_by(series: str, scene: Scene) -> None:
    numbers: Sequence[int] = REDUCED[series]
    found = run_series(scene, series, numbers, seed=SEED)
    if not found:
        pytest.skip("The system does not allow it: strace or mount.")
    assert len({each.number for each in found}) == len(numbers)
    assert [each for each in found if each.fault] == []
