"""Projected bytes are the stated products, and a run stays below them whatever the size of its image."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.memory import normalized_bytes, probability_bytes


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
    sizes = {"height": 101, "width": 103, "source_height": 211, "source_width": 223}
    pictures = 3 * (211 * 223 + 101 * 103)
    found = normalized_bytes(**sizes, classes=5, strip_rows=31, halo=7)
    assert found == pictures + max(12 * 45 * 103, 5 * (211 * 223 + 2 * 101 * 103) + 2 * 211 * 223)
    assert normalized_bytes(**sizes, classes=0, strip_rows=31, halo=7) == pictures + 12 * 45 * 103


def test_a_strip_is_never_higher_than_the_image() -> None:
    sizes = {"height": 101, "width": 103, "source_height": 101, "source_width": 103, "classes": 0, "halo": 7}
    assert normalized_bytes(**sizes, strip_rows=89) == normalized_bytes(**sizes, strip_rows=8192)


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fusions"):
        probability_bytes(window=13, shard=17, classes=5, fusions=0, batch=7, workers=11)


RUN = """
import json, resource, sys, tracemalloc
from pathlib import Path
import numpy as np
from pipeline.config import Storage
from pipeline.geometry import strips
from pipeline.probability.overhang import Ledger
from pipeline.probability.plan import WindowPlan
from pipeline.probability.predict import _writer
from pipeline.probability.run import Run, run
from pipeline.stores import create_pyramid, read_box, write_box

def store(name, side, channels, dtype):
    return create_pyramid(
        Path(folder) / f"{name}{side}.zarr", channels=[str(at) for at in range(channels)],
        shapes=((side, side), (-(-side // 2),) * 2), dtype=dtype, storage=Storage(chunk=256, shard=512), provenance={},
    )

def fuse(side):
    source, result = store("in", side, 3, np.uint8), store("out", side, 6, np.float16)
    plan = WindowPlan(side, side, 128, 96, 512, 4)
    answer = np.random.Generator(np.random.PCG64(1)).random((4, 6, 128, 128), dtype=np.float32)
    ledger = Ledger(Path(folder) / f"work{side}")
    ledger.open(fresh=True)
    run(Run("null", plan, plan.all_evaluated(), 6, lambda box: read_box(source["0"], box),
            lambda windows: answer[: len(windows)], _writer({"gaussian": result}, levels=2), {"gaussian": ledger}),
        workers=2)
    ledger.close()

folder, side = sys.argv[1], int(sys.argv[2])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
fuse(130)
before = peak()
tracemalloc.start()
fuse(side)
print(json.dumps({"traced": tracemalloc.get_traced_memory()[1], "resident": peak() - before}))
"""


def test_the_memory_of_a_run_is_flat_in_the_size_of_the_image_and_as_projected(tmp_path: Path) -> None:
    small, large = (
        json.loads(subprocess.check_output([sys.executable, "-c", RUN, str(tmp_path), str(side)]))
        for side in (1100, 2700)
    )
    projected = probability_bytes(window=128, shard=512, classes=6, fusions=1, batch=4, workers=2)
    assert large["traced"] <= projected
    assert large["traced"] <= 1.15 * small["traced"]
    whole = 4 * 6 * 2700**2
    assert large["resident"] <= 2 * projected < 0.6 * whole
