"""Match of truth and images by their names, and what stands for folders in which both lie."""

import re
from collections.abc import Sequence

from pipeline.raw.inspection.families import Family, merged_folders, name_around

__all__ = ["names_of", "of_images", "place_of", "siblings", "without_common"]

SPLIT = re.compile(r"(?:^|[^a-z])(train|training|test|testing|val|valid|validation)(?:[^a-z]|$)", re.IGNORECASE)
TEST = re.compile(r"(?:^|[^a-z])(test|testing)(?:[^a-z]|$)", re.IGNORECASE)


def siblings(images: Family) -> tuple[str, str | None]:
    """Token for sibling folders, and the expression of the test set: folders of splits, or of patients."""
    if not images.differs:
        return "*", None
    if all(SPLIT.search(part) for part in images.differs):
        tests = [part for part in images.differs if TEST.search(part)]
        return "*", "|".join(f"(?:^|/){re.escape(part)}/" for part in tests) or None
    return "{group}", None


def place_of(truth: Family, *, images: Family) -> str:
    """Token for the sibling folders of truth, which is that of the images."""
    return siblings(images)[0] if truth.differs else "*"


def without_common(images: Family) -> Family | None:
    """The same images without the common prefix of their names: img_001 is named 001."""
    stems = [name.rpartition("/")[2] for name in images.names]
    common = re.match(r"[^\W\d_]+[^0-9A-Za-z]*", stems[0])
    if len(stems) < 2 or common is None or not all(s.startswith(common[0]) and len(s) > common.end() for s in stems):
        return None
    cut = {_renamed(name, name.rpartition("/")[2][common.end() :]): path for name, path in images.names.items()}
    before = images.before + common[0]
    return Family(images.folder, before, images.after, images.suffix, cut, images.differs)


def _renamed(name: str, stem: str) -> str:
    folder = name.rpartition("/")[0]
    return f"{folder}/{stem}" if folder else stem


def of_images(found: Sequence[Family], *, images: Family) -> list[Family]:
    """Families of the files of truth whose names hold those of images, one for each text around the name and each suffix."""
    by_place: dict[tuple[str, str, str], list[Family]] = {}
    for each in found:
        for part in _split_by_name(each, images=images):
            by_place.setdefault((part.before, part.after, part.suffix.lower()), []).append(part)
    return [each for group in by_place.values() for each in _joined(group, images=images)]


def _split_by_name(family: Family, *, images: Family) -> list[Family]:
    """Parts of a family of truth, by the text around the names of images; files that match none are left out."""
    stems = {name.rpartition("/")[2] for name in images.names}
    parts: dict[tuple[str, str], dict[str, str]] = {}
    for name, path in family.names.items():
        around = ("", "") if name in stems else name_around(name, stems)
        inner = name[len(around[0]) : len(name) - len(around[1])]
        if inner in stems:
            parts.setdefault((family.before + around[0], around[1] + family.after), {})[inner] = path
    return [Family(family.folder, *around, family.suffix, names) for around, names in parts.items()]


def _joined(group: Sequence[Family], *, images: Family) -> list[Family]:
    """Truth of sibling folders as one family if the images lie in such folders; else each folder holds one class."""
    return merged_folders(group) if images.differs else list(group)


def names_of(family: Family, *, grouped: bool) -> set[str]:
    """Names of the images of a family, with the folder where it stands for a patient."""
    return {name if grouped else name.rpartition("/")[2] for name in family.names}
