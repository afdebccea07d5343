"""Tables of the page: cells with text, meaning and a bar; numbers written so that they cannot be misread."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.manifest import DatasetRecord
from pipeline.report.pictures.colours import colour_code

__all__ = [
    "DASH",
    "Cell",
    "Table",
    "chips",
    "counted",
    "headings",
    "number",
    "plain_table",
    "results_facts",
    "text_cell",
]

DASH = "–"


@dataclass(frozen=True, slots=True)
class Cell:
    """Cell of a table."""

    text: str
    kind: str = "number"
    """``number`` stands right; ``text``, ``swatch`` (large chips) and ``flags`` (may be long) left."""
    note: str = ""
    """Small print under the text."""
    hint: str = ""
    """Shown when the pointer rests on it."""
    share: float | None = None
    """Length of the bar behind the text, 0 to 1."""
    strong: bool = False
    chips: tuple[tuple[str, str, str], ...] = ()
    """Coloured labels: text, colour, hint."""
    href: str = ""
    """What the text links to."""
    picture: str = ""
    """File in the folder of figures, shown small before the text and linked to where there is no ``href``."""

    @property
    def sort(self) -> str | None:
        """Key by which a column of numbers is sorted: the first number of the text, or nothing; None for words."""
        if self.kind != "number":
            return None
        found = re.search(r"-?\d[\d,]*(\.\d+)?", self.text)
        return found.group().replace(",", "") if found else ""


@dataclass(frozen=True, slots=True)
class Table:
    """Table with what its columns mean."""

    caption: str
    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    marked: frozenset[int] = frozenset()
    """Numbers of the rows that stand out."""
    searched: bool = False
    """Whether rows are filtered by words however few there are."""


def number(value: float, *, digits: int = 3) -> str:
    """Number with a fixed number of digits after the point; a dash where it is undefined.

    Examples
    --------
    >>> number(0.4567), number(float("nan"))
    ('0.457', '–')
    """
    return DASH if math.isnan(value) else f"{value:.{digits}f}"


def counted(value: int) -> str:
    """Whole number with thousands separators.

    Examples
    --------
    >>> counted(1234567)
    '1,234,567'
    """
    return f"{int(value):,}"


def text_cell(text: str, *, hint: str = "", strong: bool = False, note: str = "", href: str = "") -> Cell:
    """Cell of words, which stands left."""
    return Cell(text, kind="text", hint=hint, strong=strong, note=note, href=href)


def headings(*columns: str | tuple[str, str]) -> tuple[Cell, ...]:
    """Headings, each a text or a text and its meaning; the first stands left, the others right."""
    pairs = [(each, "") if isinstance(each, str) else each for each in columns]
    return tuple(Cell(text, kind="number" if at else "text", hint=hint) for at, (text, hint) in enumerate(pairs))


def chips(
    codes: Iterable[str], record: DatasetRecord, *, hints: Mapping[str, str] | None = None
) -> tuple[tuple[str, str, str], ...]:
    """Coloured labels of classes, in manifest order."""
    wanted = set(codes)
    return tuple(
        (each.code, colour_code(each.rgb), (hints or {}).get(each.code, each.name))
        for each in record.classes
        if each.code in wanted
    )


def plain_table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Table of texts."""
    cells = tuple(tuple(text_cell(str(each)) for each in row) for row in rows)
    return Table(caption, tuple(map(text_cell, head)), cells)


def results_facts(*, sets: int, images: int) -> list[tuple[str, str]]:
    """Facts in the head of a page of all data sets, each a count and its noun.

    Examples
    --------
    >>> results_facts(sets=1, images=1200)
    [('1', 'data set'), ('1,200', 'images')]
    """
    counts = ((sets, "data set", "data sets"), (images, "image", "images"))
    return [(counted(count), one if count == 1 else several) for count, one, several in counts]
