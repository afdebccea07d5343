"""Image files of a stack of layers: one file per level, or tiles for a large image.

Pictures are JPEG. Layers over them are PNG of few colours with a transparent ground: lossless.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.normalized.pyramid import level_shapes
from pipeline.report.zoom.levels import ROWS, Planes, pyramid_strips
from pipeline.report.zoom.stacks import Palette, Stack

__all__ = ["FINEST", "TILE", "WHOLE", "even_jpeg_bytes", "jpeg_bytes", "pixels_of", "png_bytes", "write_stack"]

Pixels: TypeAlias = NDArray[np.uint8]
"""``(y, x, 3)``."""
Values: TypeAlias = NDArray[np.uint8]
"""Values of a stack: pixels of a picture, or planes ``(n, y, x)`` of layers over it."""

WHOLE = 40_000_000
"""Pixels of the largest image whose levels are one file each; browsers decode hardly larger ones."""
SMALLEST_WHOLE = 1200
"""Longer side at which the levels of one file end."""
TILE = ROWS
FINEST = 10
"""Step of all frequencies of luminance and colour at full size. Equal steps give the least mean difference for their
size: an enhanced photograph is within 3 grey levels in every window, for which the usual tables need a tenth more bytes
(benchmarks/zoom.md)."""
QUALITY = 75
"""Quality of its coarser levels, with colour at half the size, so that 12 Mpx take 6 MB."""
RUNS = 3
"""Strategy of zlib for PNG: runs of equal bytes alone. Masks and steps of probability are hardly larger so, and take a
third of the time of level 9 (benchmarks/zoom.md)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    kind: str
    number: int | None
    palette: Palette | None
    plane: int = 0
    """Its plane in the stack, where the stack has one for each layer."""
    result: int | None = None

    @property
    def name(self) -> str:
        """Start of the names of its files; a number after the kind is that of another model and fusion."""
        kind = f"{self.kind}{self.result or ''}"
        return kind if self.number is None else f"{kind}.{self.number}"

    @property
    def facts(self) -> dict[str, Any]:
        """Facts for the viewer, whatever its files."""
        own = {"kind": self.kind, "class": self.number}
        return own if self.result is None else {**own, "result": self.result}

    def seen(self, values: Values) -> bool:
        """Visibility: whether there is anything but transparent background."""
        return self.palette is None or bool(values[self.plane].any())

    def write(self, values: Values, folder: Path, place: tuple[int, ...]) -> str:
        """Picture file of values of the stack; its name in the folder. The place begins with the level."""
        name = f"{self.name}.{'.'.join(map(str, place))}.{'jpg' if self.palette is None else 'png'}"
        if self.palette is not None:
            picture = png_bytes(values[self.plane], palette=self.palette)
        else:
            picture = jpeg_bytes(values) if place[0] else even_jpeg_bytes(values)
        (folder / name).write_bytes(picture)
        return name


def _layers(stack: Stack) -> list[_Layer]:
    if not stack.palettes:
        return [_Layer(stack.kind, None, None)]
    pairs = enumerate(zip(stack.numbers, stack.palettes, strict=True))
    return [_Layer(stack.kind, number, palette, at, stack.result) for at, (number, palette) in pairs]


def pixels_of(planes: Planes) -> Pixels:
    """Pixels ``(y, x, 3)`` of a picture ``(3, y, x)``."""
    return np.asarray(cv2.merge([*planes]), dtype=np.uint8)  # Several times as fast as NumPy.


def jpeg_bytes(pixels: Pixels, *, quality: int = QUALITY, halved_colour: bool = True) -> bytes:
    """JPEG file of pixels ``(y, x, 3)``, the colour at half the size or not."""
    return _jpeg(pixels, quality=quality, subsampling=2 if halved_colour else 0)


def even_jpeg_bytes(pixels: Pixels, *, step: int = FINEST) -> bytes:
    """JPEG file of pixels ``(y, x, 3)``, all frequencies of luminance and colour in equal steps, the colour not halved."""
    return _jpeg(pixels, qtables=[[step] * 64] * 2, subsampling=0)


def _jpeg(pixels: Pixels, **options: int | list[list[int]]) -> bytes:
    picture = Image.fromarray(pixels)
    for optimised in (True, False):  # If it takes more than two bytes per pixel, Pillow has no room to optimise.
        stream = BytesIO()
        with suppress(OSError):
            picture.save(stream, format="JPEG", optimize=optimised, **options)
            break
    return stream.getvalue()


