"""JSON results: each holds the digest of its content, which is compared on reading.

The digest covers the values in the file, not its white space; see `pipeline.stores.digest`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.stores.atomic import file_in_progress
from pipeline.stores.digest import DIGEST, json_digest, older
from pipeline.stores.shard_file import damaged

__all__ = ["json_text", "read_json", "write_json"]


def json_text(content: Mapping[str, Any], *, indent: int | None = 1, allow_nan: bool = True) -> str:
    """Text of a result, its digest last; ValueError for NaN where it is not allowed."""
    plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=allow_nan))
    plain.pop(DIGEST, None)
    return json.dumps({**plain, DIGEST: json_digest(plain)}, indent=indent) + "\n"


def write_json(content: Mapping[str, Any], output: Path) -> None:
    """JSON file with its digest, indented for readers and written atomically."""
    with file_in_progress(output) as partial:
        partial.write_text(json_text(content), encoding="utf-8")


def read_json(path: Path, *, foreign: bool = False) -> dict[str, Any]:
    """JSON result without its digest, which is compared.

    Parameters
    ----------
    path
        A file of ``write_json``.
    foreign
        Whether the file may be another program's, without a digest.

    Raises
    ------
    FileNotFoundError
        There is no file.
    StoreError
        The file was damaged or changed, or is of an older version.
    """
    raw = path.read_bytes()
    try:
        content = json.loads(raw)
    except ValueError as problem:
        raise damaged(path, found=f"no JSON: {problem}", expected="a JSON object with its digest") from problem
    if not isinstance(content, dict):
        raise damaged(path, found=type(content).__name__, expected="a JSON object with its digest")
    noted = content.pop(DIGEST, None)
    if noted is None and not foreign:
        raise older(path)
    if noted is not None and noted != (digest := json_digest(content)):
        raise damaged(path, found=f"content of digest {digest}", expected=f"digest {noted}")
    return content
