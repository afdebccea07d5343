"""Projected bytes are the stated products, and a run stays below them whatever the size of its image."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import NormalizedConfig
from pipeline.errors import ConfigurationError
from pipeline.runtime import memory
from pipeline.runtime.memory import INTERPRETER, normalized_bytes, probability_bytes
from tests.runtime.one_normalisation import BLOCKS, SMALL


def test_probability_bytes_are_these_products_of_primes() -> None:
    found = probability_bytes(window=13, shard=17, classes=5, fusions=3, batch=7, workers=11)
    reach = 29 * 29
    sums = 4 * 5 * 3 * reach
    computing = 3 * reach + 7 * 13 * 13 * (3 + 4 * 5)
    finishing = 4 * 5 * 17 * 12 + 4 * 17 * 17 + 7 * 5 * 17 * 17
    assert computing > finishing
    assert found == 11 * (sums + computing)


def test_writing_a_large_block_outweighs_a_small_batch() -> None:
    found = probability_bytes(window=3, shard=31, classes=5, fusions=2, batch=1, workers=1)
    assert found == 4 * 5 * 2 * 33 * 33 + 4 * 5 * 31 * 2 + 4 * 31 * 31 + 7 * 5 * 31 * 31


def test_normalized_bytes_are_these_products_of_primes() -> None:
    block = {"rows": 3001, "columns": 7001, "workers": 3}
    pieces, masks, counts = 2**27, 2**26, 10 * 2**24
    plain = normalized_bytes(**block, halo=31, classes=0, stained=False)
    assert plain == pieces + 3 * 19 * (3001 + 62) * (7001 + 62)
    assert normalized_bytes(**block, halo=31, classes=0, stained=False, whole=11) == plain - pieces + 11
    stained = normalized_bytes(**block, halo=0, classes=1, stained=True)
    assert stained == pieces + masks + counts + 3 * 12 * 3001 * 7001
    many = normalized_bytes(**block, halo=0, classes=13, stained=True)
    assert many == pieces + masks + counts + 3 * 3 * 13 * 3001 * 7001


def test_a_small_image_needs_no_more_than_its_thumbnail() -> None:
    assert normalized_bytes(rows=5, columns=7, workers=1, halo=0, classes=0, stained=False) == 2**27 + 6 * 2**24


@pytest.mark.parametrize("stained", [True, False])
def test_two_blocks_of_the_default_size_stay_below_a_gigabyte(stained: bool) -> None:
    config = NormalizedConfig()
    block = {"rows": config.strip_rows, "columns": config.strip_columns, "halo": 0 if stained else 30}
    assert normalized_bytes(**block, classes=1, workers=1, stained=stained) + INTERPRETER < 2**30


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fusions"):
        probability_bytes(window=13, shard=17, classes=5, fusions=0, batch=7, workers=11)


PROJECT = Path(__file__).parents[2]

RUN = """
import json, sys, tracemalloc
from pathlib import Path
import numpy as np
from pipeline.config import Storage
from pipeline.geometry import strips
from pipeline.probability.fusion.journal import Journal
from pipeline.probability.plan import WindowPlan
from pipeline.probability.pyramid_writer import block_writer
from pipeline.probability.sliding_window import SlidingWindow
from pipeline.probability.task_graph import run_on_threads
from pipeline.stores import create_pyramid, raster_of, write_box
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.peak import peak_bytes

keep_freed()  # as every job does

def store(folder, name, side, channels, dtype):
    return create_pyramid(
        folder / f"{name}.zarr", channels=[str(at) for at in range(channels)],
        shapes=((side, side), (-(-side // 2),) * 2), dtype=dtype, storage=Storage(chunk=256, shard=512), provenance={},
    )

def fuse(folder, side, workers):
    source, result = store(folder, "in", side, 3, np.uint8), store(folder, "out", side, 6, np.float16)
    plan = WindowPlan(side, side, 128, 96, 512, 4)
    answer = np.random.Generator(np.random.PCG64(1)).random((4, 6, 128, 128), dtype=np.float32)
    journal = Journal(folder / "work")
    journal.open(folder, fresh=True)
    run_on_threads(SlidingWindow("null", plan, plan.all_evaluated(), 6, raster_of(source["0"]),
            (lambda windows: answer[: len(windows)],), block_writer({"gaussian": result}, levels=2), {"gaussian": journal}),
        workers=workers)
    journal.close()

folder, traced = Path(sys.argv[1]), []
fuse(folder / "first", 130, 1)
before = peak_bytes()
for side, workers in ((1600, 1), (2700, 1), (2700, 2)):
    tracemalloc.start()
    fuse(folder / f"{side}-{workers}", side, workers)
    traced += [tracemalloc.get_traced_memory()[1]]
    tracemalloc.stop()
print(json.dumps({"traced": traced, "resident": peak_bytes() - before}))
"""


def test_the_memory_of_a_run_is_flat_in_the_size_of_the_image_and_as_projected(tmp_path: Path) -> None:
    found = json.loads(subprocess.check_output([sys.executable, "-c", RUN, str(tmp_path)], cwd=PROJECT))
    # Flat with one worker: whether two reach their peaks at the same time is up to the machine.
    small, large, both = found["traced"]
    assert large <= 1.15 * small
    projected = probability_bytes(window=128, shard=512, classes=6, fusions=1, batch=4, workers=2)
    assert both <= projected
    whole = 4 * 6 * 2700**2
    assert found["resident"] <= 2 * projected < 0.6 * whole


def one_normalisation(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.runtime.one_normalisation", *map(str, arguments)]
    found: dict[str, Any] = json.loads(subprocess.check_output(command, cwd=PROJECT))
    return found


MOST = pytest.mark.slow
"""Chains and forms of files do not meet: each of them is in one of two quick cases."""


@pytest.mark.parametrize(
    ("chain", "form"),
    [
        ("fundus", "strips"),
        ("histology", "tiles"),
        pytest.param("fundus", "tiles", marks=MOST),
        pytest.param("histology", "strips", marks=MOST),
    ],
)
def test_the_memory_of_a_normalisation_is_flat_in_the_size_of_the_image_and_as_projected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain: str, form: str
) -> None:
    for name, size in SMALL.items():
        monkeypatch.setattr(memory, name, size)
    stained = chain == "histology"
    # Flat with one worker: whether two reach their peaks at the same time is up to the machine.
    runs = one_normalisation(tmp_path, chain, form, "small", "600/2", "2048/1", "3072/1", "3072/2")
    _, small, large, both = runs["traced"]
    assert large <= 1.15 * small
    projected = normalized_bytes(**BLOCKS, halo=0 if stained else 30, classes=0, workers=2, stained=stained)
    assert both <= projected
    assert projected - (memory.COLOUR_COUNTS if stained else 0) < 3 * 3072**2


@pytest.mark.slow
@pytest.mark.parametrize("form", ["tiles", "strips"])
@pytest.mark.parametrize("chain", ["fundus", "histology"])
def test_a_slide_goes_through_in_a_gigabyte_interpreter_included(tmp_path: Path, chain: str, form: str) -> None:
    assert one_normalisation(tmp_path, chain, form, "default", "12000/2")["resident"] < 2**30
