"""Windows, rate and time left, for whoever looks at the log."""

import logging

import pytest

from pipeline.runtime.progress import EVERY_S, WindowProgress


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_counts_only_this_job_for_its_speed() -> None:
    clock = Clock()
    progress = WindowProgress("eye", total=1700, before=500, pixels=384**2, clock=clock)
    for _ in range(20):
        progress.add(10)
        clock.now += 5
    assert progress.line().startswith("700 of 1700 windows (41 %), 2.0 windows/s, 0.3 Mpx/s, left 0:08:")


def test_nothing_done_yet_and_nothing_to_do() -> None:
    assert WindowProgress("eye", total=10, before=0, pixels=1).line().endswith("0.0 Mpx/s, left -:--:--")
    assert WindowProgress("eye", total=0, before=0, pixels=1).line().startswith("0 of 0 windows")
    assert WindowProgress("eye", total=7, before=7, pixels=1).line().endswith("took 0:00:00")


def test_what_a_finished_image_took_is_said() -> None:
    clock = Clock()
    with WindowProgress("eye", total=4, before=0, pixels=1, clock=clock) as progress:
        for _ in range(4):
            clock.now += 900
            progress.add(1)
    assert progress.line().endswith("took 1:00:00")


def test_lines_come_now_and_then(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with caplog.at_level(logging.INFO), WindowProgress("eye", total=100, before=0, pixels=100, clock=clock) as progress:
        for _ in range(10):
            clock.now += EVERY_S / 4
            progress.add(5)
    assert [record.getMessage() for record in caplog.records] == [
        "eye: 20 of 100 windows (20 %), 2.0 windows/s, 0.0 Mpx/s, left 0:00:40",
        "eye: 40 of 100 windows (40 %), 2.0 windows/s, 0.0 Mpx/s, left 0:00:30",
    ]
    assert capsys.readouterr() == ("", ""), "no bar where there is no terminal"
