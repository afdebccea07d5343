"""Contrast enhancement of a fundus photograph: CLAHE of the lightness, then difference enhancement, block by block.

Difference enhancement is ``ω·I + θ·G(I) + ς`` of the image and its Gaussian blur. It removes slow changes of
illumination. Every function is pure and depends only on values and global coordinates, so blocks give the same result
as the whole image, bit for bit. `pipeline.normalized.fundus.clahe` holds the equalisation of one channel.
"""

from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box
from pipeline.normalized.fundus.clahe import Grey, TileGrid, interpolate, tile_histograms, tile_tables

__all__ = [
    "ColourSpace",
    "channel_histograms",
    "channel_tables",
    "difference_enhancement",
    "equalise_block",
    "fill_outside",
    "split_lightness",
]

ColourSpace: TypeAlias = Literal["lab", "green", "rgb"]
"""Channels to equalise: the lightness of 8-bit CIE L*a*b*, the green channel, or each RGB channel on its own."""


def split_lightness(rgb: Grey, space: ColourSpace) -> Grey:
    """Channels to equalise: the lightness, the green channel, or all three.

    Parameters
    ----------
    rgb
        ``(y, x, 3)``; uint8, or uint16 where the space is not ``lab``.
    space
        ``lab`` and ``green`` give one channel, ``rgb`` three.

    Returns
    -------
    NDArray
        ``(channels, y, x)`` of the type of the image.

    Raises
    ------
    ConfigurationError
        For an unknown space, or 16-bit lightness.
    """
    _check_space(rgb, space)
    if space == "lab":
        return np.ascontiguousarray(_to_lab(rgb)[None, :, :, 0])
    return np.ascontiguousarray(np.moveaxis(rgb, 2, 0) if space == "rgb" else rgb[None, :, :, 1])


