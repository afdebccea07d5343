"""Reasons of jobs on the terminal, shortened: Snakemake lists every file that makes a job run, thousands of characters long."""

import logging
import re

__all__ = ["ShortReasons", "shortened"]

SHOWN = 3
"""Files of a list that are shown."""
LONGEST = 500
"""Characters of a reason at most."""
LIST = re.compile(r"(?P<said>(?:[Ii]nput|[Oo]utput) files[^:;]*: )(?P<files>[^;]+)")


def shortened(reason: str) -> str:
    """Reason with the first files of each list and the number of the others; what is short stays as it is.

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
