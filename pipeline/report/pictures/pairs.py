"""Pairs of pictures before and after normalisation: the whole image, and a close-up of one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.report.paths import Look
from pipeline.report.pictures import overlays
from pipeline.report.pictures.overlays import Picture
from pipeline.report.pictures.store_pictures import (
    Shot,
    framed,
    resized,
    roi_picture,
    save_picture,
    store_box,
    store_picture,
    store_shape,
)

__all__ = ["Pair", "before_after", "pairs_to_show", "stained_box"]

PAIR_SIDE = 640
THIN = 200
"""Sides of a picture to the thickness of a contour, which is seen at a third of the size, too."""
NEAR_SIDE = 256
"""Of the place that is shown pixel for pixel: two stand side by side in half a page."""
DARK = 0.5
"""Standard deviations below its mean in red at which tissue counts as nuclei, for choosing a place."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Pictures of one image before and after normalisation."""

    image_id: str
    split: str
    centre: str
    shots: tuple[Shot, ...]
    crop: tuple[Shot, ...] = ()
    """One place at full resolution; empty if not requested or if the whole is no larger."""
    box: Box | None = None
    """That place."""


def pairs_to_show(table: pd.DataFrame, *, most: int) -> list[dict[Any, Any]]:
    """Rows of the images table to show before and after: the first image of each centre, then the next by id."""
    usable = table[table["rejected"] == ""].sort_values("image_id")
    again = usable.groupby("centre", sort=False).cumcount()
    chosen = usable.assign(again=again).sort_values(["again", "image_id"]).head(most)
    return chosen.to_dict("records")


def stained_box(picture: Picture, roi: NDArray[np.bool_], *, shape: tuple[int, int], side: int) -> Box:
    """Box full of nuclei: tissue that is dark in red, which haematoxylin absorbs most.

    Parameters
    ----------
    picture
        ``(h, w, 3)``, the image made small.
    roi
        ``(h, w)``, its tissue.
    shape
        ``(height, width)`` of the image.
    side
        Of the square in pixels of the image; cut where the image is smaller. Without tissue it is the middle.
    """
    red, inside = picture[..., 0], picture[..., 0][roi]
    dark = inside.mean() - DARK * inside.std() if inside.size else 0.0
    return overlays.interesting_box((roi & (red < dark))[None], shape=shape, side=side)


def before_after(
    row: Mapping[str, Any], *, store: Path, look: Look | None, folder: Path, side: int, near: bool = False
) -> Pair:
    """Original picture (where there is one) and normalised picture with the outline of the roi, written.

    Parameters
    ----------
    row
        Of the images table.
    store
        The normalised image.
    look
        Opens the original.
    folder
        Where the pictures go.
    side
        Of the pictures.
    near
        Whether one place of tissue is also shown at full resolution, so that nuclei are visible.
    """
    image, side, shape = str(row["image_id"]), min(side, PAIR_SIDE), store_shape(store)
    after, roi = store_picture(store, side=side), roi_picture(store, side=side)
    box = stained_box(after, roi, shape=shape, side=NEAR_SIDE) if near else Box.of_shape(*shape)
    place = None if box == Box.of_shape(*shape) else box
    original = look(place) if look else None
    wholes = {"after": overlays.contour(after, roi, thickness=max(2, side // THIN))}
    if original is not None:
        wholes["before"] = np.asarray(resized(original.small, after.shape[:2]), np.uint8)
    places: dict[str, Picture] = {}
    if place is not None:
        wholes = {name: framed(each, place, scale=each.shape[0] / shape[0]) for name, each in wholes.items()}
        places["after"] = store_box(store, place)
        if original is not None and original.near is not None:
            places["before"] = original.near
    shots = _saved(wholes, folder, name=f"image.{image}", after=f"Normalised; {_region(roi)}")
    crop = _saved(places, folder, name=f"image.{image}.near", after="Normalised")
    return Pair(image, str(row["split"]), str(row["centre"]), shots, crop, place)


def _region(roi: NDArray[np.bool_]) -> str:
    """Words on the region of interest as it is seen in a picture."""
    if roi.all():
        return "the roi is the whole picture"
    return "roi outlined" if roi.any() else "nothing is inside the roi"


def _saved(pictures: Mapping[str, Picture], folder: Path, *, name: str, after: str) -> tuple[Shot, ...]:
    captions = {"before": "Original", "after": after}
    return tuple(
        save_picture(pictures[when], folder, f"{name}.{when}.jpg", caption=caption)
        for when, caption in captions.items()
        if when in pictures
    )
