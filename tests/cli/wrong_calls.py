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
    """One wrong call and its answers by each entrance."""

    name: str
    check: Answer
    snakemake: Answer
    run: Answer
    """`lesionmap run -n`, which checks before Snakemake reads anything."""

    def agrees(self, other: Answer) -> bool:
        """Whether `check` and the other refuse, with the same message and without a traceback."""
        said = [line.strip() for line in self.check.text.splitlines()]
        refused = all(each.status == 1 and "Traceback" not in each.text for each in (self.check, other))
        return refused and all(line in other.text for line in said)


def _answer(folder: Path, *words: str) -> Answer:
    output = folder.parent / "output.txt"
    with output.open("w") as file:
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}  # noqa: TID251 the rest stays as it is
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    text = output.read_text(errors="replace").replace(f"{folder}/", "")  # Snakemake names files from the root.
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
        ours = _answer(folder, sys.executable, "-m", "pipeline.cli", "run", "-n", *words)
        yield Call(name, check, run, ours)


def _row(call: Call) -> str:
    told = next((line for line in call.check.text.splitlines() if line.strip()), "").strip()
    shown = [_cell(text, most) for text, most in ((call.name, 60), (told, 110))]
    return f"| {shown[0]} | {shown[1]} | {_alike(call)} | {call.check.seconds:.1f} | {call.snakemake.seconds:.1f} |"


def _alike(call: Call) -> str:
    alike = [name for name, each in (("run", call.run), ("snakemake", call.snakemake)) if call.agrees(each)]
    return ", ".join(alike) or "**none**"


def _cell(text: str, most: int) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= most else line[: most - 1] + "…").replace("|", "\\|")


def page(calls: Sequence[Call]) -> str:
    """Table of the calls, as Markdown."""
    answers = [each for call in calls for each in (call.check, call.snakemake, call.run)]
    slow = max(each.seconds for each in answers)
    large = max(each.gigabytes for each in answers)
    agree, ours = (
        sum(call.agrees(of(call)) for call in calls) for of in (lambda each: each.snakemake, lambda each: each.run)
    )
    return "\n".join(
        [
            "# Wrong calls",
            "",
            f"`python -m tests.cli.wrong_calls`, {dt.datetime.now(dt.UTC):%Y-%m-%d}: {len(calls)} calls, by `lesionmap check`, `lesionmap run -n` and `snakemake -n`.",
            f"`run` refuses {ours} in the words of `check`, `snakemake` {agree}, without a traceback; the others Snakemake reads",
            f"before any of our code: files that are no YAML mapping, and `results=<logs>`. At most {slow:.1f} s of processor time (aim {SECONDS:.0f}) and {large:.2f} GB (aim {GIGABYTES:.0f}).",
            "",
            "| call | first line of `check` | alike | check, s | snakemake, s |",
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
            print(call.name[:60], _alike(call), f"{call.check.seconds:.1f} {call.snakemake.seconds:.1f}", flush=True)  # noqa: T201 progress
    OUTPUT.write_text(page(calls))


if __name__ == "__main__":
    main()
