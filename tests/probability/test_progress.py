"""Windows, rate and time left, for whoever looks at the log."""

import logging

import pytest

from pipeline.probability.progress import EVERY_S, Progress, line


def test_a_line_counts_only_this_run_for_its_speed() -> None:
    text = line(done=700, before=500, total=1700, seconds=100.0, pixels=384**2)
    assert text == "700 of 1700 windows (41 %), 2.0 windows/s, 0.3 Mpx/s, 8 min left"


def test_nothing_done_yet_and_nothing_to_do() -> None:
    assert "time left unknown" in line(done=0, before=0, total=10, seconds=0.0, pixels=1)
    assert line(done=0, before=0, total=0, seconds=1.0, pixels=1).startswith("0 of 0 windows (100 %)")
    assert line(done=1, before=0, total=36001, seconds=1.0, pixels=1).endswith("10 h 0 min left")


def test_lines_come_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    now, shown = [0.0], []
    progress = Progress(
        "eye", total=100, before=0, pixels=100, clock=lambda: now[0], show=lambda *pair: shown.append(pair)
    )
    with caplog.at_level(logging.INFO):
        for _ in range(10):
            now[0] += EVERY_S / 4
            progress.add(5)
    assert [record.getMessage() for record in caplog.records] == [
        "eye: 20 of 100 windows (20 %), 2.0 windows/s, 0.0 Mpx/s, 40 s left",
        "eye: 40 of 100 windows (40 %), 2.0 windows/s, 0.0 Mpx/s, 30 s left",
    ]
    assert shown[-1] == (50, 100)
    assert progress.end().startswith("50 of 100 windows")
