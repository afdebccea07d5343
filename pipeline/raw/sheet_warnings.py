"""Warnings from fact sheets, in sentences: absent and covering classes, turns, polygons, corrections, skipped content."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from pipeline.counts import number_of
from pipeline.errors import printable
from pipeline.raw.data_warnings import DataWarning, Kind, most_of
from pipeline.raw.datasets.tables import SHOWN
from pipeline.raw.facts import read_sheet
from pipeline.stores import read_table

__all__ = ["read_sheet_warnings", "sheet_warnings"]

POLYGONS: tuple[tuple[Kind, str, str, str, str], ...] = (
    ("no_area", "no_area", "no area,", "geometry", "geometries"),
    ("other_class", "other", "of no class of the data set,", "feature", "features"),
)
"""Kind of a warning, its key in fact sheets, and its words."""
Sheet: TypeAlias = Mapping[str, Any]
NEARLY_ALL = 0.9
PIXEL_SIZE = "pixel size"
"""Beginning of remarks on pixel sizes, which identifies the kind, because each remark has its own numbers."""


def sheet_warnings(
    sheets: Iterable[Sheet], *, splits: Mapping[str, str] | None = None, sampled: int | None = None
) -> list[DataWarning]:
    """Warnings of the fact sheets of a data set.

    Parameters
    ----------
    sheets
        Fact sheets, see `pipeline.raw.facts`, in any order. Rejected images do not count.
    splits
        Image id → split, where it is known.
    sampled
        Number of all images if the sheets are of a few only; absence of a class is then stated for those few.
    """
    used = sorted((sheet for sheet in sheets if not sheet["rejected"]), key=lambda sheet: str(sheet["image_id"]))
    found = _absent_classes(used, splits=splits or {}, sampled=sampled)
    return [*found, *_covering(used), *_turned(used), *_emptied(used), *_polygons(used), *_remarks(used)]


def read_sheet_warnings(sheets: Iterable[Path], *, images: Path) -> list[DataWarning]:
    """Warnings of fact sheets ``raw/{image}.json``, with the splits of the table of images ``raw/images.parquet``."""
    table = read_table(images)
    splits = dict(zip(table["image_id"].astype(str), table["split"].astype(str), strict=True))
    return sheet_warnings([read_sheet(path) for path in sheets], splits=splits)


def _holding(sheets: Iterable[Sheet], code: str) -> list[str]:
    return [str(sheet["image_id"]) for sheet in sheets if sheet["pixels"].get(code, -1) > 0]


def _absent_classes(sheets: Sequence[Sheet], *, splits: Mapping[str, str], sampled: int | None) -> list[DataWarning]:
    found = []
    # Every sheet lists all classes, in the order of the manifest.
    for code in sheets[0]["pixels"] if sheets else ():
        known = [sheet for sheet in sheets if sheet["pixels"].get(code, -1) >= 0]
        trained = [sheet for sheet in known if splits.get(str(sheet["image_id"])) == "train"]
        holding = _holding(known, code)
        if known and not holding:
            said = (
                f"{code}: no pixel in {number_of(len(known), 'image')}{f' looked at of {sampled}' if sampled else ''}"
            )
            found.append(DataWarning("no_pixel", code, len(known), (), said))
        elif trained and not _holding(trained, code):
            said = f"no pixel in {number_of(len(trained), 'training image')}, but in others"
            found.append(DataWarning.of_images("not_trained", said, holding, code=code))
    return found


def _covering(sheets: Sequence[Sheet]) -> list[DataWarning]:
    shares: dict[str, dict[str, float]] = {}
    for sheet in sheets:
        for code, count in sheet["pixels"].items():
            if count > 0:
                shares.setdefault(code, {})[str(sheet["image_id"])] = count / (sheet["height"] * sheet["width"])
    found = (most_of(code, each, of="the picture") or _unlike_others(code, each) for code, each in shares.items())
    return [each for each in found if each]


def _unlike_others(code: str, shares: Mapping[str, float]) -> DataWarning | None:
    """Warning of a class that covers nearly all of some images, and at most a tenth of half of the others."""
    found = [image for image, share in shares.items() if share > NEARLY_ALL]
    others = [share for image, share in shares.items() if image not in found]
    if not found or len(others) < len(found) or median(others) > 1 - NEARLY_ALL:
        return None
    said = (
        f"covers more than {NEARLY_ALL:.0%} of the picture in {len(found)} of {len(shares)} images that have it, and"
        f" {median(others):.1%} in the median of the others (inverted?)"
    )
    return DataWarning.of_images("covering", said, found, code=code)


def _turned(sheets: Sequence[Sheet]) -> list[DataWarning]:
    turns = {str(sheet["image_id"]): sheet.get("turns") or {} for sheet in sheets}
    found = {image: each for image, each in turns.items() if len(set(each.values())) > 1}
    if not found:
        return []
    example = ", ".join(f"{name} {turn}" for name, turn in next(iter(found.values())).items())
    said = f"EXIF orientations of image and truth differ ({example}); each file is turned by its own"
    return [DataWarning.of_images("turned", said, list(found))]


def _emptied(sheets: Sequence[Sheet]) -> list[DataWarning]:
    found: dict[str, list[str]] = {}
    for sheet in (each for each in sheets if not each.get("polygons", {}).get("reviewed")):
        for code in (code for code in sheet.get("corrected", ()) if sheet["pixels"].get(code) == 0):
            found.setdefault(code, []).append(str(sheet["image_id"]))
    said = "no area in the correction of images that have a mask file of it"
    return [DataWarning.of_images("emptied", said, images, code=code) for code, images in found.items()]


def _polygons(sheets: Sequence[Sheet]) -> list[DataWarning]:
    accounts = {str(sheet["image_id"]): sheet.get("polygons") or {} for sheet in sheets}
    found: list[DataWarning] = []
    for kind, key, text, noun, nouns in POLYGONS:
        counts = {image: each[key] for image, each in accounts.items() if each.get(key)}
        if counts:
            total = sum(sum(each.values()) for each in counts.values())
            what = printable(", ".join(sorted({name for each in counts.values() for name in each})[:SHOWN]))
            said = f"{text} passed over: {number_of(total, noun, nouns)} ({what})"
            said += f"; classes are {', '.join(sheets[0]['pixels'])}" if kind == "other_class" else ""
            found.append(DataWarning.of_images(kind, said, list(counts), count=total))
    beyond = {image: each.get("outside", 0) + each.get("mostly_outside", 0) for image, each in accounts.items()}
    if total := sum(beyond.values()):
        said = f"{number_of(total, 'polygon')} outside the picture, or for the most part"
        named = [image for image, count in beyond.items() if count]
        found.append(DataWarning.of_images("outside_picture", said, named, count=total))
    return found


def _remarks(sheets: Sequence[Sheet]) -> list[DataWarning]:
    remarks: dict[str, dict[str, int]] = {}
    sizes: dict[str, str] = {}
    for sheet in sheets:
        for text, count in sheet.get("passed_over", {}).items():
            if text.startswith(PIXEL_SIZE):
                sizes[str(sheet["image_id"])] = text
            else:
                remarks.setdefault(text, {})[str(sheet["image_id"])] = count
    found = [
        DataWarning.of_images("harmless", f"{sum(counts.values())} × {text}", list(counts), count=sum(counts.values()))
        for text, counts in sorted(remarks.items())
    ]
    if not sizes:
        return found
    said = f"not used: {number_of(len(sizes), 'pixel size')}, such as {next(iter(sizes.values()))}"
    return [*found, DataWarning.of_images("pixel_size", said, list(sizes))]
