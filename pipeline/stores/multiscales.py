"""OME-Zarr 0.5 metadata of pyramids: axes, scales and translations of the levels, and how a viewer shows the channels."""

from collections.abc import Sequence
from typing import Any

__all__ = ["VERSION", "multiscales", "pyramid_axes"]

VERSION = "0.5"
"""Version of OME-Zarr."""
MICROMETER = "micrometer"
"""Unit of lengths, named as in UDUNITS, as the format requires."""


RGB = {"red": "FF0000", "green": "00FF00", "blue": "0000FF"}
"""Channels of a colour image and their display colours."""


def pyramid_axes(name: str, *, levels: int, pixel_size_um: float | None, channels: bool) -> dict[str, Any]:
    """Entry of ``multiscales``: axes and levels of a pyramid ``(c, y, x)``, or ``(y, x)`` without channels.

    Parameters
    ----------
    name
        Name of the image.
    levels
        How many there are; each halves the one before.
    pixel_size_um
        Side of a pixel of level 0 in micrometres; without it scales are in pixels.
    channels
        Whether there is an axis of channels.

    Notes
    -----
    A pixel of level k covers 2ᵏ × 2ᵏ pixels, so its centre is shifted by (2ᵏ − 1) / 2 of their sides: the translation
    of the level.

    References
    ----------
    .. [1] OME-Zarr 0.5, section multiscales. https://ngff.openmicroscopy.org/0.5/
    """
    unit = {"unit": MICROMETER} if pixel_size_um else {}
    leading = [{"name": "c", "type": "channel"}] if channels else []
    axes = [*leading, *({"name": axis, "type": "space", **unit} for axis in ("y", "x"))]
    datasets = [
        {"path": str(at), "coordinateTransformations": _of_level(at, pixel_size_um or 1.0, leading=len(leading))}
        for at in range(levels)
    ]
    return {"name": name, "axes": axes, "datasets": datasets}


def _of_level(at: int, base: float, *, leading: int) -> list[dict[str, Any]]:
    side, shift = base * 2**at, base * (2**at - 1) / 2
    moved = [{"type": "translation", "translation": [0.0] * leading + [shift, shift]}] if at else []
    return [{"type": "scale", "scale": [1.0] * leading + [side, side]}, *moved]


def multiscales(
    name: str,
    channels: Sequence[str],
    *,
    levels: int,
    pixel_size_um: float | None,
    largest: float = 255,
    colours: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Attribute ``ome`` of a pyramid ``(c, y, x)`` whose levels halve: axes, scales, names and colours of the channels.

    Parameters
    ----------
    name
        Name of the image.
    channels
        Name of each channel.
    levels
        How many there are.
    pixel_size_um
        Side of a pixel of level 0 in micrometres; without it scales are in pixels.
    largest
        Value displayed brightest.
    colours
        Colour of each channel, ``RRGGBB``. By default channels named red, green and blue get these colours, others
        white.
    """
    painted = colours or [RGB.get(channel, "FFFFFF") for channel in channels]
    pyramid = pyramid_axes(name, levels=levels, pixel_size_um=pixel_size_um, channels=True)
    shown = [_shown(channel, colour, largest) for channel, colour in zip(channels, painted, strict=True)]
    return {
        "version": VERSION,
        "multiscales": [{**pyramid, "metadata": {"channels": list(channels)}}],
        "omero": {"channels": shown, "rdefs": {"model": "color"}},
    }


def _shown(channel: str, colour: str, largest: float) -> dict[str, Any]:
    window = {"min": 0.0, "max": float(largest), "start": 0.0, "end": float(largest)}
    return {"label": channel, "color": colour, "active": True, "window": window}
