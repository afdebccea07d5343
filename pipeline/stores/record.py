"""Record of a store: place, size and checksum of each shard, the digest of each ``zarr.json``, and its own digest.

An array lists its shards in its attributes. The root lists the digests of all other ``zarr.json``, and its own. It is
written last: a store without it is not finished. So checks can name each damaged, missing or additional file.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.stores.digest import DIGEST, json_digest, older
from pipeline.stores.flush import NEW, write_whole
from pipeline.stores.shard_file import StoredShard, damaged, fault, read_table
from pipeline.stores.shards import SHARDS

__all__ = ["CHECKSUMS", "additional_files", "check_records", "seal", "store_faults"]

CHECKSUMS = "checksums"
"""Attribute of the root: ``files``, path of another ``zarr.json`` → SHA-256, and ``digest``, of the root itself."""
ZARR = "zarr.json"
FOREIGN = {".snakemake_timestamp"}
"""File that Snakemake puts into the folder of a declared output."""


def seal(folder: Path) -> None:
    """Record of a store that was written whole, written last; without it no store is read.

    Raises
    ------
    StoreError
        A shard is not whole.
    """
    for path in folder.rglob(f"*{NEW}"):
        path.unlink()
    files = {}
    for path in sorted(folder.rglob(ZARR)):
        if path.parent != folder:
            node = json.loads(path.read_bytes())
            if node["node_type"] == "array":
                node["attributes"] = {**node.get("attributes", {}), SHARDS: _shards(folder, path.parent, node)}
                _write(path, node)
            files[path.relative_to(folder).as_posix()] = _digest(path.read_bytes())
    root = json.loads((folder / ZARR).read_bytes())
    root["attributes"] = {**root.get("attributes", {}), CHECKSUMS: {"files": files}}
    root["attributes"][CHECKSUMS][DIGEST] = json_digest(root)
    _write(folder / ZARR, root)


def _write(path: Path, node: dict[str, Any]) -> None:
    write_whole(path, [json.dumps(node, indent=2).encode()])


def _digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _shards(folder: Path, array: Path, node: dict[str, Any]) -> dict[str, str]:
    """Shards of an array, path in it → facts."""
    shard = node["chunk_grid"]["configuration"]["chunk_shape"]
    chunk = node["codecs"][0]["configuration"]["chunk_shape"]
    places = prod(shard) // prod(chunk)
    found = {}
    for path in sorted(each for each in array.rglob("*") if each.is_file() and each.name not in {ZARR, *FOREIGN}):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            facts = read_table(descriptor, path=path.relative_to(folder).as_posix(), chunks=places).shard.facts
        except ValueError as problem:
            raise damaged(path, found=problem, expected="a whole shard", result=folder) from problem
        finally:
            os.close(descriptor)
        found[path.relative_to(array).as_posix()] = facts
    return found


def check_records(folder: Path) -> dict[str, Any]:
    """Attributes of a finished store, after the check that each ``zarr.json`` is unchanged.

    Raises
    ------
    FileNotFoundError
        There is no store.
    StoreError
        A ``zarr.json`` was changed, removed or added, or the store is unfinished or of an older version.
    """
    root = _root(folder)
    for path, digest in root[CHECKSUMS]["files"].items():
        try:
            found = _digest((folder / path).read_bytes())
        except FileNotFoundError:
            found = "no file"
        if found != digest:
            raise damaged(folder / path, found=f"digest {found}", expected=f"digest {digest}", result=folder)
    return root


def _root(folder: Path) -> dict[str, Any]:
    path = folder / ZARR
    raw = path.read_bytes()
    try:
        node: dict[str, Any] = json.loads(raw)
        attributes: dict[str, Any] = node.get("attributes", {})
        checksums: dict[str, Any] = attributes.get(CHECKSUMS, {})
        noted = checksums.pop(DIGEST, None)
    except (ValueError, AttributeError) as problem:
        raise damaged(path, found=f"no record: {problem}", expected="a record of Zarr", result=folder) from problem
    if "provenance" not in attributes:
        raise StoreError(
            "The store is incomplete.",
            where=folder,
            found="no attribute provenance",
            expected="a store that this package has finished",
            remedy="Delete it and run the stage again.",
        )
    if noted is None:
        raise older(folder)
    if noted != (digest := json_digest(node)):
        raise damaged(path, found=f"content of digest {digest}", expected=f"digest {noted}", result=folder)
    return attributes


def store_faults(folder: Path) -> Iterator[StoreError]:
    """Faults of a store, every byte of it compared: missing, damaged and additional files."""
    try:
        files = check_records(folder)[CHECKSUMS]["files"]
    except FileNotFoundError:
        yield damaged(folder / ZARR, found="no file", expected="a record of Zarr", result=folder)
        return
    except StoreError as problem:
        yield problem
        return
    for shard in _recorded(folder, files):
        if (found := fault(folder, shard)) is not None:
            yield damaged(folder / shard.path, found=found, expected=f"a shard of {shard.facts}", result=folder)
    for path in additional_files(folder):
        yield damaged(path, found="a file too many", expected="no file", result=folder)


def _recorded(folder: Path, files: Iterable[str]) -> Iterator[StoredShard]:
    for path in files:
        shards = json.loads((folder / path).read_bytes()).get("attributes", {}).get(SHARDS, {})
        for name, facts in shards.items():
            yield StoredShard.of(f"{Path(path).parent.as_posix()}/{name}", facts)


def additional_files(folder: Path) -> list[Path]:
    """Files in a finished store that its record does not name, in text order; errors as in ``check_records``."""
    files = check_records(folder)[CHECKSUMS]["files"]
    named = {ZARR, *files, *(each.path for each in _recorded(folder, files))}
    known = {*(folder / each for each in named)}
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in FOREIGN)
    return [path for path in found if path not in known]
