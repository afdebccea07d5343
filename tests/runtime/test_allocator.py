"""Memory that is freed is kept where it is needed again, and given back where it is not."""

import ctypes
import subprocess
import sys

import pytest

HELD = """
from pathlib import Path
from pipeline.runtime.allocator import release_freed

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


AGAIN = """
import resource, sys, threading
from pipeline.runtime.allocator import keep_freed

def touch():
    for _ in range(20):
        bytearray(100_000_000)

if sys.argv[1] == "kept":
    keep_freed()
thread = threading.Thread(target=touch)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
thread.start()
thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""A thread that takes an array of 100 MB twenty times, as a network does at each layer."""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library cannot be asked")
def test_a_large_array_that_was_freed_serves_the_next_one() -> None:
    """By the pages that the system had to bring, 25 000 for each array that is taken anew."""
    asked, unasked = (
        int(subprocess.check_output([sys.executable, "-c", AGAIN, how], text=True)) for how in ("kept", "as it is")
    )
    assert unasked > 15 * 24_000
    assert asked < 2 * 25_000


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this C library keeps nothing")
def test_memory_below_what_lasts_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    full, kept, released = map(int, done.stdout.split())
    # Without the call it stays, because something small lies above each piece.
    assert kept > full - 20_000
    assert released < full - 80_000
