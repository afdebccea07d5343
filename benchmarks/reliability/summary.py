"""Tables of what was tried and how it ended, for ``benchmarks/reliability.md``; what was mended is written there by hand."""

import datetime as dt
import os
import platform
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.reliability.attempts import Attempt
from pipeline.stores.provenance import versions

__all__ = ["table", "write_summary"]

OUTPUT = Path(__file__).parents[1] / "reliability.md"
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def table(attempts: Iterable[Attempt]) -> str:
    """Markdown table of outcomes by kind."""
    rows: dict[str, list[Attempt]] = defaultdict(list)
    for each in attempts:
        rows[each.kind].append(each)
    lines = ["| what | attempts | where | outcomes | lost, or left unsaid |", "|---|---|---|---|---|"]
    for kind, found in sorted(rows.items()):
        outcomes: Counter[str] = Counter()
        for each in found:
            outcomes[each.outcome] += each.count
        said = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items())
        places = ", ".join(f"{where} {count}" for where, count in sorted(Counter(each.where for each in found).items()))
        numbers = len({(each.number, each.seed) for each in found})
        lines.append(f"| {kind} | {numbers} | {places} | {said} | {sum(bool(each.fault) for each in found)} |")
    return "\n".join(lines)


def write_summary(attempts: list[Attempt]) -> None:
    """Write the tables into their place in the page."""
    seeds = ", ".join(map(str, sorted({each.seed for each in attempts})))
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    head = (
        f"`make soak`, seed {seeds}; {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()},"
        f" Python {platform.python_version()}; {found}."
    )
    text = f"{BEGIN}\n\n{head}\n\n{table(attempts)}\n\n{END}"
    page = OUTPUT.read_text() if OUTPUT.is_file() else f"{BEGIN}{END}\n"
    OUTPUT.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: text, page, flags=re.DOTALL))
