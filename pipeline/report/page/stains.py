"""Stain estimates of the images, from stage normalized, read tolerantly, and their colours.

An estimate may lack anything: an image without tissue has no vectors, one by Reinhard has only means. Missing values
are None here and dashes on the page.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import cv2
import numpy as np
import pandas as pd

from pipeline.arrays.optical_density import NO_BACKGROUND, intensity
from pipeline.errors import StoreError
from pipeline.report.pictures.overlays import RGB
from pipeline.report.pictures.store_pictures import store_shape
from pipeline.stores.documents import read_json

__all__ = [
    "ANGLES",
    "METHODS",
    "NAMES",
    "Stained",
    "Stains",
    "Triple",
    "lab_colour",
    "lab_of",
    "read_stains",
    "stain_colours",
    "stained_images",
    "stains_frame",
    "to_list",
]

Triple: TypeAlias = tuple[float, ...]
NAMES = ("haematoxylin", "eosin")
METHODS = {
    "vahadane": "Vahadane",
    "macenko": "Macenko",
    "reinhard": "Reinhard",
    "reference": "reference",
    "none": "unchanged",
}
ANGLES = ("between", "haematoxylin", "eosin")
"""Degrees: between the two vectors, and of each to its reference."""


@dataclass(frozen=True, slots=True)
class Stains:
    """Stain estimate of one ``stain.json`` or ``target.json``."""

    method: str
    """As configured."""
    used: str
    """The method of these numbers; ``none``: the image is left unchanged."""
    matrix: tuple[Triple, ...] | None
    """Unit vectors of optical density of haematoxylin and eosin, red, green, blue."""
    maxima: Triple | None
    """High percentile of the concentrations of both."""
    background: Triple | None
    """Grey levels of glass."""
    mean: Triple | None
    """L*, a*, b* of the tissue (Reinhard)."""
    deviation: Triple | None
    """Standard deviations of the same."""
    tissue_pixels: int | None
    angles: Mapping[str, float]
    """Those of ``ANGLES`` that are known."""
    flags: tuple[str, ...]
    source: str = ""
    """Source of a target."""


@dataclass(frozen=True, slots=True)
class Stained:
    """Image of the data set with its stain estimate."""

    image_id: str
    split: str
    centre: str
    stains: Stains
    tissue_share: float
    """Share of tissue in the normalised image; NaN where unknown."""

    @property
    def is_odd(self) -> bool:
        """Test for an odd image, with a flag or another method than the configured one."""
        return bool(self.stains.flags) or self.stains.used != self.stains.method


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _numbers(value: object, *, count: int) -> Triple | None:
    """The given number of finite values; None for anything else."""
    if not isinstance(value, list) or len(value) != count or not all(_is_number(each) for each in value):
        return None
    return tuple(float(each) for each in value)


def _vectors(value: object) -> tuple[Triple, ...] | None:
    rows = [_numbers(row, count=3) for row in value] if isinstance(value, list) else []
    known = tuple(row for row in rows if row is not None)
    return known if len(known) == len(rows) == 2 else None


def _angles(value: object) -> dict[str, float]:
    found = value if isinstance(value, dict) else {}
    return {name: float(found[name]) for name in ANGLES if _is_number(found.get(name))}


def read_stains(path: Path) -> Stains:
    """Stain estimate or target, read from its file.

    Raises
    ------
    StoreError
        The file is missing, or holds no JSON object.
    """
    try:
        found: Any = read_json(path)
    except (OSError, ValueError) as problem:
        found = problem
    if not isinstance(found, dict):
        raise StoreError(
            "An estimate of stains cannot be read.",
            where=path.name,
            found=found,
            expected="a JSON object",
            remedy="Delete the file; the next run writes it anew.",
        )
    tissue, flags = found.get("tissue_pixels"), found.get("flags")
    return Stains(
        method=str(found.get("method", "")),
        used=str(found.get("used", "")),
        matrix=_vectors(found.get("matrix")),
        maxima=_numbers(found.get("maxima"), count=2),
        background=_numbers(found.get("background"), count=3),
        mean=_numbers(found.get("mean"), count=3),
        deviation=_numbers(found.get("deviation"), count=3),
        tissue_pixels=int(tissue) if _is_number(tissue) else None,
        angles=_angles(found.get("angles")),
        flags=tuple(str(flag) for flag in flags) if isinstance(flags, list) else (),
        source=str(found.get("from", "")),
    )


def stained_images(paths: Mapping[str, Path], table: pd.DataFrame, *, normalized: Mapping[str, Path]) -> list[Stained]:
    """Stain estimates of all images, by centre and then by id.

    Parameters
    ----------
    paths
        Image id → ``stain.json``.
    table
        The images table: split and centre.
    normalized
        Image id → store, for the share of tissue.
    """
    rows = {str(row["image_id"]): row for row in table.to_dict("records")}
    found = []
    for image, path in paths.items():
        stains, pixels = read_stains(path), math.prod(store_shape(normalized[image])) if image in normalized else 0
        share = stains.tissue_pixels / pixels if pixels and stains.tissue_pixels is not None else math.nan
        row = rows.get(image, {})
        found.append(Stained(image, str(row.get("split", "")), str(row.get("centre", "")), stains, share))
    return sorted(found, key=lambda each: (each.centre, each.image_id))


def to_list(images: Sequence[Stained], *, most: int) -> list[Stained]:
    """Images to list: all odd ones, then the first of each centre, then the second, until there are ``most``."""
    seen: Counter[str] = Counter()
    turns = {}
    for each in images:
        if not each.is_odd:
            turns[each.image_id] = seen[each.centre]
            seen[each.centre] += 1
    room = max(most - (len(images) - len(turns)), 0)
    plain = set(sorted(turns, key=lambda image: turns[image])[:room])
    return [each for each in images if each.is_odd or each.image_id in plain]


def stain_colours(stains: Stains) -> tuple[RGB, RGB] | None:
    """Stain colours: white light through the high amount of each stain alone, ``255 · exp(-maximum · vector)``."""
    if stains.matrix is None or stains.maxima is None:
        return None
    seen = intensity(np.asarray(stains.maxima)[:, None] * np.asarray(stains.matrix), i0=NO_BACKGROUND)
    first, second = ((int(red), int(green), int(blue)) for red, green, blue in seen)
    return first, second


def lab_colour(lab: Triple) -> RGB:
    """Colour of L* (0 to 100), a*, b* as grey levels of red, green and blue."""
    rgb = cv2.cvtColor(np.asarray(lab, np.float32)[None, None], cv2.COLOR_LAB2RGB)[0, 0]
    red, green, blue = (int(level) for level in np.clip(np.rint(255 * rgb), 0, 255))
    return red, green, blue


def lab_of(colour: RGB) -> Triple:
    """CIELAB values of a colour: L* (0 to 100), a*, b*."""
    found = cv2.cvtColor(np.asarray(colour, np.float32)[None, None] / 255, cv2.COLOR_RGB2LAB)[0, 0]
    return tuple(float(each) for each in found)


def _columns(name: str, values: Triple | None, parts: Iterable[str]) -> dict[str, float]:
    names = [f"{name}_{part}" for part in parts]
    return dict(zip(names, values or [math.nan] * len(names), strict=True))


def stains_frame(images: Sequence[Stained]) -> pd.DataFrame:
    """Table of stain estimates, one row per image; unknown is not a number, and -1 where pixels are counted."""
    rows = []
    for each in images:
        stains = each.stains
        first, second = stains.matrix or (None, None)
        rows.append(
            {
                "image_id": each.image_id,
                "split": each.split,
                "centre": each.centre,
                "method": stains.method,
                "used": stains.used,
                **_columns("haematoxylin", first, ("red", "green", "blue")),
                **_columns("eosin", second, ("red", "green", "blue")),
                **_columns("maximum", stains.maxima, ("haematoxylin", "eosin")),
                **{f"angle_{name}": stains.angles.get(name, math.nan) for name in ANGLES},
                **_columns("background", stains.background, ("red", "green", "blue")),
                **_columns("mean", stains.mean, ("l", "a", "b")),
                **_columns("deviation", stains.deviation, ("l", "a", "b")),
                "tissue_pixels": -1 if stains.tissue_pixels is None else stains.tissue_pixels,
                "tissue_share": each.tissue_share,
                "flags": "; ".join(stains.flags),
            }
        )
    return pd.DataFrame(rows)
