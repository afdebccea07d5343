"""Data set adaptor of any folder: images and truth found by patterns with a placeholder for the image's name."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.manifest import FolderLayout
from pipeline.errors import ManifestError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import visible_files
from pipeline.words import distinct_ids

__all__ = ["expression", "list_folder", "matches", "truth_without_image"]

TOKENS = re.compile(r"\{image\}|\{group\}|\*\*/|\*|\?")
SUFFIX = re.compile(r"(?:\.ome)?\.[A-Za-z0-9]+$")
MEANINGS = {
    "{image}": r"(?P<image>[^/]+)",
    "{group}": r"(?P<group>[^/]+)",
    "**/": r"(?:[^/]+/)*",
    "*": r"[^/]*",
    "?": r"[^/]",
}


def expression(pattern: str) -> re.Pattern[str]:
    """Regular expression of a pattern, for POSIX paths relative to the root. The suffix matches whatever its case.

    Examples
    --------
    >>> expression("{image}_MA.tif").fullmatch("eye_MA.TIF")["image"]
    'eye'
    >>> expression("masks/{image}_MA.*").fullmatch("masks/eye 1_MA.png")["image"]
    'eye 1'
    """
    text, at = "", 0
    for token in TOKENS.finditer(pattern):
        text += re.escape(pattern[at : token.start()]) + MEANINGS[token[0]]
        at = token.end()
        name = token[0].strip("{}")
        if name != token[0] and f"(?P<{name}>" in text.removesuffix(MEANINGS[token[0]]):
            text = text.removesuffix(MEANINGS[token[0]]) + f"(?P={name})"
    rest = pattern[at:]
    suffix = SUFFIX.search(rest)
    end = suffix.start() if suffix else len(rest)
    return re.compile(f"{text}{re.escape(rest[:end])}(?i:{re.escape(rest[end:])})")


def matches(paths: list[str], pattern: str) -> dict[str, list[str]]:
    """Name of the image, with its group → the files that fit a pattern."""
    compiled = expression(pattern)
    found: dict[str, list[str]] = {}
    for path in paths:
        match = compiled.fullmatch(path)
        if match:
            # One letter with an accent may be stored as one character or as two, and a system may change which.
            parts = match.groupdict()
            name = "/".join(parts[each] for each in ("group", "image") if each in parts)
            found.setdefault(unicodedata.normalize("NFC", name), []).append(path)
    return found


def _one_each(paths: list[str], pattern: str, *, what: str) -> dict[str, str]:
    found = matches(paths, pattern)
    for name, several in found.items():
        if len(several) > 1:
            raise ManifestError(
                f"Several files are the {what} of one image.",
                where=pattern,
                found=", ".join(several),
                expected=f"one file for {name!r}",
                remedy="Narrow the pattern, or rename files. Where folders are patients, write {group}/{image} in the "
                "patterns of images and truth.",
            )
    return {name: several[0] for name, several in found.items()}


@dataclass(frozen=True, slots=True)
class _Found:
    """Files by the names of their images, relative to the root."""

    images: dict[str, str]
    labels: dict[str, str]
    annotations: dict[str, str]
    masks: dict[str, dict[str, str]]
    """By class code."""

    @property
    def truths(self) -> list[dict[str, str]]:
        return [self.labels, self.annotations, *self.masks.values()]


def _found(root: Path, *, layout: FolderLayout) -> _Found:
    paths = visible_files(root)
    labels = _one_each(paths, layout.label, what="label image") if layout.label else {}
    drawn = _one_each(paths, layout.annotations, what="annotations") if layout.annotations else {}
    masks = {code: _one_each(paths, each, what=f"{code} mask") for code, each in layout.masks.items()}
    truths = {*labels.values(), *drawn.values(), *(path for each in masks.values() for path in each.values())}
    # A wide image pattern must not match the masks beside the images.
    images = _one_each([path for path in paths if path not in truths], layout.images, what="image")
    return _Found(images, labels, drawn, masks)


def truth_without_image(root: Path, *, layout: FolderLayout) -> list[str]:
    """Truth files without an image, relative to the root: their names differ beyond the placeholders of the patterns."""
    found = _found(root, layout=layout)
    return sorted({path for each in found.truths for name, path in each.items() if name not in found.images})


def _finds(pattern: str | None, path: str) -> bool:
    return pattern is not None and re.search(pattern, path) is not None


def list_folder(root: Path, *, layout: FolderLayout) -> list[ImageEntry]:
    """Images that match, each with its masks, its label image or its annotations.

    An image without any truth file is not annotated and goes to ``predict``, unless ``reviewed`` or ``negative``
    declares it free of lesions.

    Raises
    ------
    ManifestError
        Two files for one image, or one class of one image.
    """
    found = _found(root, layout=layout)
    ids = distinct_ids(found.images)
    entries = []
    for name, path in found.images.items():
        own = tuple((code, root / each[name]) for code, each in found.masks.items() if name in each)
        label, polygons = (root / each[name] if name in each else None for each in (found.labels, found.annotations))
        free = layout.reviewed == "negative" or _finds(layout.negative, path)
        entries.append(
            ImageEntry(
                ids[name],
                root / path,
                own,
                label,
                official_test=_finds(layout.test, path),
                annotated=bool(own or label or polygons) or free,
                lesion_free=free,
                group=name.rpartition("/")[0],
                annotations=polygons,
            )
        )
    return entries
