"""Contents of a family of files, from a few of them: images, masks or label images, slides, polygons."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.project import document
from pipeline.raw.datasets.left_over import POLYGONS
from pipeline.raw.features import features
from pipeline.raw.formats.reader import file_size, open_picture, open_values
from pipeline.raw.formats.suffixes import SLIDES
from pipeline.raw.inspection.values import (
    LARGEST,
    MOST_VALUES,
    TWO_VALUED,
    FileValues,
    Held,
    LookedAt,
    file_values,
    in_one_line,
    looked_at,
    two_values,
)

__all__ = [
    "LARGEST",
    "MOST_VALUES",
    "Contents",
    "Held",
    "Kind",
    "contents_of",
    "of_readable",
    "small_picture",
    "spread",
    "together",
]

Kind: TypeAlias = Literal["picture", "truth", "slide", "polygons", "unreadable"]
Found = TypeVar("Found")
SAMPLED, VALUES_SAMPLED = 3, 12
"""Files examined to distinguish images from truth, and the least truth files whose values are counted."""
MOST_VALUES_SAMPLED, PIXELS_COUNTED = 400, 2**26
"""Most truth files whose values are counted, and the pixels of them for which it takes about a second."""
GREY = 8
"""Difference of the channels of a grey picture at most, by the rounding of JPEG."""
LEAST_OBJECTS, MOSTLY = 5, 0.9
"""Least objects that are numbered, and share of values of one component."""
ENCODINGS = {1, 255, 65535}
"""Values that programs write for what a mask sets."""
NONE = LookedAt()
SIDE = 768
"""Pixels of the longer side of a picture that is looked at, about."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of the files of a family."""

    kind: Kind
    plain: LookedAt = NONE
    """Files that may be label images or masks. Masks with the noise of JPEG count as 0 and 255."""
    masks: LookedAt = NONE
    """Files that are masks or nothing, in colour or lossy: 0 and 255."""
    problem: str = ""
    """Reason why the contents are unknown; beside values, why those of the first of ``unread`` files are."""
    unread: int = 0
    """Truth files that could not be read."""
    words: tuple[str, ...] = ()
    """Classes named by polygons, those with most features first."""
    numbered: bool = False
    """Whether values number the objects of one class: many values, nearly each of one connected component."""

    @property
    def judged(self) -> LookedAt:
        """Files that say what the truth is: those that may be label images, and all where these set nothing."""
        return self.plain if any(each.value for each in self.plain.held) else self.plain + self.masks

    @property
    def beside(self) -> LookedAt:
        """Files that are masks or nothing, where other files say what the truth is."""
        return self.masks if any(each.value for each in self.plain.held) else NONE

    @property
    def held(self) -> tuple[Held, ...]:
        """Values of the judged files, ascending."""
        return self.judged.held

    @property
    def values(self) -> tuple[int, ...]:
        """Values of truth files, ascending."""
        return tuple(each.value for each in self.held)

    @property
    def encodings(self) -> tuple[Held, ...]:
        """Values for one and the same, such as 1 in some masks and 255 in others; empty where a file holds two of them."""
        held = [each for each in self.held if each.value]
        paths = [path for each in held for path in each.paths]
        apart = len(paths) == len(set(paths)) and ENCODINGS.issuperset(each.value for each in held)
        return tuple(held) if len(held) > 1 and apart else ()

    def share(self, value: int) -> float:
        """Share of a value in the pixels that are not 0."""
        pixels = {each.value: each.pixels for each in self.held if each.value}
        return pixels.get(value, 0) / max(1, sum(pixels.values()))


def spread(paths: Sequence[str], count: int) -> list[str]:
    """Some of the paths, evenly spread."""
    return [paths[int(at)] for at in np.unique(np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int))]


def contents_of(root: Path, paths: Sequence[str]) -> Contents:
    """Contents of files of one family.

    Parameters
    ----------
    root
        Folder that the paths are relative to.
    paths
        Its files in text order, at least one.
    """
    suffix = Path(paths[0]).suffix.lower()
    if suffix in POLYGONS:
        return _polygons(root, paths)
    if suffix in SLIDES:
        return Contents("slide")
    kinds, problem = of_readable(_kind, root, [*spread(paths, SAMPLED), *spread(paths, VALUES_SAMPLED)], most=SAMPLED)
    if not kinds:
        return Contents("unreadable", problem=problem)
    if "truth" not in kinds.values():
        return Contents("slide" if "slide" in kinds.values() else "picture")
    chosen = spread(paths, _affordable(root, list(kinds)))
    found, problem = of_readable(file_values, root, chosen)
    if not found:
        return Contents("unreadable", problem=problem)
    return replace(_truth(root, found), problem=problem, unread=len(chosen) - len(found))


def _truth(root: Path, found: Mapping[str, FileValues]) -> Contents:
    """Contents of truth files, those apart that are masks or nothing."""
    plain = {path: each.pixels for path, each in found.items() if not each.no_labels}
    numbered = _may_be_numbers(looked_at(plain)) and _are_numbers(
        [root / path for path in spread(list(plain), SAMPLED)]
    )
    if not numbered:
        plain = {path: each if len(each) <= MOST_VALUES else two_values(each) for path, each in plain.items()}
    masks = {path: each.pixels for path, each in found.items() if each.no_labels}
    reason = next((each.no_labels for each in found.values() if each.no_labels), "")
    return Contents("truth", looked_at(plain), looked_at(masks, no_labels=reason), numbered=numbered)


