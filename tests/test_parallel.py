"""Answers come in the order of the items, and memory that is free goes back to the system."""

import ctypes
import subprocess
import sys

import pytest

from pipeline.parallel import each

HELD = """
from pathlib import Path
from pipeline.parallel import release_freed

def resident():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])

held = []
for _ in range(2000):
    held += [bytearray(60_000), bytearray(600)]
full = resident()
del held[::2]
kept = resident()
release_freed()
print(full, kept, resident())
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_items(workers: int) -> None:
    assert each(lambda item: item * item, range(50), workers=workers) == [item * item for item in range(50)]


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library keeps nothing")
def test_memory_below_what_lasts_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    full, kept, released = map(int, done.stdout.split())
    # Without the call it stays, because something small lies above each piece.
    assert kept > full - 20_000
    assert released < full - 80_000
