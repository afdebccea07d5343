"""Overlays of a segmentation: outlines in the fixed class colours, errors in separate colours, a heat map.

Pure functions over pictures ``(h, w, 3)`` uint8 RGB and masks ``(class, h, w)``.
"""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box, clip_start
from pipeline.report.pictures.reduce import ERRORS

__all__ = [
    "ERROR_COLOURS",
    "HEAT_MAP",
    "RGB",
    "Picture",
    "contour",
    "dimmed",
    "draw_classes",
    "draw_masks",
    "errors",
    "heat",
    "interesting_box",
    "outline",
]

Picture: TypeAlias = NDArray[np.uint8]
RGB: TypeAlias = tuple[int, int, int]

ERROR_COLOURS: dict[str, RGB] = {
    "hit": (240, 240, 240),
    "false_positive": (255, 140, 0),
    "false_negative": (0, 200, 235),
    "other_class": (190, 110, 255),
}
"""Distinguishable for colour-blind readers too, and none of them a class colour."""

CONTOUR: tuple[RGB, RGB] = ((120, 255, 230), (10, 30, 40))
"""Line of a contour and its rim."""
HEAT_MAP = "inferno"
_FILL = 0.35
_GROUND, _LEAST_RANGE = (14.0, 118.0), 64.0
"""Grey levels of a background, and the least range of an image that is stretched to them."""


def outline(picture: Picture, mask: NDArray[np.bool_], *, colour: RGB, thickness: int = 1) -> Picture:
    """Outline of a mask ``(h, w)`` on an image, drawn outside of it, so that even one pixel stays visible."""
    size = 2 * thickness + 1
    grown = cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    drawn = picture.copy()
    drawn[(grown > 0) & ~mask] = colour
    return drawn


def contour(picture: Picture, mask: NDArray[np.bool_], *, thickness: int) -> Picture:
    """Contour of a region ``(h, w)``, drawn inside, bright on a dark rim, so that it is visible on images of any colour."""
    rim = outline(picture, ~mask, colour=CONTOUR[1], thickness=2 * thickness)
    return outline(rim, ~mask, colour=CONTOUR[0], thickness=thickness)


def _blend(picture: Picture, mask: NDArray[np.bool_], *, colour: RGB, share: float) -> Picture:
    blended = picture.astype(np.float32)
    blended[mask] += share * (np.array(colour, dtype=np.float32) - blended[mask])
    return np.rint(blended).astype(np.uint8)


def draw_masks(
    picture: Picture,
    masks: NDArray[np.bool_],
    *,
    colours: Sequence[RGB],
    drawing_order: Sequence[int],
    filled: bool,
    thickness: int = 1,
) -> Picture:
    """Overlay of masks on a picture.

    Parameters
    ----------
    picture
        ``(h, w, 3)``.
    masks
        ``(class, h, w)``.
    colours
        Of each class.
    drawing_order
        Numbers of the classes, the one that lies on top last.
    filled
        Whether the inside is tinted, as for a prediction; truth is outlined only.
    thickness
        Of the lines, pixels.
    """
    drawn = picture
    for at in drawing_order:
        if masks[at].any():
            tinted = _blend(drawn, masks[at], colour=colours[at], share=_FILL) if filled else drawn
            drawn = outline(tinted, masks[at], colour=colours[at], thickness=thickness)
    return drawn


def draw_classes(
    picture: Picture, masks: NDArray[np.bool_], record: DatasetRecord, *, filled: bool, thickness: int = 1
) -> Picture:
    """Overlay of the classes of a data set, in their colours and by their priority; see ``draw_masks``."""
    colours = [each.rgb for each in record.classes]
    order = [record.codes.index(code) for code in reversed(record.order)]
    return draw_masks(picture, masks, colours=colours, drawing_order=order, filled=filled, thickness=thickness)


def dimmed(picture: Picture) -> Picture:
    """Image in dark grey, as a background for colours; stretched, so that a dark image does not become black."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY).astype(np.float32)
    low, high = (float(each) for each in np.percentile(grey, (1, 99)))
    share = np.clip((grey - low) / max(high - low, _LEAST_RANGE), 0, 1)
    ground = _GROUND[0] + share * (_GROUND[1] - _GROUND[0])
    return np.repeat(np.rint(ground).astype(np.uint8)[:, :, None], 3, axis=2)


def errors(picture: Picture, kinds: NDArray[np.int64]) -> Picture:
    """Error map: the commonest kind of each pixel in ``ERROR_COLOURS`` over the dimmed picture.

    Parameters
    ----------
    picture
        ``(h, w, 3)``.
    kinds
        ``(4, h, w)``: number of pixels of each kind of ``ERRORS``; in a tie the error is shown.
    """
    drawn = dimmed(picture)
    commonest = len(ERRORS) - 1 - np.argmax(kinds[::-1], axis=0)
    anything = kinds.any(axis=0)
    for at, kind in enumerate(ERRORS):
        drawn[anything & (commonest == at)] = ERROR_COLOURS[kind]
    return drawn


def heat(picture: Picture, probability: NDArray[np.floating]) -> Picture:
    """Heat map of a probability ``(h, w)`` in [0, 1]; the lower, the more of the dimmed picture shows through."""
    value = np.clip(probability.astype(np.float32), 0, 1)
    colour = np.asarray(colormaps[HEAT_MAP](value), dtype=np.float32)[..., :3] * 255
    share = np.sqrt(value)[..., None]
    ground = dimmed(picture).astype(np.float32)
    return np.asarray(np.rint(ground + share * (colour - ground)), dtype=np.uint8)


def interesting_box(masks: NDArray[np.bool_], *, shape: tuple[int, int], side: int) -> Box:
    """Box of interest: the square of ``side`` pixels where most classes have most of their borders.

    Parameters
    ----------
    masks
        ``(class, h, w)`` on the picture: truth or prediction, lesions only where there are any.
    shape
        ``(height, width)`` of the image that the picture stands for.
    side
        Of the square in pixels of the image; cut where the image is smaller.

    Notes
    -----
    The score of a place is the sum over classes of the square root of the weighted share of border pixels around it,
    with nearer ones weighted more. So a second class counts more than more of the first, and the rim of a large region
    more than its inside. Without any mask the box is the middle of the image.
    """
    height, width = min(side, shape[0]), min(side, shape[1])
    scale_y, scale_x = masks.shape[1] / shape[0], masks.shape[2] / shape[1]
    spread = max(width * scale_x / 5, 0.5), max(height * scale_y / 5, 0.5)
    score = np.zeros(masks.shape[1:], dtype=np.float32)
    for mask in masks:
        edge = mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
        share = cv2.GaussianBlur(
            edge.astype(np.float32), (0, 0), sigmaX=spread[0], sigmaY=spread[1], borderType=cv2.BORDER_CONSTANT
        )
        score += np.sqrt(np.maximum(share, 0))
    # Rounded, so that the same place wins whatever the order of a library's additions.
    best_y, best_x = divmod(int(np.argmax(np.round(score, 4))), masks.shape[2])
    y, x = (best_y + 0.5, best_x + 0.5) if score.any() else (masks.shape[1] / 2, masks.shape[2] / 2)
    y0 = clip_start(round(y / scale_y - height / 2), height, shape[0])
    x0 = clip_start(round(x / scale_x - width / 2), width, shape[1])
    return Box(y0, x0, y0 + height, x0 + width)
