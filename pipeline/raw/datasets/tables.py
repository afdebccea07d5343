"""Tables of facts about images: group, centre and split by image id, and their match with the images."""

import csv
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pipeline.config.manifest import Lookup
from pipeline.errors import ManifestError, printable
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.words import distinct_ids, safe_id

__all__ = ["answers", "check_groups", "dropped_zeros", "fit_of_table", "lookup_column", "named_and_counted"]

SHOWN = 3
"""Most names of a kind in a message."""
ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def _rows(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """Columns of a table, and its rows."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            return columns, list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(
            "The table cannot be read.",
            where=path,
            found=error,
            expected="a CSV file in UTF-8",
            remedy="Check the path, and save the table as CSV in UTF-8.",
        ) from error


def lookup_column(path: Path, *, column: str, image: str = "image_id") -> dict[str, str]:
    """Column of a CSV file, as image id → value.

    Parameters
    ----------
    path
        The file.
    column
        The column.
    image
        Column that names the images.

    Raises
    ------
    ManifestError
        The file or a column is missing, an id occurs twice, or an id is not safe in a path.
    """
    names: dict[str, str] = {}
    columns, rows = _rows(path)
    if missing := [name for name in (image, column) if name not in columns]:
        raise ManifestError(
            f"A column is missing: {' and '.join(missing)}.",
            where=f"{path}, line 1",
            found=f"columns {', '.join(columns)}" if columns else "an empty file",
            expected=f"columns {image} and {column}",
            remedy="Separate the columns by commas." if len(columns) == 1 else "Name the column so, or add it.",
        )
    for number, row in enumerate(rows, start=2):
        if row[image] is None or row[column] is None:
            raise ManifestError(
                "A line has fewer values than there are columns.",
                where=f"{path}, line {number}",
                found=", ".join(str(value) for value in row.values() if value is not None),
                expected=f"a value for each of the columns {', '.join(columns)}",
                remedy="Complete the line, or take it out.",
            )
        name = unicodedata.normalize("NFC", row[image].strip())
        if "/" in name or "\\" in name or name.startswith(".") or name in names:
            raise ManifestError(
                "An image id cannot be used.",
                where=f"{path}, line {number}",
                found=repr(name),
                expected="an id once, without path separators and not beginning with a dot",
                remedy="Write the name of the image file without folder and suffix, once.",
            )
        names[name] = row[column].strip()
    return {made: names[name] for name, made in distinct_ids(names).items()}


def named_and_counted(names: Sequence[str]) -> str:
    """Number of names and the first three.

    Examples
    --------
    >>> named_and_counted(["a", "b", "c", "d"])
    '4 (a, b, c, …)'
    """
    more = ", …" if len(names) > SHOWN else ""
    return f"{len(names)} ({printable(', '.join(names[:SHOWN]))}{more})"


def dropped_zeros(rows: Iterable[str], images: Iterable[str]) -> str:
    """Advice on leading zeros dropped by a table program; empty if they explain no row.

    Parameters
    ----------
    rows
        Ids in a table that match no image.
    images
        Ids of images without a row.

    Examples
    --------
    >>> dropped_zeros(["10"], ["010", "x"])
    "Restore the leading zeros, which table programs drop: '10' looks like '010'. "
    """
    bare = {ZEROS.sub("", image): image for image in images}
    found = next(((row, bare[ZEROS.sub("", row)]) for row in rows if ZEROS.sub("", row) in bare), None)
    if found is None:
        return ""
    return f"Restore the leading zeros, which table programs drop: {found[0]!r} looks like {found[1]!r}. "


def _row_of(entry: ImageEntry, table: Mapping[str, str]) -> str | None:
    """Id in the table for an image, by its id or its file name, or None."""
    known = (safe_id(entry.image.name if entry.image else ""), entry.image_id)
    return next((name for name in known if name in table), None)


def fit_of_table(table: Mapping[str, str], *, entries: Sequence[ImageEntry]) -> tuple[list[str], list[str]]:
    """Rows of a table without an image, and images without a row, both in text order.

    Parameters
    ----------
    table
        Image id → value; an empty value counts as missing.
    entries
        The images.
    """
    rows = {entry.image_id: _row_of(entry, table) for entry in entries}
    unnamed = sorted(image for image, row in rows.items() if row is None or not table[row])
    return sorted(set(table) - set(rows.values())), unnamed


def answers(lookup: Lookup | None, *, fact: str, root: Path | None, entries: Sequence[ImageEntry]) -> dict[str, str]:
    """Results of a lookup, image id → value, for the images that it covers.

    Raises
    ------
    ManifestError
        The table cannot be read, or the table or pattern matches no image.
    """
    if lookup is None:
        return {}
    if lookup.csv is not None:
        where = (root or Path()) / lookup.csv
        table = lookup_column(where, column=lookup.column or fact, image=lookup.image_column)
        rows = {entry.image_id: _row_of(entry, table) for entry in entries}
        known = {image: table[row] for image, row in rows.items() if row is not None}
        _some_answer(known, fact=fact, where=where, found=table, entries=entries)
        return known
    found = {entry.image_id: re.search(lookup.pattern or "", entry.image_id) for entry in entries}
    matched = {image: match[1] if match.groups() else match[0] for image, match in found.items() if match}
    _some_answer(matched, fact=fact, where=f"{fact}.pattern", found=[lookup.pattern or ""], entries=entries)
    return {image: answer or "" for image, answer in matched.items()}


def check_groups(
    lookup: Lookup | None, *, groups: Mapping[str, str], root: Path | None, entries: Sequence[ImageEntry]
) -> None:
    """Refuse a table of groups that omits annotated images: each would silently be its own patient.

    Raises
    ------
    ManifestError
        The table has only some of the annotated images, and ``partial`` is not set.
    """
    if lookup is None or lookup.csv is None or lookup.partial:
        return
    unnamed = [entry.image_id for entry in entries if entry.annotated and not groups.get(entry.image_id)]
    if unnamed:
        where = (root or Path()) / lookup.csv
        table = lookup_column(where, column=lookup.column or "group", image=lookup.image_column)
        lost, _ = fit_of_table(table, entries=entries)
        found = f"{named_and_counted(unnamed)} of {len(entries)} images are in no row"
        raise ManifestError(
            "The table of groups fits only some images.",
            where=where,
            found=f"{found}; {named_and_counted(lost)} rows fit no image" if lost else found,
            expected="a row for each annotated image, so that no patient lies in two splits",
            remedy=dropped_zeros(lost, unnamed) + "Add the rows, or set partial: true beside csv in the manifest, "
            "and each image without a row is a patient of its own.",
        )


def _some_answer(
    known: Mapping[str, str], *, fact: str, where: object, found: Iterable[str], entries: Sequence[ImageEntry]
) -> None:
    """Refuse a table or pattern that matches no image: each would silently be its own patient."""
    if not any(known.values()):
        rows = list(found)
        zeros = dropped_zeros(rows, [entry.image_id for entry in entries])
        raise ManifestError(
            f"The {fact} of no image is found.",
            where=where,
            found=", ".join(rows[:SHOWN]) or "nothing",
            expected=f"the ids of images, such as {entries[0].image_id}",
            remedy=f"{zeros}Write the names of image files without suffix there, or take {fact} out of the manifest.",
        )
