"""Run the benchmarks of sliding-window inference and write ``benchmarks/probability.md``; names of sections choose among them."""

import argparse
import datetime as dt
import importlib.metadata
import os
import platform
import re
import warnings
from pathlib import Path

from benchmarks.probability import fusion, gpu, kills, memory, network, workers
from pipeline.stores.provenance import versions

SECTIONS = {
    "fusion": ("Fusion, where the network costs nothing", fusion.section),
    "memory": ("Memory, while the image grows", memory.section),
    "network": ("A real network on a processor", network.section),
    "workers": ("Two workers of a scheduler against one", workers.section),
    "kills": ("Ten kills", kills.section),
    "gpu": ("A GPU", gpu.section),
}
OUTPUT = Path(__file__).parents[1] / "probability.md"
LIBRARIES = ("numpy", "numba", "zarr", "dask", "distributed", "torch", "segmentation-models-pytorch", "monai")
HEAD = (
    "# Sliding-window inference beside its peers\n\n`make bench-probability`. Peers are installed for this only"
    " (Makefile, benchmarks/tiatoolbox.txt)."
)


def _earlier() -> dict[str, str]:
    """Sections of the last run, by title, so that one of them can be measured again alone."""
    if not OUTPUT.is_file():
        return {}
    parts = re.split(r"^## (.+)$", OUTPUT.read_text(), flags=re.MULTILINE)
    return {title: text.strip() for title, text in zip(parts[1::2], parts[2::2], strict=True)}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _stamp(name: str) -> str:
    found = versions(()) | {library: _version(library) for library in LIBRARIES}
    return (
        f"Measured {dt.datetime.now(dt.UTC):%Y-%m-%d} by `python -m benchmarks.probability {name}` on {os.cpu_count()}"
        f" cores, Python {platform.python_version()}; {', '.join(f'{each} {version}' for each, version in found.items())}."
    )


def main() -> None:
    """Measure the sections named, all where none is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []])
    warnings.simplefilter("ignore")
    sections = _earlier()
    for name in parser.parse_args().sections or list(SECTIONS):
        title, section = SECTIONS[name]
        print(f"== {title}", flush=True)
        text = section()
        print(text, flush=True)
        sections[title] = f"{text}\n\n{_stamp(name)}"
        order = [title for title, _ in SECTIONS.values() if title in sections]
        OUTPUT.write_text("\n\n".join([HEAD, *(f"## {title}\n\n{sections[title]}" for title in order)]) + "\n")


if __name__ == "__main__":
    main()
