"""Section on times and memory: links to a page of its own, because no two runs take the same time."""

from typing import Any

from pipeline.report.page.facts import Facts

__all__ = ["times_section"]


def times_section(facts: Facts) -> dict[str, Any] | None:
    """Content of the section on times: links alone; None where no times were written."""
    return {} if facts.timed else None
