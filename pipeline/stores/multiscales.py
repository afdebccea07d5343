"""OME-Zarr 0.5 metadata of a pyramid."""

from collections.abc import Sequence
from typing import Any

__all__ = ["multiscales"]

MICROMETER = "micrometer"
"""Unit of lengths, by its name in UDUNITS as the format wants it."""


def multiscales(
    name: str, shapes: Sequence[tuple[int, int]], channels: Sequence[str], pixel_size_um: float | None
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
    """
    unit = {"unit": MICROMETER} if pixel_size_um else {}
    base = pixel_size_um or 1.0
    levels = [
        {"path": str(at), "coordinateTransformations": [{"type": "scale", "scale": [1.0, base * 2**at, base * 2**at]}]}
        for at, _ in enumerate(shapes)
    ]
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", **unit} for axis in ("y", "x"))]
    return {
        "version": "0.5",
        "multiscales": [{"name": name, "axes": axes, "datasets": levels, "metadata": {"channels": list(channels)}}],
    }
