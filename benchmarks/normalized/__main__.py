"""Run the benchmarks of stain normalisation and write ``benchmarks/normalized.md``; names of sections choose among them."""

import datetime as dt
import importlib.metadata
import os
import platform
import re
import sys
import warnings
from pathlib import Path

from benchmarks.normalized import quality, slide, speed, spread
from pipeline.stores.provenance import versions

SECTIONS = {
    "speed": ("Speed, memory, repeatability", speed.section),
    "quality": ("Stains that are known", quality.section),
    "spread": ("Colour between centres, and structure", spread.section),
    "slide": ("A large slide", slide.section),
}
OUTPUT = Path(__file__).parents[1] / "normalized.md"
LIBRARIES = (
    "numpy",
    "numba",
    "spams-bin",
    "imagecodecs",
    "tifffile",
    "zarr",
    "scikit-learn",
    "staintools",
    "torchstain",
)


def _earlier() -> dict[str, str]:
    """Sections of the last run, by title, so that one of them can be measured again alone."""
    if not OUTPUT.is_file():
        return {}
    parts = re.split(r"^## (.+)$", OUTPUT.read_text(), flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _installed() -> str:
    found = versions(()) | {name: _version(name) for name in LIBRARIES}
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def main(names: list[str]) -> None:
    """Measure the sections named, all where none is."""
    warnings.simplefilter("ignore")
    sections = _earlier()
    for name in names or list(SECTIONS):
        title, section = SECTIONS[name]
        print(f"== {title}")
        stamp = f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} on {os.cpu_count()} cores, Python {platform.python_version()}; {_installed()}."
        sections[title] = f"{section()}\n\n{stamp}"
        head = "# Stain normalisation beside its peers\n\n`make bench-normalized`. Peers are installed for this only (benchmarks/peers.txt)."
        order = [title for title, _ in SECTIONS.values() if title in sections]
        OUTPUT.write_text("\n\n".join([head, *(f"## {title}\n\n{sections[title]}" for title in order)]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
