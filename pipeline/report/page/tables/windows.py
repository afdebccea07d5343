"""Windows evaluated and skipped by inference, and truth that no window reached, per model and fusion."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.report.page.tables.cells import Table, counted, plain_table
from pipeline.report.paths import Result
from pipeline.report.store_notes import store_notes

__all__ = ["window_table"]

HEAD = (
    "Model / fusion",
    "Images",
    "Window",
    "Stride",
    "Windows evaluated",
    "Skipped, outside roi",
    "Truth not evaluated",
)


def _sizes(notes: Iterable[Mapping[str, Any]], key: str) -> str:
    return ", ".join(str(size) for size in sorted({int(each[key]) for each in notes}))


def _row(name: str, notes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    evaluated = sum(each["windows_evaluated"] for each in notes)
    # The share of one image is of all of its windows; together they are weighted by windows, not averaged.
    windows = sum(each["windows"] for each in notes)
    missed = sum(sum(each.get("truth_pixels_not_evaluated", ())) for each in notes)
    skipped = f"{100 * (windows - evaluated) / windows:.1f} %" if windows else "–"
    return (
        name,
        str(len(notes)),
        _sizes(notes, "window"),
        _sizes(notes, "stride"),
        counted(evaluated),
        skipped,
        f"{counted(missed)} pixels",
    )


def window_table(results: Sequence[Result]) -> Table | None:
    """Table of windows, one row per model and fusion; None where nothing was predicted."""
    rows = [
        _row(result.name, notes)
        for result in results
        if (notes := [store_notes(path) for path in result.probability.values()])
    ]
    return plain_table("Windows without any pixel of the roi are not evaluated", HEAD, rows) if rows else None
