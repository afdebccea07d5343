"""Reasons of jobs on the terminal, shortened: Snakemake lists every file that triggers a job, in thousands of characters."""

import logging
import re

__all__ = ["ShortReasons", "shortened"]

SHOWN = 3
"""Most files shown of a list."""
LONGEST = 500
"""Most characters of a reason."""
LIST = re.compile(r"(?P<said>(?:[Ii]nput|[Oo]utput) files[^:;]*: )(?P<files>[^;]+)")


def shortened(reason: str) -> str:
    """Reason with the first files of each list and the number of the others; short ones stay unchanged.

    Examples
    --------
    >>> shortened("Missing output files: a, b, c, d, e; Code has changed since last execution")
    'Missing output files: a, b, c and 2 more; Code has changed since last execution'
    >>> shortened("Updated input files: a, b")
    'Updated input files: a, b'
    """
    text = LIST.sub(lambda match: match["said"] + _first(match["files"].split(", ")), reason)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"


def _first(files: list[str]) -> str:
    more = len(files) - SHOWN
    return ", ".join(files) if more <= 0 else f"{', '.join(files[:SHOWN])} and {more:,} more"


class ShortReasons(logging.Filter):
    """Filter of Snakemake's logger that shortens the reason of each job, for the terminal and Snakemake's own log."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass every record, its reason shortened."""
        reason = getattr(record, "reason", None)
        if isinstance(reason, str):
            record.reason = shortened(reason)
        return True
