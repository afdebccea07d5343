"""Verification of results: every byte that a stage reads back is compared with its checksum."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import CARD, HARDEST_TABLES, WEIGHTS
from pipeline.stores.provenance import file_digest
from pipeline.stores.record import store_faults
from pipeline.stores.shard_file import damaged
from pipeline.stores.tables import check_table

__all__ = ["faults", "verified_results"]

ZARR = "zarr.json"
DOCUMENTS = (".json", ".geojson")
UNREAD = "report"
"""Stage whose JSON files are not read back."""


def verified_results(results: Path) -> list[Path]:
    """Results that carry checksums, in the order of their paths: Zarr stores, Parquet, JSON and GeoJSON files.

    Links to folders are followed, each folder once. A folder that cannot be read is listed as a fault; a missing folder
    holds no results. Folders whose names begin with a dot hold unfinished results, logs and measured times; they are
    left out.
    """
    unreadable: list[OSError] = []
    found, seen = list[Path](), set[str]()
    for folder, below, files in os.walk(results, followlinks=True, onerror=unreadable.append):
        here = Path(folder)
        if (real := os.path.realpath(folder)) in seen:  # Links that form a cycle.
            below.clear()
            continue
        seen.add(real)
        found += [here / name for name in below if name.endswith(".zarr")]
        below[:] = [name for name in below if _is_walked(name)]
        unread = _is_unread(results, here)
        found += [
            here / name
            for name in files
            if _check_of(here / name) and not name.startswith(".") and not (unread and name.endswith(DOCUMENTS))
        ]
    faulty = (Path(os.fsdecode(each.filename)) for each in unreadable if not isinstance(each, FileNotFoundError))
    return sorted([*found, *faulty])


def _is_walked(folder: str) -> bool:
    return folder == HARDEST_TABLES or not (folder.endswith(".zarr") or folder.startswith("."))


def _is_unread(results: Path, folder: Path) -> bool:
    """Test for a path in the stage whose JSON is not read; a data set or a folder above may have the same name."""
    parts = folder.relative_to(results).parts
    places = [at for at, part in enumerate(parts) if part == UNREAD]
    return any(not (results.joinpath(*parts[: at + 1]) / "raw").is_dir() for at in places)


def _check_of(path: Path) -> Callable[[Path], object] | None:
    if path.name == ZARR:  # Outside a store: napari's reader leaves one above a label image that it opened.
        return None
    if path.suffix == ".parquet":
        return check_table
    if path.name == WEIGHTS and not path.with_name(CARD).is_file():
        return _without_card
    return read_json if path.suffix in DOCUMENTS else None


def _without_card(path: Path) -> None:
    raise damaged(
        path, found=f"no {CARD} beside it", expected="the card that says what the weights are", result=path.parent
    )


def faults(path: Path) -> Iterator[StoreError]:
    """Faults of one of ``verified_results``, unreadable files included; files named in a model's card belong to the card."""
    try:
        if path.is_dir() and path.suffix != ".zarr":
            os.scandir(path).close()  # It could not be read before.
        yield from _faults(path)
    except OSError as problem:
        yield StoreError(
            "A result cannot be read.",
            where=problem.filename or path,
            found=problem.strerror or problem,
            expected="a file or folder that this user may read",
            remedy="Give the right to read it, then verify again.",
        )


def _faults(path: Path) -> Iterator[StoreError]:
    check = _check_of(path)
    if path.suffix == ".zarr":
        yield from store_faults(path)
    if check is None or path.suffix == ".zarr":
        return
    try:
        check(path)
    except FileNotFoundError:
        yield damaged(path, found="no file", expected="a result")
    except StoreError as problem:
        yield problem
    else:
        if path.name == CARD:
            yield from _model_faults(path)


def _model_faults(card: Path) -> Iterator[StoreError]:
    for name, digest in json.loads(card.read_bytes()).get("files", {}).items():
        path = card.with_name(name)
        found = f"digest {file_digest(path)}" if path.is_file() else "no file"
        if found != f"digest {digest}":
            yield damaged(path, found=found, expected=f"digest {digest}", result=card.parent)
