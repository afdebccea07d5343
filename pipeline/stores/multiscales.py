"""OME-Zarr 0.5 metadata of a pyramid."""

from collections.abc import Sequence
from typing import Any

__all__ = ["multiscales"]

MICROMETER = "micrometer"
"""Unit of lengths, by its name in UDUNITS as the format wants it."""


RGB = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}
"""Channels of a colour image, and what a viewer paints them in."""


def multiscales(
    name: str,
    shapes: Sequence[tuple[int, int]],
    channels: Sequence[str],
    pixel_size_um: float | None,
    *,
    largest: float = 255,
) -> dict[str, Any]:
    """Attribute ``ome`` of a pyramid ``(c, y, x)`` whose levels halve: axes, scales, names of the channels.

    Parameters
    ----------
    name
        Name of the image.
    shapes
        ``(height, width)`` of each level, finest first.
    channels
        Name of each channel.
    pixel_size_um
        Side of a pixel of level 0 in micrometres; without it scales are in pixels.
    largest
        Value that is shown brightest.

    Notes
    -----
    A pixel of level k is the mean of 2ᵏ × 2ᵏ pixels, so its centre lies (2ᵏ − 1) / 2 of their sides further: the
    translation of the level. ``omero`` paints channels called red, green and blue so, and names the others.
    """
    unit = {"unit": MICROMETER} if pixel_size_um else {}
    base = pixel_size_um or 1.0
    levels = [{"path": str(at), "coordinateTransformations": _of_level(at, base)} for at, _ in enumerate(shapes)]
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", **unit} for axis in ("y", "x"))]
    return {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": levels, "metadata": {"channels": list(channels)}}],
        "omero": {"channels": [_shown(channel, largest) for channel in channels], "rdefs": {"model": "color"}},
    }


def _of_level(at: int, base: float) -> list[dict[str, Any]]:
    side, shift = base * 2**at, base * (2**at - 1) / 2
    moved = [{"type": "translation", "translation": [0.0, shift, shift]}] if at else []
    return [{"type": "scale", "scale": [1.0, side, side]}, *moved]


def _shown(channel: str, largest: float) -> dict[str, Any]:
    window = {"min": 0.0, "max": float(largest), "start": 0.0, "end": float(largest)}
    return {"label": channel, "color": RGB.get(channel, "FFFFFF"), "active": True, "window": window}
