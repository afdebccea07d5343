"""Warnings about the data from normalised stores: truth that covers or misses the region, erased lesions, stains."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.counts import number_of
from pipeline.normalized.stain.record import NO_H_AND_E, RED_INK
from pipeline.raw.data_warnings import DataWarning, Kind, most_of
from pipeline.raw.sheet_warnings import read_sheet_warnings
from pipeline.stores import open_group

__all__ = ["outside_warnings", "read_warnings", "store_warnings"]

NOTES = "lesionmap"
REGION = "field of view or tissue"
MUCH = 0.01
"""Share of truth outside the region from which a warning is serious."""


def store_warnings(notes: Mapping[str, Any]) -> list[DataWarning]:
    """Warnings from the truth counts and stain flags of normalised images.

    See `pipeline.normalized.truth_counts` and `pipeline.normalized.stain.checks`.

    Parameters
    ----------
    notes
        Image id → notes of its store; images without truth have no truth counts.
    """
    counts = _truth_counts(notes)
    found = [_covering(code, images, notes=notes) for code, images in counts.items()]
    found += [_outside(code, images) for code, images in counts.items()]
    found += [_erased(code, images) for code, images in counts.items()]
    found += [_flagged("no_h_and_e", "the stains are not those of H&E, and are not used", NO_H_AND_E, notes)]
    found += [_flagged("red_ink", "red ink or the like counts as eosin", RED_INK, notes)]
    return [each for each in found if each is not None]


def _truth_counts(notes: Mapping[str, Any]) -> dict[str, dict[str, Mapping[str, int]]]:
    """Class → image with truth → its counts."""
    counts: dict[str, dict[str, Mapping[str, int]]] = {}
    for image, each in sorted(notes.items()):
        for code, count in (each or {}).get("truth", {}).items():
            counts.setdefault(code, {})[image] = count
    return counts


def _flagged(kind: Kind, said: str, begin: str, notes: Mapping[str, Any]) -> DataWarning | None:
    images = [image for image, each in sorted(notes.items()) if any(begin in flag for flag in _flags(each))]
    return DataWarning.of_images(kind, said, images) if images else None


def _flags(notes: Mapping[str, Any] | None) -> list[str]:
    return list((notes or {}).get("flags", ()))


def _covering(
    code: str, images: Mapping[str, Mapping[str, int]], *, notes: Mapping[str, Mapping[str, Any]]
) -> DataWarning | None:
    def region(image: str) -> float:
        mapping = notes[image]["mapping"]
        return float(notes[image]["roi_share"] * mapping["height"] * mapping["width"])

    shares = {
        image: count["in_roi"] / region(image)
        for image, count in images.items()
        if count["pixels"] > 0 and region(image) > 0
    }
    return most_of(code, shares, of=REGION)


def outside_warnings(normalized: Mapping[str, Path]) -> list[DataWarning]:
    """Warnings of truth outside the region, for each class; serious from a hundredth of the truth.

    Parameters
    ----------
    normalized
        Image id → store, of any split.
    """
    counts = _truth_counts(_notes(normalized))
    found = (_outside(code, images) for code, images in counts.items())
    return [each for each in found if each is not None]


def _outside(code: str, images: Mapping[str, Mapping[str, int]]) -> DataWarning | None:
    found = {image: count["pixels"] - count["in_roi"] for image, count in images.items()}
    beyond, total = sum(found.values()), sum(count["pixels"] for count in images.values())
    if not beyond:
        return None
    said = f"{beyond:,} of {total:,} truth pixels ({beyond / total:.1%}) lie outside {REGION}"
    named = sorted((image for image, count in found.items() if count), key=lambda image: -found[image])
    return DataWarning.of_images("outside_roi", said, named, code=code, serious=beyond >= MUCH * total)


def _erased(code: str, images: Mapping[str, Mapping[str, int]]) -> DataWarning | None:
    found = {image: count["erased"] for image, count in images.items() if count.get("erased")}
    if not found:
        return None
    erased, total = sum(found.values()), sum(count.get("components", 0) for count in images.values())
    said = f"{erased:,} of {number_of(total, 'region')} of the truth (connected components) {'has' if erased == 1 else 'have'} no pixel left after rescaling"
    return DataWarning.of_images("erased", said, list(found), code=code, count=erased)


def read_warnings(
    sheets: Iterable[Path], *, images: Path, normalized: Mapping[str, Path] | None = None
) -> list[DataWarning]:
    """Warnings about the data of a run, from its fact sheets and existing normalised stores.

    Parameters
    ----------
    sheets
        Fact sheets ``raw/{image}.json``.
    images
        Table of images ``raw/images.parquet``, with the splits.
    normalized
        Image id → store. Where both give a warning, that of the store is more exact.
    """
    notes = _notes(normalized or {})
    both = [*read_sheet_warnings(sheets, images=images), *store_warnings(notes)]
    return list({(each.kind, each.code, "" if each.code else each.sentence): each for each in both}.values())


def _notes(normalized: Mapping[str, Path]) -> dict[str, Any]:
    return {image: dict(open_group(path).attrs).get(NOTES) for image, path in normalized.items()}
