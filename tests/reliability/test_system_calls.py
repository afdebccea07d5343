"""What was not flushed is told from a trace of system calls, whichever way it was written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability.system_calls import TRACER, Unflushed, lose, unflushed

WRITES = """
import os
def flush(stream):
    stream.flush()
    os.fsync(stream.fileno())
with open("part", "wb") as stream:
    stream.write(b"x" * 100)
    flush(stream)
    stream.write(b"y" * 50)
with open("new", "wb") as stream:
    stream.write(b"x" * 100)
    flush(stream)
os.rename("new", "flushed")
with open("twice", "wb") as stream:
    stream.write(b"z" * 10)
with open("twice", "ab") as stream:
    stream.write(b"z" * 5)
os.mkdir("folder")
with open("folder/file", "wb") as stream:
    stream.write(b"1")
os.rename("folder", "renamed")
with open("../outside", "wb") as stream:
    stream.write(b"12345")
os.rename("../outside", "moved")
os.pwrite(os.open("placed", os.O_RDWR | os.O_CREAT), b"abc", 10)
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_bytes_after_the_last_flush_are_known_by_file_and_place(tmp_path: Path) -> None:
    folder, trace = tmp_path / "work", tmp_path / "trace"
    folder.mkdir()
    done = subprocess.run(
        [*TRACER, str(trace), sys.executable, "-c", WRITES], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"strace may not trace here: {done.stderr}")
    found = {path.relative_to(folder).as_posix(): each.parts for path, each in unflushed(trace, folder).items()}
    assert found == {
        "part": [(100, 150)],
        "twice": [(0, 10), (10, 15)],
        "renamed/file": [(0, 1)],
        "moved": [(0, 5)],
        "placed": [(10, 13)],
    }


@pytest.mark.parametrize(("how", "left"), [("dropped", b"abcd"), ("zeroed", b"abcd\0\0"), ("gone", None)])
def test_a_power_cut_loses_exactly_what_was_not_flushed(tmp_path: Path, how: str, left: bytes | None) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    lose(path, Unflushed([(4, 6)]), how)
    assert (path.read_bytes() if path.exists() else None) == left


def test_a_file_that_was_flushed_before_does_not_vanish(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    lose(path, Unflushed([(4, 6)], flushed=True), "gone")
    assert path.read_bytes() == b"abcd"
