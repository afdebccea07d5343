"""Content of results: decoded arrays, tables, texts and weights, and where two contents differ."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.stores import open_array, read_box, read_table
from pipeline.stores.documents import read_json

__all__ = ["differences", "equal", "left_over", "result_files"]

FOREIGN = {".snakemake_timestamp"}
TIMES = {"times.html", "times.csv"}
"""All that may differ between runs of the same seed."""
OF_ORIGIN = {"provenance", "checksums", "digest"}
"""Attributes that name chunk sizes, or what was made with them."""
GIVEN = re.compile(rb"^\s*workers: \d+\n", re.MULTILINE)
"""Lines of a page that repeat what a run was given and what changes no result."""
REPEATS = "summary.json"
"""Document that repeats it, and has its digest over it."""
VALUES = {".zarr", ".parquet", ".pt"}
"""What holds the same values where chunk sizes differ; pages and records of origin name these."""


def result_files(results: Path) -> dict[str, Path]:
    """Files of results by their place; stores by ``….zarr`` once. What is hidden and measured times are left out."""
    found: dict[str, Path] = {}
    pending = [results]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if path.name.startswith(".") or path.name in FOREIGN | TIMES:
                continue
            if path.is_dir() and path.suffix != ".zarr":
                pending.append(path)
            else:
                found[path.relative_to(results).as_posix()] = path
    return found


def left_over(results: Path) -> list[str]:
    """Files that a finished run left under ``.partial``."""
    return [f"left over: {path}" for path in sorted((results / ".partial").rglob("*")) if path.is_file()]


def differences(results: Path, expected: Path, *, chunks: bool = False, rounding: bool = False) -> list[str]:
    """Differences of two results folders.

    Parameters
    ----------
    results, expected
        Folders ``results``.
    chunks
        Whether sizes of chunks may differ: then arrays, tables and weights are compared, neither texts nor records of
        origin.
    rounding
        Whether floats may differ by a step of float16 in one of 100 000 values, and numbers of tables by 1e-5 of theirs: windows
        of other shards are added in another order.

    Returns
    -------
    list of str
        A line for each file that is missing, too many, or of other content.
    """
    ours, theirs = result_files(results), result_files(expected)
    found = [f"missing: {name}" for name in theirs if name not in ours]
    found += [f"too many: {name}" for name in ours if name not in theirs]
    for name in sorted(ours.keys() & theirs.keys()):
        same = equal_but_for_rounding if rounding else equal
        if not _same(ours[name], theirs[name], chunks=chunks, same=same):
            found.append(f"other content: {name}")
    return found


def _same(one: Path, other: Path, *, chunks: bool, same: Callable[[Any, Any], bool]) -> bool:
    if _bytes_of(one) == _bytes_of(other):
        return True
    decode = _DECODED.get(one.suffix)
    if chunks and one.suffix not in VALUES:
        return True
    return decode is not None and same(decode(one, chunks), decode(other, chunks))


def _bytes_of(path: Path) -> dict[str, str]:
    files: Iterable[Path] = [path] if path.is_file() else (each for each in path.rglob("*") if each.is_file())
    return {
        each.relative_to(path).as_posix(): hashlib.sha256(_told(each)).hexdigest()
        for each in files
        if each.name not in FOREIGN
    }


def _told(path: Path) -> bytes:
    content = path.read_bytes()
    return GIVEN.sub(b"", content) if path.suffix == ".html" else content


def _store(path: Path, chunks: bool) -> dict[str, Any]:  # noqa: FBT001
    found: dict[str, Any] = {}
    for record in sorted(path.rglob("zarr.json")):
        node, name = json.loads(record.read_bytes()), record.parent.relative_to(path).as_posix()
        left_out = OF_ORIGIN | {"shards"} if chunks else {"checksums", "shards"}
        found[f"{name}@"] = {key: value for key, value in node["attributes"].items() if key not in left_out}
        if node["node_type"] == "array":
            array = open_array(path, name)
            found[name] = read_box(array, Box.of_shape(*array.shape[-2:]))
    return found


def _table(path: Path, chunks: bool) -> pd.DataFrame:  # noqa: ARG001, FBT001
    return read_table(path)


def _document(path: Path, chunks: bool) -> dict[str, Any]:  # noqa: FBT001
    content = read_json(path, foreign=True)
    if path.name == REPEATS:
        content = _without_workers({key: value for key, value in content.items() if key != "digest"})
    return {key: value for key, value in content.items() if not chunks or key not in OF_ORIGIN}


def _without_workers(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return [_without_workers(each) for each in value]
    if isinstance(value, dict):
        return {key: _without_workers(each) for key, each in value.items() if key != "workers"}
    return value


def _weights(path: Path, chunks: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001
    import torch

    loaded = torch.load(path, weights_only=True, map_location="cpu")
    return {name: value.numpy() if hasattr(value, "numpy") else value for name, value in loaded.items()}


_DECODED: dict[str, Callable[[Path, bool], Any]] = {
    ".zarr": _store,
    ".parquet": _table,
    ".json": _document,
    ".geojson": _document,
    ".pt": _weights,
}


def equal(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether two values are the same: tables, arrays, and mappings of them."""
    if isinstance(one, pd.DataFrame):
        return bool(one.equals(other))
    try:
        np.testing.assert_equal(one, other)
    except AssertionError:
        return False
    return True


def equal_but_for_rounding(one: Any, other: Any) -> bool:  # noqa: ANN401
    """Whether two values are the same but for the order in which floats were added."""
    if isinstance(one, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(one, other, rtol=1e-5, atol=1e-7)
        except AssertionError:
            return False
        return True
    if isinstance(one, dict):
        # A pyramid ends where a level fits one shard, and its record lists the levels.
        both, alone = one.keys() & other.keys(), one.keys() ^ other.keys()
        levels = all(key.rstrip("@").isdigit() for key in alone)
        return levels and all(equal_but_for_rounding(one[key], other[key]) for key in both - {"ome"})
    if isinstance(one, np.ndarray) and one.dtype == np.float16 and one.shape == other.shape:
        return _same_steps(one, other)
    return equal(one, other)


def _same_steps(one: NDArray[np.float16], other: NDArray[np.float16]) -> bool:
    """Equality of probabilities: one step apart at most, in one of 100 000 values, or two of a small level.

    Bits of floats ≥ 0 order like the floats.
    """
    steps = np.abs(one.view(np.int16).astype(np.int32) - other.view(np.int16).astype(np.int32))
    return bool(steps.max(initial=0) <= 1 and np.count_nonzero(steps) <= max(2, 1e-5 * steps.size))
