"""Digest of plain values: SHA-256 over their JSON with ordered keys and no white space."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.project import workflow_command

__all__ = ["DIGEST", "json_digest", "older"]

DIGEST = "digest"
"""Key of the digest in a result."""


def json_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of plain values without their own digest, independent of the order of keys."""
    values = {key: value for key, value in content.items() if key != DIGEST}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def older(path: Path) -> StoreError:
    """Error for a result of a version that wrote no checksums."""
    return StoreError(
        "A result of an older version has no checksum.",
        where=path,
        found="no digest",
        expected="the digest of its content",
        remedy=f"Run `{workflow_command('-j8 all --forceall')}`: it makes everything anew.",
    )