def channel_histograms(
    rgb: Grey, *, box: Box, grid: TileGrid, space: ColourSpace, include: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Tile histograms of each channel of one block: the first pass of CLAHE.

    Parameters
    ----------
    rgb
        ``(y, x, 3)``, the pixels of ``box``.
    box, grid, include
        See `pipeline.normalized.fundus.clahe.tile_histograms`.
    space
        See `split_lightness`.

    Returns
    -------
    NDArray
        ``(channels, tiles_y, tiles_x, bins)``, additive over blocks.
    """
    channels = split_lightness(rgb, space)
    return np.stack([tile_histograms(channel, box=box, grid=grid, include=include) for channel in channels])


def channel_tables(histograms: NDArray[np.int64], *, clip_limit: float, grid: TileGrid) -> Grey:
    """Lookup tables ``(channels, tiles_y, tiles_x, bins)`` of the summed histograms of `channel_histograms`."""
    return np.stack([tile_tables(histogram, clip_limit=clip_limit, grid=grid) for histogram in histograms])


def equalise_block(rgb: Grey, *, box: Box, grid: TileGrid, tables: Grey, space: ColourSpace) -> Grey:
    """Equalised block: the second pass of CLAHE, with a single change of colour space each way.

    Parameters
    ----------
    rgb
        ``(y, x, 3)``, the pixels of ``box``.
    box, grid
        Where the block lies in the image, and the tiles of the image.
    tables
        ``(channels, tiles_y, tiles_x, bins)`` of `channel_tables`.
    space
        See `split_lightness`.

    Returns
    -------
    NDArray
        ``(y, x, 3)`` of the type of the image. With ``lab`` the chroma a*, b* of each pixel is kept, with ``green`` red
        and blue.
    """
    _check_space(rgb, space)
    result = _to_lab(rgb) if space == "lab" else rgb.copy()
    for channel, table in zip({"lab": (0,), "green": (1,), "rgb": (0, 1, 2)}[space], tables, strict=True):
        result[:, :, channel] = interpolate(result[:, :, channel], box=box, grid=grid, tables=table)
    return _from_lab(result) if space == "lab" else result


def difference_enhancement(
    image: NDArray[np.uint8],
    *,
    blurred: NDArray[np.uint8] | NDArray[np.float32],
    omega: float = 4,
    theta: float = -4,
    offset: float = 128,
) -> NDArray[np.uint8]:
    """Difference enhancement ``ω·I + θ·G(I) + ς``, rounded half to even and saturated to 0…255.

    Parameters
    ----------
    image
        ``I``, of any shape.
    blurred
        ``G(I)``, of the same shape; float32 where it has finer steps than grey levels.
    omega, theta, offset
        ω, θ and ς. With θ = −ω a uniform area becomes ς.

    Returns
    -------
    NDArray
        Of the shape of the image.

    Notes
    -----
    Equal to ``cv2.addWeighted(I, ω, G, θ, ς)`` where that uses fused multiply-adds in single precision. OpenCV does so
    for most of an image but not for the last pixels of a row, so for non-integer weights its result depends on how the
    image is cut. This one does not.

    Raises
    ------
    GeometryError
        Where the two images differ in shape.
    """
    if image.shape != blurred.shape:
        raise GeometryError(
            "Image and blur differ in size.",
            where="normalized.fundus.enhance.difference_enhancement",
            found=blurred.shape,
            expected=image.shape,
            remedy="Cut the halo off the blurred block first.",
        )
    result = np.empty(image.shape, np.uint8)
    # Whole arrays at once: the kernel only needs rows, and most blocks are contiguous already.
    flat = (np.ascontiguousarray(image).reshape(-1), np.ascontiguousarray(blurred).reshape(-1), result.reshape(-1))
    _difference(*flat, *(float(np.float32(weight)) for weight in (omega, theta, offset)))
    return result


def fill_outside(
    enhanced: NDArray[np.uint8], roi: NDArray[np.bool_], fill: tuple[int, ...] | int = 0
) -> NDArray[np.uint8]:
    """Image with one constant colour outside the field of view, where enhancement would only show noise.

    Parameters
    ----------
    enhanced
        ``(y, x, channel)`` or ``(y, x)``.
    roi
        ``(y, x)``, true inside the field of view.
    fill
        Grey value outside, one or one per channel, 0…255.

    Raises
    ------
    GeometryError
        Where image and mask differ in size.
    """
    if roi.shape != enhanced.shape[:2]:
        raise GeometryError(
            "Image and field of view differ in size.",
            where="normalized.fundus.enhance.fill_outside",
            found=roi.shape,
            expected=enhanced.shape[:2],
            remedy="Bring the mask to the size of the block.",
        )
    result = enhanced.copy()
    # Not by an index of the pixels outside, which would take 16 bytes for each.
    outside = ~roi if enhanced.ndim == 2 else ~roi[:, :, None]
    np.copyto(result, np.asarray(fill, np.uint8), where=outside)
    return result


def _check_space(rgb: Grey, space: ColourSpace) -> None:
    if space not in get_args(ColourSpace) or (space == "lab" and rgb.dtype != np.uint8):
        raise ConfigurationError(
            "The lightness cannot be taken from this image.",
            where="normalized.fundus.enhance",
            found=f"space {space!r}, {rgb.dtype}",
            expected="'lab' (8 bit only), 'green' or 'rgb'",
            remedy="Choose 'rgb' or 'green' for 16-bit images.",
        )


def _as_bytes(image: object) -> NDArray[np.uint8]:
    return np.asarray(image, np.uint8)


def _to_lab(rgb: Grey) -> NDArray[np.uint8]:
    return _as_bytes(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)) if rgb.size else _as_bytes(rgb.copy())


def _from_lab(lab: Grey) -> NDArray[np.uint8]:
    return _as_bytes(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)) if lab.size else _as_bytes(lab)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _difference(
    image: NDArray[np.uint8],
    blurred: NDArray[np.uint8] | NDArray[np.float32],
    result: NDArray[np.uint8],
    omega: float,
    theta: float,
    offset: float,
) -> None:
    # In double precision a product of single-precision numbers is exact, so one rounding per sum equals a fused
    # multiply-add, on every machine.
    for i in range(result.size):
        partial = np.float32(blurred[i] * theta + offset)
        total = np.rint(np.float32(image[i] * omega + partial))
        result[i] = np.uint8(min(max(total, np.float32(0)), np.float32(255)))
