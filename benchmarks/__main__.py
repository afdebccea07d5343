"""Run every benchmark and write ``benchmarks/results.md``."""

import datetime as dt
import os
import platform
import tempfile
from pathlib import Path

from benchmarks import fundus_chain, fundus_share, patch_reading
from pipeline.stores.provenance import versions

RUNS = (fundus_chain.run, fundus_share.run, patch_reading.run, patch_reading.run_small_chunks)
OUTPUT = Path(__file__).with_name("results.md")


def main() -> None:
    """Measure, print and write the table."""
    rows = ["| ours / peer | ours, s | peer, s | ratio | note |", "|---|---|---|---|---|"]
    for run in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            name, pair, note = run(Path(folder))
        rows.append(f"| {name} | {pair.ours:.3f} | {pair.peer:.3f} | {pair.ratio:.2f} | {note} |")
        print(rows[-1])
    found = ", ".join(f"{name} {version}" for name, version in versions().items())
    head = f"Median of 5 paired runs by `make bench`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores, "
    head += f"Python {platform.python_version()}; {found}. Ratio: the peer's time over ours, above 1 is faster."
    OUTPUT.write_text("\n".join(["# Figures", "", head, "", *rows, ""]))


if __name__ == "__main__":
    main()
