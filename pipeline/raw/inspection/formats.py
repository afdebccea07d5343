"""Formats of truth: files that differ in nothing but their suffix, such as most masks in PNG and some in TIFF, are one kind."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import replace
from pathlib import PurePosixPath

from pipeline.counts import first_names, number_of
from pipeline.raw.datasets.folder import matches
from pipeline.raw.datasets.left_over import POLYGONS
from pipeline.raw.inspection.families import Family
from pipeline.raw.inspection.matching import names_of, place_of

__all__ = ["in_formats"]

ANY = ".*"
"""Suffix in a pattern of files of several formats."""


def in_formats(found: Sequence[Family], *, images: Family, paths: Sequence[str]) -> dict[Family, str]:
    """Families of truth, those of several formats as one, each with a sentence on its formats; empty with one format.

    Files of several formats stay apart if an image has two of them, or if a pattern of any suffix would take in others.

    Parameters
    ----------
    found
        Families of truth, each of one suffix.
    images
        The images.
    paths
        Every file below the root.
    """
    open_, joined = sorted(found, key=lambda each: (-len(each.differs), -len(each.names))), dict[Family, str]()
    while open_:
        first = open_.pop(0)
        alike = [first, *(each for each in open_ if _alike(first, each))]
        open_ = [each for each in open_ if each not in alike]
        if len(alike) == 1:
            joined[first] = ""
            continue
        one = _as_one(alike)
        others = {path for each in (images, *found) if each not in alike for path in each.paths}
        problem = _problem(one, alike, images=images, others=others, paths=paths)
        joined |= dict.fromkeys(alike, "") | {first: problem} if problem else {one: _said(one)}
    return joined


def _alike(one: Family, other: Family) -> bool:
    """Test for families that differ in their suffix alone; ``*`` among sibling folders stands for any of them."""
    if {one.suffix.lower(), other.suffix.lower()} & {*POLYGONS} or len(one.folder) != len(other.folder):
        return False
    pairs = zip(one.folder, other.folder, strict=True)
    same = all(mine == its or (mine == "*" and one.differs) for mine, its in pairs)
    return same and (one.before, one.after) == (other.before, other.after)


def _as_one(alike: Sequence[Family]) -> Family:
    """Family of all files; where an image has several, of the last."""
    first = alike[0]
    at = _place(first)
    names = {name: path for each in alike for name, path in _named(each, at).items()}
    own = () if at is None else (part for each in alike for part in each.differs or (each.folder[at],))
    return replace(first, suffix=ANY, names=names, differs=tuple(sorted({*own})))


def _place(first: Family) -> int | None:
    """Index of the sibling folders in the path; None without."""
    return first.folder.index("*") if first.differs else None


def _named(family: Family, at: int | None) -> dict[str, str]:
    """Files by name, with the folder at an index before it, as in a family of sibling folders."""
    if at is None or family.differs:
        return family.names
    return {f"{family.folder[at]}/{name}": path for name, path in family.names.items()}


def _said(one: Family) -> str:
    counts = Counter(PurePosixPath(path).suffix.lower() for path in one.paths)
    listed = ", ".join(f"{suffix} {count:,}" for suffix, count in counts.most_common())
    return f"In {_word(len(counts))} formats: {listed}. No image has files of two."


def _word(count: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(count, str(count))


def _problem(one: Family, alike: Sequence[Family], *, images: Family, others: Set[str], paths: Sequence[str]) -> str:
    """Sentence on why files of several formats stay apart; empty if one pattern finds each of them, and no others."""
    place = place_of(one, images=images)
    several = " and ".join(each.pattern(place if each.differs else "*") for each in alike)
    twice = Counter(name for each in alike for name in _named(each, _place(one)))
    if both := sorted(name for name, count in twice.items() if count > 1):
        have = number_of(len(both), "image has", "images have")
        return (
            f"{several} stay apart: {have} files of both ({first_names(both, most=3)}). If they show the same, move one of "
            "each two out of the folder, and call init again."
        )
    pattern = one.pattern(place)
    if wrong := _wrongly_found(one, pattern, images=images, others=others, paths=paths):
        return f"{several} stay apart: {pattern} would {wrong}. If they are one class, write them in one format."
    return ""


def _wrongly_found(one: Family, pattern: str, *, images: Family, others: Set[str], paths: Sequence[str]) -> str:
    """Words on files that a pattern would find beside those of a family, or for another image; empty if there are none."""
    wide, theirs = matches(list(paths), pattern), {*one.paths}
    own, of_images = (_normal(names_of(each, grouped="{group}" in pattern)) for each in (one, images))
    name_of = {path: name for name, each in wide.items() for path in each}
    named = own | of_images
    lost = [path for path in one.paths if name_of.get(path) not in own]
    if lost:
        return f"take {first_names(lost, most=3)} for other images"
    # A file such as README.txt does no harm: its name is no image's, and `check` names it as truth without image.
    taken = [
        path
        for path, name in name_of.items()
        if path not in theirs and (name in named or len(wide[name]) > 1 or path in others)
    ]
    return f"find {first_names(sorted(taken), most=3)}, too" if taken else ""


def _normal(names: Iterable[str]) -> set[str]:
    """Names as patterns find them, with a letter and its accent as one character."""
    return {unicodedata.normalize("NFC", name) for name in names}
