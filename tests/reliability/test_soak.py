"""Nothing is lost by kills, power cuts, full disks and flipped bits: the reduced form of ``make soak``."""

import shutil

import pytest

from benchmarks.reliability.__main__ import run_series
from benchmarks.reliability.attempts import Attempt
from benchmarks.reliability.scene import Scene, make_scene

pytestmark = pytest.mark.slow
SEED = 1


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    # Two folders deep as in the full form: Snakemake notes the templates of the pages relative to the working folder.
    return make_scene(tmp_path_factory.mktemp("soak") / "scene")


def lost(found: list[Attempt]) -> list[Attempt]:
    return [each for each in found if each.fault]


def test_flipped_bits_are_noticed_or_change_no_value(scene):
    found = run_series(scene, "flips", [0], seed=SEED)
    assert found
    assert not lost(found)


@pytest.mark.parametrize("number", [10, 11, 22, 3, 4], ids=["workflow", "job", "scheduler", "prediction", "worker"])
def test_kills_cost_no_content(scene, number):
    found = run_series(scene, "kills", [number], seed=SEED)
    assert found
    assert not lost(found)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize("number", [1, 11])
def test_power_cuts_cost_no_content(scene, number):
    assert not lost(run_series(scene, "cuts", [number], seed=SEED))


@pytest.mark.parametrize("number", [36, 82])
def test_full_disks_are_said_and_cost_no_content(scene, number):
    assert not lost(run_series(scene, "disks", [number], seed=SEED))
