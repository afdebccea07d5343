"""How much is there to see in a box? The structure score, read in strips from a coarse level of the pyramid.

Histology: the mean gradient of the optical density of red light, over tissue. Haematoxylin absorbs red and eosin hardly
does, so nuclei count and fibres, fat membranes and red cells do little; mucus, smooth stroma and out-of-focus fields have
no gradient, glass and pen are no tissue. A gradient is cut at ``CUT`` so that folds and debris do not outweigh cells,
and pixels beside the border of the tissue do not count, because that border itself is a steep step.

Fundus: the mean gradient of the luminance over the field of view, its rim left out in the same way.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.index.counts import Boxes, window_sums
from pipeline.index.image import NormalizedImage
from pipeline.stores import read_box

__all__ = ["CUT", "density_gradient", "luminance_gradient", "structure"]

CUT = 1.0
"""Largest gradient that counts: a factor e in transmitted light over two pixels."""
_SCALE = 1 << 16
"""Gradients are whole numbers of 1/65536, so that sums are exact and do not depend on the strips."""
_LUMINANCE = np.array([77, 150, 29], dtype=np.float32) / np.float32(256)
"""Weights of red, green, blue (Rec. 601)."""
_LARGEST = np.float32(2 * 255)
"""Twice the largest difference of luminance: along two axes the gradient stays below 1."""
_ROI_BYTES = 1 << 26
"""Most bytes of roi of a strip at full size."""
_RED_DENSITY = np.log(np.float32(255)) - np.log(np.maximum(np.arange(256, dtype=np.float32), 1))


def _magnitude(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Central differences over two pixels of values with one more row above and below, and their length."""
    wide = np.pad(values, ((0, 0), (1, 1)), mode="edge")
    down, right = values[2:] - values[:-2], wide[1:-1, 2:] - wide[1:-1, :-2]
    return np.asarray(np.sqrt(down * down + right * right))


def density_gradient(colour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient of the optical density of red light, cut at ``CUT`` and divided by it.

    Parameters
    ----------
    colour
        ``(c, y, x)``, RGB or one channel, with one more row above and below than is wanted.

    Returns
    -------
    NDArray
        ``(y, x)`` without those two rows, in [0, 1]. At the left and right border the outermost pixel is repeated.
    """
    return np.asarray(np.minimum(_magnitude(_RED_DENSITY[colour[0]]) / np.float32(CUT), 1))


def luminance_gradient(colour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient of the luminance; arguments and result as of ``density_gradient``."""
    planes = colour.astype(np.float32)
    light = np.tensordot(_LUMINANCE, planes, axes=1) if len(planes) == len(_LUMINANCE) else planes[0]
    return _magnitude(light) / _LARGEST


GRADIENTS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "histology": density_gradient,
    "fundus": luminance_gradient,
}


def _surrounded(roi: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Pixels inside whose eight neighbours are inside too; one row above and below is taken off."""
    wide = np.pad(roi != 0, ((0, 0), (1, 1)), mode="edge")
    rows = wide[:-2] & wide[1:-1] & wide[2:]
    return np.asarray(rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:])


def _with_edges(values: NDArray[np.uint8], *, strip: Box, halo: Box) -> NDArray[np.uint8]:
    """Repeat the outermost row where the image ends; the rows are the second last axis."""
    missing = (int(strip.y0 == halo.y0), int(strip.y1 == halo.y1))
    return np.pad(values, [(0, 0)] * (values.ndim - 2) + [missing, (0, 0)], mode="edge")


def structure(image: NormalizedImage, boxes: Boxes, *, modality: str) -> NDArray[np.float32]:
    """The score of each box, in [0, 1]: the sum of the gradients that count over all pixels of the box.

    Half a box of glass halves its score. The level at a quarter of the size is used, or the nearest there is: at
    0.5 µm a pixel a nucleus is four pixels across there.

    Parameters
    ----------
    image
        An opened store.
    boxes
        Pixels of the full size, ``(n, 4)``.
    modality
        ``histology`` or ``fundus``.
    """
    height, width = image.coarse.shape[-2:]
    whole, factor, gradient = Box.of_shape(height, width), image.factor, GRADIENTS[modality]

    def read(strip: Box) -> NDArray[np.float32]:
        halo = strip.grow(1, whole)
        wide = Box(halo.y0, 0, halo.y1, width)
        colour = _with_edges(read_box(image.coarse, wide), strip=strip, halo=halo)
        roi = _with_edges(_coarse_roi(image, wide), strip=strip, halo=halo)
        counted = gradient(colour) * _surrounded(roi)
        return np.asarray(np.rint(counted * np.float32(_SCALE)))[None]

    scaled = np.concatenate([boxes[:, :2] // factor, -(-boxes[:, 2:] // factor)], axis=1)
    rows = max(1, min(int(image.coarse.chunks[-2]), _ROI_BYTES // (width * factor * factor)))
    sums = window_sums(read, scaled, height=height, width=width, planes=1, rows=rows)[:, 0]
    area = (scaled[:, 2] - scaled[:, 0]) * (scaled[:, 3] - scaled[:, 1])
    return np.asarray(sums / _SCALE / area, dtype=np.float32)


def _coarse_roi(image: NormalizedImage, box: Box) -> NDArray[np.uint8]:
    """The roi at the top-left pixel of each pixel of the coarse level."""
    full = Box(box.y0 * image.factor, 0, min(box.y1 * image.factor, image.height), image.width)
    return read_box(image.roi, full)[:: image.factor, :: image.factor]
