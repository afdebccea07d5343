"""Windows that are evaluated twice when a process is killed again and again, as the kill test prints them."""

import re
import subprocess
import sys

from benchmarks.probability.process import PROJECT

__all__ = ["section"]

LINE = re.compile(r"(\d+) kills, (\d+) workers: (\d+) of (\d+) windows repeated")


def section() -> str:
    """The table."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-m", "", "tests/probability/test_kill.py"]
    answer = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT)
    rows = [
        f"| {workers} | {kills} | {repeated} of {total} | {int(repeated) / int(kills):.1f} | {int(repeated) / int(total):.0%} |"
        for kills, workers, repeated, total in LINE.findall(answer.stdout)
    ]
    outcome = "passed" if answer.returncode == 0 else "**failed**"
    return "\n".join(
        [
            f"A process is killed (SIGKILL) at ten random moments while it evaluates windows of 32 pixels in blocks of 9 at most, and started again each time; the content of the end is compared with the eager definition. `tests/probability/test_kill.py`: {outcome}.",
            "",
            "| workers | kills | windows repeated | a kill | of all windows |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )
