"""Patterns of the manifest that find nothing: how many files match each, and which file lies nearest to what was meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from pipeline.config.manifest import FolderLayout
from pipeline.counts import number_of
from pipeline.errors import ManifestError, printable
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import visible_files
from pipeline.raw.datasets.folder import expression
from pipeline.raw.datasets.left_over import PICTURES, POLYGONS
from pipeline.raw.formats.suffixes import SLIDES, TIFF, ZARR

__all__ = ["check_images_found", "check_truth_found"]

DATA = (*PICTURES, *TIFF, *SLIDES, *POLYGONS, ZARR)
WHAT = {"label": "a label image", "annotations": "a file of annotations"}
MOST_COMPARED = 1000
"""Most files of a folder that are compared with a pattern."""
MOST_SAID = 3
"""Most patterns of one message."""


def check_images_found(entries: Sequence[ImageEntry], *, layout: FolderLayout, dataset: str, root: Path) -> None:
    """Check that the pattern of the images finds any.

    Raises
    ------
    ManifestError
        It finds none. Names the nearest file.
    """
    if entries:
        return
    paths = visible_files(root)
    raise ManifestError(
        f"Data set {dataset!r} has no images.",
        where=f"{root}: images {layout.images}",
        found=f"0 of {number_of(len(paths), 'file')} match{_there(layout.images, paths)}",
        expected="at least one image",
        remedy="Write the pattern images as the files are named, {image} for what differs; or check the root.",
    )


def check_truth_found(
    entries: Sequence[ImageEntry], *, layout: FolderLayout, codes: Sequence[str], dataset: str, root: Path
) -> None:
    """Check that each pattern of truth finds the truth of some image.

    Parameters
    ----------
    entries
        Images with their truth.
    layout
        The patterns.
    codes
        Classes that need truth.
    dataset
        Name of the data set.
    root
        Its folder.

    Raises
    ------
    ManifestError
        One finds none. Names the class, its pattern, how many files match it, the nearest file, and a pattern that would
        find it.
    """
    empty = dict(_empty(entries, layout=layout, codes=codes))
    if not empty:
        return
    paths, images = visible_files(root), {path.as_posix() for entry in entries for path in entry.files.values()}
    others = [path for path in paths if (root / path).as_posix() not in images]
    said = [_said(name, pattern, others, entries=entries, root=root) for name, pattern in empty.items()]
    kind = next((each for each in WHAT if each in empty), "masks")
    raise ManifestError(
        f"No image of data set {dataset!r} has {WHAT.get(kind) or 'a mask of ' + ', '.join(empty)}.",
        where=f"{root}: {kind}",
        found="; ".join([*said[:MOST_SAID], *([f"and {len(said) - MOST_SAID} more"] if len(said) > MOST_SAID else [])]),
        expected="at least one file for each, named like its image where {image} stands",
        remedy=_remedy(empty, others, entries=entries, kind=kind),
    )


def _empty(entries: Sequence[ImageEntry], *, layout: FolderLayout, codes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Class code or key, and pattern, of the truth that no image has."""
    if not codes:
        return
    if layout.label is not None and not any(entry.label for entry in entries):
        yield "label", layout.label
    if layout.annotations is not None and not any(entry.annotations for entry in entries):
        yield "annotations", layout.annotations
    seen = {code for entry in entries for code, _ in entry.masks}
    yield from ((code, pattern) for code, pattern in layout.masks.items() if code not in seen)


def _said(name: str, pattern: str, others: Sequence[str], *, entries: Sequence[ImageEntry], root: Path) -> str:
    compiled = expression(pattern)
    matching = [path for path in others if compiled.fullmatch(path)]
    beside = f"beside {number_of(len(entries), 'image')}"
    if matching:
        image = next((entry.image.relative_to(root).as_posix() for entry in entries if entry.image), "")
        match = compiled.fullmatch(matching[0])
        stands = match["image"] if match else ""
        return (
            f"{name}: {number_of(len(matching), 'file')} match the pattern {pattern}, such as {printable(matching[0])}"
            f" for an image {printable(stands)}, {beside} like {printable(image)}, but none has such a name"
        )
    return f"{name}: 0 files match the pattern {pattern}, {beside}{_there(pattern, others, name=name)}"


def _there(pattern: str, paths: Sequence[str], *, name: str = "") -> str:
    """Words on the files of the folder nearest to that of a pattern; empty where no data are there."""
    folder, files = _nearest_folder(pattern, paths)
    if not files:
        return "; no other file with the suffix of a picture, a slide or polygons is there"
    place = f"the folder {folder}" if folder != "." else "the root itself"
    return f"; in {place}: {number_of(len(files), 'file')} like {printable(_nearest_file(pattern, files, name=name))}"


def _nearest_folder(pattern: str, paths: Sequence[str]) -> tuple[str, list[str]]:
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        if PurePosixPath(path).suffix.lower() in DATA:
            by_folder.setdefault(PurePosixPath(path).parent.as_posix(), []).append(path)
    meant = PurePosixPath(pattern).parent.as_posix()
    if not by_folder:
        return meant, []
    nearest = max(by_folder, key=lambda each: _likeness(meant, each))
    return nearest, by_folder[nearest]


def _nearest_file(pattern: str, files: Sequence[str], *, name: str = "") -> str:
    """File named like a pattern, preferably with the class in its name."""
    own = re.compile(rf"(?:^|[^0-9a-z]){re.escape(name.lower())}(?:[^0-9a-z]|$)") if name else None
    return max(
        files[:MOST_COMPARED],
        key=lambda each: (bool(own and own.search(each.lower())), _likeness(pattern, each)),
    )


def _likeness(pattern: str, path: str) -> float:
    return SequenceMatcher(None, re.sub(r"\{\w+\}|\*+|\?", "", pattern).lower(), path.lower(), autojunk=False).ratio()


def _remedy(empty: Mapping[str, str], others: Sequence[str], *, entries: Sequence[ImageEntry], kind: str) -> str:
    fitting = [
        f"{name}: {found}"
        for name, pattern in empty.items()
        if (found := _fitting_pattern(pattern, others, name=name, entries=entries))
    ]
    advice = f" A pattern that fits a file that is there: {'; '.join(fitting[:MOST_SAID])}." if fitting else ""
    taken = "take the class out of the manifest" if kind == "masks" else f"take {kind} out of the manifest"
    return f"Mend the pattern of each in the manifest, or add its files, or {taken}.{advice}"


def _fitting_pattern(pattern: str, others: Sequence[str], *, name: str, entries: Sequence[ImageEntry]) -> str | None:
    """Pattern of the nearest file with the name of an image in its own; None if there is none, or patients have folders."""
    names = sorted({entry.image.stem.removesuffix(".ome") for entry in entries if entry.image}, key=len, reverse=True)
    _, files = _nearest_folder(pattern, others)
    if not files or "{group}" in pattern or not names:
        return None
    path = PurePosixPath(_nearest_file(pattern, files, name=name if name not in ("label", "annotations") else ""))
    inner = next((each for each in names if each in path.name), None)
    return None if inner is None else path.with_name(path.name.replace(inner, "{image}", 1)).as_posix()