def together(parts: Sequence[Contents]) -> Contents:
    """Contents of several families of one kind: those of the first, with the values of all."""
    plain = sum((each.plain for each in parts), NONE)
    masks = sum((each.masks for each in parts), NONE)
    problem = next((each.problem for each in parts if each.problem), "")
    return replace(parts[0], plain=plain, masks=masks, problem=problem, unread=sum(each.unread for each in parts))


def _affordable(root: Path, paths: Sequence[str]) -> int:
    """Number of files whose values can be counted soon, by the sizes of some."""
    largest = max(height * width for height, width in (file_size(root / path) for path in paths))
    return min(MOST_VALUES_SAMPLED, max(VALUES_SAMPLED, PIXELS_COUNTED // max(1, largest)))


def of_readable(
    look: Callable[[Path], Found], root: Path, paths: Sequence[str], *, most: int | None = None
) -> tuple[dict[str, Found], str]:
    """Path → findings, for the first readable files; and the reason why the first unreadable one is not."""
    found: dict[str, Found] = {}
    problems: list[str] = []
    for path in dict.fromkeys(paths):
        if len(found) == most:
            break
        try:
            found[path] = look(root / path)
        except ImageRejected as problem:
            problems.append(in_one_line(problem))
    return found, problems[0] if problems else ""


def _polygons(root: Path, paths: Sequence[str]) -> Contents:
    chosen, words = spread(paths, VALUES_SAMPLED), Counter[str]()
    for path in chosen:
        try:
            found = [each for each in features((root / path).read_bytes()) if each.areas and not each.is_core]
        except ValueError as problem:
            return Contents("unreadable", problem=f"{path}: {problem}")
        words.update(each.names[0] if each.names else each.title for each in found)
    return Contents("polygons", words=tuple(word for word, _ in words.most_common() if word))


def _may_be_numbers(of: LookedAt) -> bool:
    """Test for enough values to be numbers of objects, and not the same in every file, as those of classes are."""
    return len(of.held) > LEAST_OBJECTS and (
        of.files < 2 or any(len(each.paths) < of.files for each in of.held if each.value)
    )


def _are_numbers(paths: Sequence[Path]) -> bool:
    """Test for numbered objects: whether nearly every value of label images is one connected component."""
    single = every = 0
    for path in paths:
        with open_values(path, labels=True) as source:
            labels = source.read(Box.of_shape(*source.shape))
        for value in np.unique(labels[labels > 0])[:MOST_VALUES]:
            parts = cv2.connectedComponents((labels == value).astype(np.uint8), connectivity=8)[0] - 1
            single, every = single + (parts == 1), every + 1
    return every > 0 and single >= MOSTLY * every


def _kind(path: Path) -> Literal["picture", "truth", "slide"]:
    try:
        with open_picture(path) as source:
            if len(source.levels) > 1 and source.levels[0][0] * source.levels[0][1] > LARGEST:
                return "slide"
        return _kind_of(small_picture(path))
    except ImageRejected:
        with open_values(path):  # Of a type that no image has, such as 32 bits.
            return "truth"


def _kind_of(pixels: NDArray[np.uint8]) -> Literal["picture", "truth"]:
    grey = int(np.ptp(pixels, axis=2).max(initial=0)) <= GREY
    if grey:
        colours, counts = np.unique(pixels[..., 0], return_counts=True)
    else:
        colours, counts = np.unique(pixels.reshape(-1, 3), axis=0, return_counts=True)
    two = np.sort(counts)[-2:].sum() / max(counts.sum(), 1)
    # A photograph with a wide black border is no mask, because it is coloured. A grey file with only a few values is
    # truth.
    return "truth" if len(colours) <= MOST_VALUES or (grey and two >= TWO_VALUED) else "picture"


def small_picture(path: Path) -> NDArray[np.uint8]:
    """Every n-th pixel ``(y, x, 3)`` of a picture, so that its longer side has about `SIDE`; of a pyramid, of a coarse level.

    Raises
    ------
    ImageRejected
        The file cannot be read, or is too large without a pyramid.
    """
    with open_picture(path) as source:
        level = next(
            (at for at, size in reversed(list(enumerate(source.levels))) if max(size) >= SIDE), len(source.levels) - 1
        )
        height, width = source.levels[level]
        if height * width > LARGEST:
            raise ImageRejected(
                "A picture is too large to be looked at.",
                where=path,
                found=f"{width}×{height} pixels and no pyramid",
                expected=f"at most {LARGEST:,} pixels, or a pyramid",
                remedy=f"Describe the folder by hand: {document('README.md')}, section Your own data.",
            )
        step = max(1, round(max(height, width) / SIDE))
        pixels = np.asarray(source.read(Box.of_shape(height, width), level=level))[::step, ::step]
    return pixels.astype(np.uint8) if pixels.dtype == np.uint8 else (pixels // 257).astype(np.uint8)
