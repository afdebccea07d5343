"""Target that no rule makes, in plain words: the nearest known one, and all that may be asked for."""

import difflib
import logging
import re
from collections.abc import Sequence

from pipeline.words import WORDS

__all__ = ["NearestTarget", "with_targets"]

UNKNOWN = re.compile(r"No rule to produce (?P<target>\S+)")
TARGETS = ("all", *WORDS)


def with_targets(text: str, *, targets: Sequence[str] = TARGETS) -> str:
    """Text of Snakemake on an unknown target, with the targets that there are; any other text as it is.

    Examples
    --------
    >>> print(with_targets("No rule to produce normalised.", targets=("all", "normalized")))
    No rule to produce normalised.
    Did you mean 'normalized'? Targets are all, normalized, and the path of any result.
    """
    match = UNKNOWN.search(text)
    if not match:
        return text
    near = difflib.get_close_matches(match["target"].rstrip("."), targets, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    return f"{text}\n{meant}Targets are {', '.join(targets)}, and the path of any result."


class NearestTarget(logging.Filter):
    """Filter of Snakemake's logger that adds the known targets to a message on an unknown one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record."""
        if isinstance(record.msg, str):
            record.msg = with_targets(record.msg)
        return True
