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
from pipeline.raw.truth_values import count_values

__all__ = ["Contents", "Held", "Kind", "contents_of", "of_readable", "small_picture", "spread", "together"]

Kind: TypeAlias = Literal["picture", "truth", "slide", "polygons", "unreadable"]
Found = TypeVar("Found")
LARGEST = 2**27
"""Most pixels of a file without a pyramid that is decoded; a larger one counts as a slide."""
SAMPLED, VALUES_SAMPLED = 3, 12
"""Files examined to distinguish images from truth, and the least truth files whose values are counted."""
MOST_VALUES_SAMPLED, PIXELS_COUNTED = 400, 2**26
"""Most truth files whose values are counted, and the pixels of them for which it takes about a second."""
MOST_VALUES = 32
"""Most values of a label image; a mask may have more by JPEG noise if two of them hold nearly all pixels."""
TWO_VALUED = 0.9
NOISE, BYTE = 16, 255
GREY = 8
"""Difference of the channels of a grey picture at most, by the rounding of JPEG."""
LEAST_OBJECTS, MOSTLY, DENSE = 5, 0.9, 0.5
"""Least objects that are numbered, share of values of one component, and of the numbers up to the last that occur."""
MOST_NUMBERS = 2**12
SIDE = 768
"""Pixels of the longer side of a picture that is looked at, about."""


@dataclass(frozen=True, slots=True)
class Held:
    """Value of truth files, with what holds it."""

    value: int
    pixels: int
    paths: tuple[str, ...]
    """Files with such pixels, in text order."""


@dataclass(frozen=True, slots=True)
class Contents:
    """Contents of the files of a family."""

    kind: Kind
    held: tuple[Held, ...] = ()
    """Values of ``looked_at`` truth files, ascending. Masks with the noise of JPEG count as 0 and 255."""
    looked_at: int = 0
    problem: str = ""
    """Reason why the contents are unknown."""
    words: tuple[str, ...] = ()
    """Classes named by polygons, those with most features first."""
    numbered: bool = False
    """Whether values number the objects of one class: many values, nearly each of one connected component."""

    @property
    def values(self) -> tuple[int, ...]:
        """Values of truth files, ascending."""
        return tuple(each.value for each in self.held)

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
    found, problem = of_readable(_values, root, spread(paths, _affordable(root, list(kinds))))
    if not found:
        return Contents("unreadable", problem=problem)
    held = _held(found)
    numbered = _may_be_numbers(held, len(found)) and _are_numbers(
        [root / path for path in spread(list(found), SAMPLED)]
    )
    if not numbered:
        held = _held({path: each if len(each) <= MOST_VALUES else _two(each) for path, each in found.items()})
    return Contents("truth", held, len(found), numbered=numbered)


def together(parts: Sequence[Contents]) -> Contents:
    """Contents of several families of one kind: those of the first, with the values of all."""
    counts = [{each.value: each for each in part.held} for part in parts]
    held = []
    for value in sorted({value for each in counts for value in each}):
        every = [each[value] for each in counts if value in each]
        paths = tuple(sorted({path for each in every for path in each.paths}))
        held.append(Held(value, sum(each.pixels for each in every), paths))
    return replace(parts[0], held=tuple(held), looked_at=sum(each.looked_at for each in parts))


def _affordable(root: Path, paths: Sequence[str]) -> int:
    """Number of files whose values can be counted soon, by the sizes of some."""
    largest = max(height * width for height, width in (file_size(root / path) for path in paths))
    return min(MOST_VALUES_SAMPLED, max(VALUES_SAMPLED, PIXELS_COUNTED // max(1, largest)))


def _held(found: Mapping[str, Mapping[int, int]]) -> tuple[Held, ...]:
    """Values of files, from path → value → pixels."""
    values = sorted({value for each in found.values() for value in each})
    return tuple(
        Held(
            value,
            sum(each.get(value, 0) for each in found.values()),
            tuple(sorted(path for path, each in found.items() if value in each)),
        )
        for value in values
    )


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
            problems.append(str(problem).splitlines()[0])
    return found, problems[0] if problems else ""


def _polygons(root: Path, paths: Sequence[str]) -> Contents:
    looked_at, words = spread(paths, VALUES_SAMPLED), Counter[str]()
    for path in looked_at:
        try:
            found = [each for each in features((root / path).read_bytes()) if each.areas and not each.is_core]
        except ValueError as problem:
            return Contents("unreadable", problem=f"{path}: {problem}")
        words.update(each.names[0] if each.names else each.title for each in found)
    return Contents("polygons", looked_at=len(looked_at), words=tuple(word for word, _ in words.most_common() if word))


def _may_be_numbers(held: Sequence[Held], files: int) -> bool:
    """Test for enough values to be numbers of objects, and not the same in every file, as those of classes are."""
    return len(held) > LEAST_OBJECTS and (files < 2 or any(len(each.paths) < files for each in held if each.value))


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


def _values(path: Path) -> dict[int, int]:
    """Value → pixels."""
    height, width = file_size(path)
    if height * width > LARGEST:
        return {}
    with open_values(path, labels=True) as source:
        counts = count_values(source, path=path)
    found = {int(value): int(pixels) for value, pixels in zip(counts.values, counts.pixels, strict=True)}
    top = max(found, default=0)
    if sum(value > 0 for value in found) > DENSE * top and len(found) <= MOST_NUMBERS:
        return found  # Numbers from 1 on, as noise does not have them.
    low, high = counts.values <= NOISE, counts.values >= top - NOISE
    mostly = counts.pixels[low | high].sum() >= TWO_VALUED * counts.pixels.sum()
    noisy = top > 2 * NOISE and min(np.count_nonzero(low), np.count_nonzero(high)) > 1 and mostly
    return _two(found) if noisy or len(found) > MOST_VALUES else found


def _two(found: Mapping[int, int]) -> dict[int, int]:
    """Value → pixels of a mask whose values around 0 and the maximum come from JPEG."""
    middle = sum(pixels for value, pixels in found.items() if 2 * value > max(found))
    return {0: sum(found.values()) - middle, BYTE: middle}