def png_bytes(indices: NDArray[np.uint8], *, palette: Palette) -> bytes:
    """PNG file of indices ``(y, x)`` of a palette: lossless."""
    picture = Image.fromarray(np.ascontiguousarray(indices))
    picture.putpalette(bytes(value for colour in palette for value in colour[:3]))
    bits = next(bits for bits in (1, 2, 4, 8) if len(palette) <= 2**bits)
    opacity, stream = bytes(colour[3] for colour in palette), BytesIO()
    picture.save(stream, format="PNG", transparency=opacity, bits=bits, compress_type=RUNS)
    return stream.getvalue()


def _values(stack: Stack, planes: Planes) -> Values:
    return planes if stack.palettes else pixels_of(planes)


def _whole_levels(stack: Stack) -> Iterator[tuple[int, Values]]:
    """Levels of a stack, each whole: all of a picture, every second one of layers over it."""
    shapes = level_shapes(*stack.raster.shape, smallest=SMALLEST_WHOLE, most=12, least=1)
    wanted = set(range(0, len(shapes), 2 if stack.palettes else 1))
    held: dict[int, Values] = {}
    rows = (slice(None),) if stack.palettes else ()
    for strip in pyramid_strips(stack.raster, halve=stack.halve, shapes=shapes):
        if strip.level in wanted:
            count, (height, width) = strip.planes.shape[0], shapes[strip.level]
            if strip.level not in held:
                shape = (count, height, width) if stack.palettes else (height, width, count)
                held[strip.level] = np.empty(shape, np.uint8)
            end = strip.y0 + strip.planes.shape[1]
            held[strip.level][(*rows, slice(strip.y0, end))] = _values(stack, strip.planes)
            if end == height:
                yield strip.level, held.pop(strip.level)


def _write_whole(stack: Stack, folder: Path) -> list[dict[str, Any]]:
    layers = _layers(stack)
    levels: list[list[dict[str, Any]]] = [[] for _ in layers]
    for level, values in _whole_levels(stack):
        height, width = values.shape[1:] if stack.palettes else values.shape[:2]
        for layer, found in zip(layers, levels, strict=True):
            if layer.seen(values):
                found.append({"url": layer.write(values, folder, (level,)), "width": width, "height": height})
    pairs = zip(layers, levels, strict=True)
    return [{**layer.facts, "levels": found} for layer, found in pairs if found]


def _write_tiles(stack: Stack, folder: Path) -> list[dict[str, Any]]:
    shapes = level_shapes(*stack.raster.shape, smallest=TILE, most=24, least=1)
    layers = _layers(stack)
    tiles: list[list[list[int]]] = [[[] for _ in shapes] for _ in layers]
    for strip in pyramid_strips(stack.raster, halve=stack.halve, shapes=shapes):
        columns = -(-strip.planes.shape[2] // TILE)
        for column in range(columns):
            part, row = _values(stack, strip.planes[..., column * TILE : (column + 1) * TILE]), strip.y0 // TILE
            for layer, found in zip(layers, tiles, strict=True):
                if layer.seen(part):
                    layer.write(part, folder, (strip.level, row, column))
                    found[strip.level].append(row * columns + column)
    height, width = shapes[0]
    size = {"width": width, "height": height, "tile": TILE, "last": len(shapes) - 1}
    return [
        {
            **layer.facts,
            **size,
            "name": layer.name,
            "suffix": "jpg" if layer.palette is None else "png",
            "tiles": None if layer.palette is None else found,
        }
        for layer, found in zip(layers, tiles, strict=True)
        if any(found)
    ]


def write_stack(stack: Stack, folder: Path, *, whole: int = WHOLE) -> list[dict[str, Any]]:
    """Picture files of all layers of a stack that show anything, written.

    Parameters
    ----------
    stack
        One pass is made over its raster.
    folder
        Where the files go.
    whole
        Pixels up to which a level is one file.

    Returns
    -------
    list
        Facts of each layer for the viewer: ``kind``, ``class``, ``result`` if it has one, and its ``levels`` (url,
        width, height) or the size, name and numbers of its tiles, by level and row by row; None if all tiles exist.
    """
    height, width = stack.raster.shape
    return (_write_whole if height * width <= whole else _write_tiles)(stack, folder)
