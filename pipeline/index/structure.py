"""Structure score of a patch: the mean gradient inside it, from a coarse level of the pyramid.

Histology: the mean gradient of the optical density of red light, over tissue. Haematoxylin absorbs red and eosin hardly
does. So nuclei count; fibres, fat membranes and red cells do little. Mucus, smooth stroma and out-of-focus fields have
no gradient; glass and pen are no tissue. A gradient is cut at ``CUT``, so that folds and debris do not outweigh cells.
Pixels beside the border of the tissue do not count, because that border itself is a steep step.

Fundus: the mean gradient of the luminance over the field of view, its rim left out in the same way.
"""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.index.box_sums import Boxes, box_sums
from pipeline.index.image import NormalizedImage
from pipeline.stores import raster_of

__all__ = ["CUT", "density_gradient", "luminance_gradient", "structure"]

CUT = 1.0
"""Largest gradient that counts: a factor e in transmitted light over two pixels."""
_SCALE = 1 << 16
"""Gradients are multiples of 1/65536, so that sums are exact and independent of the strips."""
_LUMINANCE = np.array([77, 150, 29], dtype=np.float32) / np.float32(256)
"""Weights of red, green, blue (Rec. 601)."""
_LARGEST = np.float32(2 * 255)
"""Twice the largest difference of luminance, which the gradient along two axes never reaches."""
_RED_DENSITY = np.log(np.float32(255)) - np.log(np.maximum(np.arange(256, dtype=np.float32), 1))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _steps(values: NDArray[np.float32], most: np.float32) -> NDArray[np.float32]:
    """Length of the central differences over two pixels, the outermost pixel repeated, cut at ``most`` and divided by it."""
    height, width = values.shape
    found = np.empty((height, width), dtype=np.float32)
    for y in range(height):
        above, here, below = values[max(y - 1, 0)], values[y], values[min(y + 1, height - 1)]
        for x in range(width):
            down, right = below[x] - above[x], here[min(x + 1, width - 1)] - here[max(x - 1, 0)]
            found[y, x] = min(np.sqrt(down * down + right * right) / most, np.float32(1))
    return found


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _light(colour: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted sum of three planes; exact, because weights are multiples of 1/256."""
    _, height, width = colour.shape
    found = np.empty((height, width), dtype=np.float32)
    for y in range(height):
        red, green, blue = colour[0, y], colour[1, y], colour[2, y]
        for x in range(width):
            found[y, x] = weights[0] * red[x] + weights[1] * green[x] + weights[2] * blue[x]
    return found


def density_gradient(colour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient of the optical density of red light, cut at ``CUT`` and divided by it.

    Parameters
    ----------
    colour
        ``(c, y, x)``, RGB or one channel.

    Returns
    -------
    NDArray
        ``(y, x)`` in [0, 1]. Beyond the border the outermost pixel is repeated.
    """
    return np.asarray(_steps(_RED_DENSITY[colour[0]], np.float32(CUT)))


def luminance_gradient(colour: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Gradient of the luminance; argument and result as in ``density_gradient``."""
    light = _light(colour, _LUMINANCE) if len(colour) == len(_LUMINANCE) else colour[0].astype(np.float32)
    return np.asarray(_steps(light, _LARGEST))


GRADIENTS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "histology": density_gradient,
    "fundus": luminance_gradient,
}


def _surrounded(roi: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Inside pixels with all eight neighbours inside; beyond the border the outermost pixel is repeated."""
    wide = np.pad(roi, 1, mode="edge")
    rows = wide[:-2] & wide[1:-1] & wide[2:]
    return np.asarray(rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:])


def structure(image: NormalizedImage, boxes: Boxes, *, modality: str) -> NDArray[np.float32]:
    """Structure score of each box, in [0, 1]: the sum of its counted gradients divided by its number of pixels.

    A box that is half glass gets half the score. The pyramid level nearest to a quarter of the size is used: at 0.5 µm
    per pixel a nucleus is four pixels across there.

    Parameters
    ----------
    image
        An opened store.
    boxes
        Pixels of the full size, ``(n, 4)``.
    modality
        ``histology`` or ``fundus``.
    """
    coarse, factor, gradient = raster_of(image.coarse), image.factor, GRADIENTS[modality]

    def read(strip: Box) -> NDArray[np.int32]:
        halo = strip.grow(1, coarse.box)
        inner = strip.shift(-halo.y0, -halo.x0).slices
        steps, inside = gradient(coarse.read(halo))[inner], _surrounded(_coarse_roi(image, halo))[inner]
        return np.asarray(np.rint(steps * inside * np.float32(_SCALE)), dtype=np.int32)[None]

    scaled = np.concatenate([boxes[:, :2] // factor, -(-boxes[:, 2:] // factor)], axis=1)
    sums = box_sums(Raster(coarse.shape, read), scaled, planes=1, rows=int(image.coarse.chunks[-2]))[:, 0]
    area = (scaled[:, 2] - scaled[:, 0]) * (scaled[:, 3] - scaled[:, 1])
    return np.asarray(sums / _SCALE / area, dtype=np.float32)


def _coarse_roi(image: NormalizedImage, box: Box) -> NDArray[np.bool_]:
    """The roi at the top-left pixel of each pixel of the coarse level."""
    factor = image.factor
    full = Box(box.y0 * factor, box.x0 * factor, min(box.y1 * factor, image.height), min(box.x1 * factor, image.width))
    found = np.zeros((box.height, box.width), dtype=np.bool_)
    for _, part, pixels in image.roi_pieces(full):
        y, x = -(-part.y0 // factor), -(-part.x0 // factor)
        inside = pixels[y * factor - part.y0 :: factor, x * factor - part.x0 :: factor] != 0
        found[y - box.y0 :, x - box.x0 :][: inside.shape[0], : inside.shape[1]] = inside
    return found
