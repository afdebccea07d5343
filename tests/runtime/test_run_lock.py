"""One run at a time on a results folder: the second is told whose it is, and the lock of a killed one is in nobody's way."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipeline.errors import DiskFull, StoreError
from pipeline.runtime import run_lock
from pipeline.runtime.processes import children_left
from pipeline.runtime.run_lock import LOCK, RunLock

WORD = "snakemake of this test"


@pytest.fixture(autouse=True)
def _no_jobs_of_other_tests(monkeypatch):
    """Other tests run Snakemake in the same group and folder, and would be waited for."""
    monkeypatch.setattr(run_lock, "JOBS", WORD)


@contextmanager
def child(work: Callable[[], object], *, group: bool = False) -> Iterator[tuple[int, str]]:
    """A process that works and then waits to be killed; its number, and what the work gave."""
    reads, writes = os.pipe()
    process = os.fork()
    if process == 0:
        if group:
            os.setsid()
        try:
            said = str(work())
        except StoreError as problem:
            said = str(problem)
        os.write(writes, said.encode() + b"\0")
        signal.pause()
    os.close(writes)
    said = b""
    while not said.endswith(b"\0"):
        said += os.read(reads, 1000)
    try:
        yield process, said[:-1].decode()
    finally:
        os.close(reads)
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def change(results: Path, **others: object) -> None:
    found = json.loads((results / LOCK).read_text())
    found["name"] |= others
    (results / LOCK).write_text(json.dumps(found))


def test_the_second_run_is_told_whose_the_folder_is_and_since_when(tmp_path):
    first = RunLock(tmp_path / "results")
    first.take()
    since = json.loads((tmp_path / "results" / LOCK).read_text())["since"]
    with pytest.raises(StoreError, match=rf"(?s)process {os.getpid()} on .*since {since}.*Wait for its end"):
        RunLock(tmp_path / "results").take()
    with child(RunLock(tmp_path / "results").take) as (_, said):
        assert f"process {os.getpid()}" in said
    first.give_back()
    assert list((tmp_path / "results").iterdir()) == []
    RunLock(tmp_path / "results").take()


def test_a_plan_that_is_older_than_the_end_of_another_run_is_refused_once(tmp_path):
    first, second, third = (RunLock(tmp_path) for _ in range(3))
    first.before_plan()
    first.take()
    second.before_plan()  # what the first is just finishing looks unfinished to it
    first.give_back()
    with pytest.raises(StoreError, match=rf"(?s)ended while this one was planned.*process {os.getpid()} on"):
        second.take()
    assert not (tmp_path / LOCK).exists()
    third.before_plan()
    third.take()
    third.give_back()
    RunLock(tmp_path).take()  # no plan was made of anything


@pytest.mark.parametrize("begun", ["before", "during"])
def test_a_plan_that_is_older_than_the_kill_of_another_run_is_refused_once(tmp_path, begun):
    second = RunLock(tmp_path)
    if begun == "during":
        second.before_plan()
    with child(RunLock(tmp_path).take) as (process, _):
        if begun == "before":
            second.before_plan()
    with pytest.raises(StoreError, match=rf"(?s)ended while this one was planned.*process {process} on"):
        second.take()
    assert not (tmp_path / LOCK).exists()
    third = RunLock(tmp_path)
    third.before_plan()
    third.take()


def test_a_plan_that_is_younger_than_the_kill_of_another_run_is_carried_out(tmp_path):
    with child(RunLock(tmp_path).take):
        pass
    second = RunLock(tmp_path)
    second.before_plan()
    second.take()


@pytest.mark.parametrize("waited_for", [False, True])
def test_the_lock_of_a_killed_run_of_this_host_is_cleared(tmp_path, waited_for):
    with child(RunLock(tmp_path).take) as (process, said):
        assert said == "None"
        with pytest.raises(StoreError, match=f"process {process}"):
            RunLock(tmp_path).take()
        if not waited_for:  # then it is a zombie, which still has its number
            os.kill(process, signal.SIGKILL)
            os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
            RunLock(tmp_path).take()
    if waited_for:
        RunLock(tmp_path).take()


def test_a_process_that_began_later_under_the_same_number_is_another(tmp_path):
    RunLock(tmp_path).take()
    change(tmp_path, birth="an earlier start 17")
    RunLock(tmp_path).take()


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"place": "another machine"}])
def test_the_lock_of_another_host_stays_and_the_command_that_clears_it_is_named(tmp_path, other):
    RunLock(tmp_path).take()
    change(tmp_path, process=2**22, **other)
    with pytest.raises(StoreError, match=f"process {2**22} on .*") as refused:
        RunLock(tmp_path).take()
    command = str(refused.value).rpartition("clear its lock: ")[2]
    subprocess.run(command, shell=True, check=True)
    RunLock(tmp_path).take()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": 3}', '{"name": {}, "more": 1}', "\x80"])
def test_a_lock_that_says_nothing_stays_too(tmp_path, text):
    (tmp_path / LOCK).write_text(text)
    with pytest.raises(StoreError, match=f"(?s)names no run.*rm {tmp_path / LOCK}"):
        RunLock(tmp_path).take()
    assert (tmp_path / LOCK).read_text() == text


def test_jobs_that_outlive_their_run_are_named_and_waited_for(tmp_path, monkeypatch, capsys):
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", WORD]

    def work() -> int:
        RunLock(tmp_path).take()
        return subprocess.Popen(sleeper).pid

    with child(work, group=True) as (_, said):
        pass
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        with suppress(ProcessLookupError):
            os.kill(int(said), signal.SIGKILL)
        waited.append(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    RunLock(tmp_path).take()
    assert waited
    assert (
        capsys.readouterr().err.count(f"killed run that go on writing to {tmp_path}; to end them: kill {said}\n") == 1
    )
    assert json.loads((tmp_path / LOCK).read_text())["name"]["process"] == os.getpid()


def test_of_many_that_find_a_stale_lock_one_gets_it(tmp_path):
    with child(RunLock(tmp_path).take):
        pass
    with child(RunLock(tmp_path).take) as (_, a), child(RunLock(tmp_path).take) as (_, b):
        assert sorted([a == "None", b == "None"]) == [False, True]


def test_a_lock_that_is_anothers_by_now_is_not_given_back(tmp_path):
    first = RunLock(tmp_path)
    first.take()
    change(tmp_path, host="elsewhere")
    first.give_back()
    assert (tmp_path / LOCK).exists()


def test_a_child_process_does_not_give_back_the_lock_of_its_parent(tmp_path):
    first = RunLock(tmp_path)
    first.take()
    with child(first.give_back):
        assert (tmp_path / LOCK).exists()


def test_without_links_it_works_as_well(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    RunLock(tmp_path).take()
    for exists in (
        Path.exists,
        lambda path: path.name != LOCK,
    ):  # the other run may come between a look and the writing
        monkeypatch.setattr(Path, "exists", exists)
        with pytest.raises(StoreError, match="belongs to another run"):
            RunLock(tmp_path).take()


def test_a_full_disk_is_said_in_plain_words(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DiskFull, match="no space left"):
        RunLock(tmp_path).take()


def test_a_power_cut_leaves_no_lock_that_names_no_run(tmp_path, monkeypatch):
    done = []
    fsync, link = os.fsync, os.link
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.readlink(f"/proc/self/fd/{file}")), fsync(file)))
    monkeypatch.setattr(os, "link", lambda new, path: (done.append("link"), link(new, path)))
    lock = RunLock(tmp_path / "results")
    lock.take()
    lock.give_back()
    assert Path(done[0]).name.startswith(LOCK)
    assert done[1] == "link"


def test_what_ran_before_the_killed_run_is_not_waited_for():
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", WORD]
    with child(lambda: subprocess.Popen(sleeper).pid, group=True) as (group, said):
        pass
    try:
        left = [
            list(children_left(group=group, folder=os.getcwd(), word=WORD, since=time.time() + seconds))
            for seconds in (-60, 60)
        ]
    finally:
        os.kill(int(said), signal.SIGKILL)
    assert left == [[int(said)], []]
