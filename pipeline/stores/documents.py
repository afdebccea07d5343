"""JSON results: each holds the digest of its content, and is compared with it when it is read.

The digest is of what the file says, not of its spaces; see `pipeline.stores.digest`.
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
    """Text of a result with its digest, which comes last; ValueError for NaN where it is not allowed."""
    plain: dict[str, Any] = json.loads(json.dumps(content, allow_nan=allow_nan))
    plain.pop(DIGEST, None)
    return json.dumps({**plain, DIGEST: json_digest(plain)}, indent=indent) + "\n"


def write_json(content: Mapping[str, Any], output: Path) -> None:
    """JSON file with its digest, written readable and at once."""
    with file_in_progress(output) as partial:
        partial.write_text(json_text(content), encoding="utf-8")


def read_json(path: Path, *, foreign: bool = False) -> dict[str, Any]:
    """JSON result, compared with its digest, which is left out.

    Parameters
    ----------
    path
        A file of ``write_json``.
    foreign
        Whether the file may be another's, without a digest.

    Raises
    ------
    FileNotFoundError
        There is no file.
    StoreError
        It is not what was written, or of an older version.
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
