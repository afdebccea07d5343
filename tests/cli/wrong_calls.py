"""Wrong calls of `check` and of Snakemake, each in a process of its own: their answers, time and memory.

``python -m tests.cli.wrong_calls`` makes the calls of ``tests/cli/test_wrong_calls.py``, for which the quick tests ask both
entrances within one process, and writes ``benchmarks/wrong_calls.md``. It takes about ten minutes.
"""

import datetime as dt
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cli.test_wrong_calls import FILES, PROJECT, VALUES
from tests.cli.wrong import write_folder

OUTPUT = PROJECT / "benchmarks" / "wrong_calls.md"
SECONDS, GIGABYTES = 5.0, 1.0
"""Most that an answer may take."""


@dataclass(frozen=True, slots=True)
class Answer:
    """End of one process."""

    status: int
    text: str
    seconds: float
    """Processor time."""
    gigabytes: float
    """Peak of the resident memory."""


@dataclass(frozen=True, slots=True)
class Call:
    """One wrong call and its answers by both entrances."""

    name: str
    check: Answer
    snakemake: Answer

    @property
    def agrees(self) -> bool:
        """Whether both refuse, with the same message and without a traceback."""
        said = [line.strip() for line in self.check.text.splitlines()]
        both = (self.check, self.snakemake)
        refused = all(each.status == 1 and "Traceback" not in each.text for each in both)
        return refused and all(line in self.snakemake.text for line in said)


def _answer(folder: Path, *words: str) -> Answer:
    output = folder.parent / "output.txt"
    with output.open("w") as file:
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}  # noqa: TID251 the rest stays as it is
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text(errors="replace")
    return Answer(process.returncode, text, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)


def wrong_calls(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Name and arguments of each call; files are written into the folder."""
    for text, _ in VALUES:
        yield text, ["--configfile", "run.yaml", "--config", text]
    for at, (content, _) in enumerate(FILES):
        name = f"wrong{at}.yaml"
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        yield f"configuration file {at}", ["--configfile", "run.yaml", name]
        yield f"manifest file {at}", ["--configfile", "run.yaml", "--config", f"manifest={name}"]


def asked(folder: Path) -> Iterator[Call]:
    """Calls with their answers, one after the other."""
    snakefile = str(PROJECT / "Snakefile")
    for name, words in wrong_calls(folder):
        check = _answer(folder, sys.executable, "-m", "pipeline.cli", "check", *words)
        run = _answer(folder, sys.executable, "-m", "snakemake", "-n", "-s", snakefile, *words)
        yield Call(name, check, run)


def _row(call: Call) -> str:
    told = next((line for line in call.check.text.splitlines() if line.strip()), "").strip()
    shown = [_cell(text, most) for text, most in ((call.name, 60), (told, 110))]
    return f"| {shown[0]} | {shown[1]} | {'yes' if call.agrees else '**no**'} | {call.check.seconds:.1f} | {call.snakemake.seconds:.1f} |"


def _cell(text: str, most: int) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= most else line[: most - 1] + "…").replace("|", "\\|")


def page(calls: Sequence[Call]) -> str:
    """Table of the calls, as Markdown."""
    answers = [each for call in calls for each in (call.check, call.snakemake)]
    slow = max(each.seconds for each in answers)
    large = max(each.gigabytes for each in answers)
    agree = sum(call.agrees for call in calls)
    return "\n".join(
        [
            "# Wrong calls",
            "",
            f"`python -m tests.cli.wrong_calls`, {dt.datetime.now(dt.UTC):%Y-%m-%d}: {len(calls)} calls, by `lesionmap check` and by `snakemake -n`.",
            f"{agree} are refused by both in the same words, without a traceback. At most {slow:.1f} s of processor time (aim {SECONDS:.0f})",
            f"and {large:.2f} GB (aim {GIGABYTES:.0f}).",
            "",
            "| call | first line of the answer | both alike | check, s | snakemake, s |",
            "|---|---|---|---|---|",
            *map(_row, calls),
            "",
        ]
    )


def main() -> None:
    """Make the calls, and write the page."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "folder"
        folder.mkdir()
        write_folder(folder)
        calls = []
        for call in asked(folder):
            calls.append(call)
            print(call.name[:60], call.agrees, f"{call.check.seconds:.1f} {call.snakemake.seconds:.1f}", flush=True)  # noqa: T201 progress
    OUTPUT.write_text(page(calls))


if __name__ == "__main__":
    main()
