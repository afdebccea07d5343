"""Families of files: names in one folder that differ only in the name of the image.

``a.png``, ``a_mask.png``, ``b.png`` and ``b_mask.png`` are two families: the plain names, and the names with ``_mask``
after them.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from pipeline.raw.datasets.left_over import PICTURES, POLYGONS
from pipeline.raw.formats.suffixes import SLIDES, TIFF, ZARR

__all__ = ["Family", "families", "merged_folders", "name_around", "of_others"]

AFFIX = re.compile(r"[^0-9A-Za-z]+[^/]*[A-Za-z][^/]*")
PREFIX = re.compile(r"[^/]*[A-Za-z][^/]*[^0-9A-Za-z]+")
OME = ".ome"
LEAST_SHARE = 0.3
"""Least share of names that contain another file's name, for the rest of them to count as an affix."""


@dataclass(frozen=True, slots=True)
class Family:
    """Files of one folder, or of sibling folders, whose names differ in one part."""

    folder: tuple[str, ...]
    """Parts of the path; ``*`` where it differs."""
    before: str
    after: str
    """Text before and behind the name of the image."""
    suffix: str
    """The most frequent spelling, with its dot."""
    names: dict[str, str] = field(hash=False)
    """Name of the image → path; with ``differs``, ``part/name`` → path."""
    differs: tuple[str, ...] = ()
    """Names of the sibling folders in the place of ``*``."""

    @property
    def paths(self) -> list[str]:
        """Files in text order."""
        return sorted(self.names.values())

    def pattern(self, place: str = "*") -> str:
        """Pattern of the manifest, with what stands for the sibling folders."""
        parts = [place if part == "*" else part for part in self.folder]
        return "/".join([*parts, f"{self.before}{{image}}{self.after}{self.suffix}"])


def families(paths: Iterable[str]) -> list[Family]:
    """Families of the images, slides and polygons among files, the largest first.

    Parameters
    ----------
    paths
        POSIX paths relative to the root.
    """
    known = (*PICTURES, *TIFF, *SLIDES, *POLYGONS, ZARR)
    by_folder: dict[str, list[PurePosixPath]] = {}
    for path in map(PurePosixPath, paths):
        if path.suffix.lower() in known:
            by_folder.setdefault(path.parent.as_posix(), []).append(path)
    found = [each for folder in by_folder.values() for each in _of_folder(folder)]
    return sorted(found, key=lambda each: (-len(each.names), each.folder, each.after))


def _of_folder(paths: Sequence[PurePosixPath]) -> list[Family]:
    stems = {_stem(path) for path in paths}
    affixes = Counter(name_around(_stem(path), stems) for path in paths)
    usual = {pair for pair, count in affixes.items() if pair == ("", "") or count >= LEAST_SHARE * affixes["", ""]}
    groups: dict[tuple[str, str, str], dict[str, str]] = {}
    for path in paths:
        stem = _stem(path)
        pair = name_around(stem, stems)
        before, after = pair if pair in usual else ("", "")
        name = stem[len(before) : len(stem) - len(after)]
        groups.setdefault((before, after, path.name[len(stem) :].lower()), {})[name] = path.as_posix()
    folder = () if paths[0].parent == PurePosixPath(".") else paths[0].parent.parts
    return [
        Family(folder, before, after, _usual_suffix(names.values()), names)
        for (before, after, _), names in groups.items()
    ]


def _stem(path: PurePosixPath) -> str:
    """Name without its suffix, of which ``.ome`` is a part: ``a`` of ``a.ome.tif`` and of ``a.ome.zarr``."""
    return path.stem[: -len(OME)] if path.stem.lower().endswith(OME) else path.stem


def _usual_suffix(paths: Iterable[str]) -> str:
    suffixes = (each.name[len(_stem(each)) :] for each in map(PurePosixPath, paths))
    return Counter(suffixes).most_common(1)[0][0]


def name_around(stem: str, names: Iterable[str]) -> tuple[str, str]:
    """Text before and after the longest of some names in a stem; empty texts if it contains none.

    Examples
    --------
    >>> name_around("eye_2_mask", {"eye", "eye_2", "eye_2_mask"}), name_around("eye_2", {"eye", "eye_2"})
    (('', '_mask'), ('', ''))
    """
    fitting = [name for name in names if name != stem and name and name in stem]
    for name in sorted(fitting, key=len, reverse=True):
        before, _, after = stem.partition(name)
        if (not before or PREFIX.fullmatch(before)) and (not after or AFFIX.fullmatch(after)):
            return before, after
    return "", ""


def merged_folders(found: Sequence[Family]) -> list[Family]:
    """Families of sibling folders merged, if their paths differ in only one part."""
    open_, merged = list(found), []
    while open_:
        first = open_.pop(0)
        alike = {_place(first, each): each for each in open_ if _place(first, each) is not None}
        places = Counter(_place(first, each) for each in open_)
        places.pop(None, None)
        if not alike:
            merged.append(first)
            continue
        at = places.most_common(1)[0][0]
        siblings = [first, *(each for each in open_ if _place(first, each) == at)]
        open_ = [each for each in open_ if each not in siblings]
        merged.append(_together(siblings, int(at or 0)))
    return merged


def _place(one: Family, other: Family) -> int | None:
    """Index of the only part in which two folders differ; None if they are not siblings."""
    key = (one.before, one.after, one.suffix.lower(), len(one.folder))
    if key != (other.before, other.after, other.suffix.lower(), len(other.folder)):
        return None
    differing = [at for at, pair in enumerate(zip(one.folder, other.folder, strict=True)) if pair[0] != pair[1]]
    return differing[0] if len(differing) == 1 else None


def _together(siblings: Sequence[Family], at: int) -> Family:
    folder = siblings[0].folder
    names = {f"{each.folder[at]}/{name}": path for each in siblings for name, path in each.names.items()}
    differs = tuple(sorted(each.folder[at] for each in siblings))
    return replace(siblings[0], folder=(*folder[:at], "*", *folder[at + 1 :]), names=names, differs=differs)


def of_others(truths: Sequence[Family], *, images: Family, pictures: Sequence[Family]) -> list[Family]:
    """Families of truth that lie beside pictures other than the images, as other truth of the same kind lies beside these.

    Their names may be those of images, as in ``a/visit1/left_mask.png`` and ``a/visit2/left_mask.png``.

    Parameters
    ----------
    truths, pictures
        Families of single folders.
    images
        The images, of one folder or of several.
    """
    used = set(images.names.values())
    own = {PurePosixPath(path).parent.parts for path in used}
    other = {each.folder for each in pictures if not used & set(each.names.values())}

    def key(each: Family) -> tuple[str, str, str]:
        return each.before, each.after, each.suffix.lower()

    near = [(key(each), _shared(each.folder, own), _shared(each.folder, other)) for each in truths]
    deepest = {kind: max(depth for found, depth, _ in near if found == kind) for kind, _, _ in near}
    return [
        each for each, (kind, to_own, to_other) in zip(truths, near, strict=True) if to_own < to_other <= deepest[kind]
    ]


def _shared(folder: Sequence[str], others: Iterable[Sequence[str]]) -> int:
    """Most leading parts that a folder has in common with one of others; -1 without others."""
    return max((_prefix(folder, each) for each in others), default=-1)


def _prefix(one: Sequence[str], other: Sequence[str]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
