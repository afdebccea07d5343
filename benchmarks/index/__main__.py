"""Run the benchmarks of the patch index and write ``benchmarks/index.md``.

``python -m benchmarks.index [score] [balanced] [guided] [rows] [real] [--data FOLDER] [--idrid FOLDER]``: sections that are not named keep what
was measured before; ``--data`` keeps the 1 000 images there (2.4 GB) for the next time.
"""

import argparse
import datetime as dt
import os
import platform
import re
import tempfile
from pathlib import Path

from benchmarks.index import data, real, rows, size
from pipeline.stores.provenance import versions

OUTPUT = Path(__file__).parents[1] / "index.md"
TITLES = {
    "score": "Positions scored a second",
    "balanced": "A thousand images, balanced",
    "guided": "A thousand images, guided",
    "rows": "Ten million rows",
    "real": "What a network sees of IDRiD",
}


def _earlier() -> dict[str, str]:
    if not OUTPUT.is_file():
        return {}
    parts = re.split(r"^## (.+)$", OUTPUT.read_text(), flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _section(name: str, folder: Path, arguments: argparse.Namespace) -> str:
    if name == "rows":
        return rows.section(folder)
    if name == "real":
        return real.section(Path(arguments.idrid).resolve(), folder)
    images = Path(arguments.data) if arguments.data else folder
    if not (images / "images.parquet").is_file():
        data.make(images, size.IMAGES)
    return size.section(images) if name == "score" else size.whole(name, images)


def main() -> None:
    """Measure the sections named, all where none is (the real images only where their folder is given)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*TITLES, []])
    parser.add_argument("--data")
    parser.add_argument("--idrid")
    arguments = parser.parse_args()
    names = arguments.sections or [name for name in TITLES if name != "real" or arguments.idrid]
    found, sections = ", ".join(f"{name} {version}" for name, version in versions().items()), _earlier()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            text = _section(name, Path(folder), arguments)
            stamp = f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} by `python -m benchmarks.index {name}` on {os.cpu_count()} cores,"
            sections[TITLES[name]] = f"{text}\n\n{stamp} Python {platform.python_version()}; {found}."
            order = [title for title in TITLES.values() if title in sections]
            head = "# The patch index\n\n`make bench-index`; the part with real images: `python -m benchmarks.index real --idrid FOLDER`."
            OUTPUT.write_text("\n\n".join([head, *(f"## {title}\n\n{sections[title]}" for title in order)]) + "\n")
            print(text)


if __name__ == "__main__":
    main()
