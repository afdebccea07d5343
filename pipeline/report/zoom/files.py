"""Image files of a stack of layers: one file per level, or tiles for a large image.

Pictures are JPEG. Layers over them are PNG of few colours with a transparent ground: lossless.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.normalized.pyramid import level_shapes
from pipeline.report.zoom.levels import ROWS, Planes, Strip, pyramid_strips
from pipeline.report.zoom.stacks import Palette, Stack

__all__ = [
    "FINER_TO",
    "TILE",
    "WHOLE",
    "even_jpeg_bytes",
    "finest_step",
    "is_whole",
    "jpeg_bytes",
    "pixels_of",
    "png_bytes",
    "write_stacks",
]

Pixels: TypeAlias = NDArray[np.uint8]
"""``(y, x, 4)``: red, green, blue and a byte without meaning. So Pillow keeps pixels, and need not copy these."""
Values: TypeAlias = NDArray[np.uint8]
"""Values of a layer: pixels of a picture, or indices ``(y, x)`` of a layer over it."""

WHOLE = 40_000_000
"""Pixels of the largest image whose levels are one file each; browsers decode hardly larger ones."""
LONGEST = 2**15 - 1
"""Longer side of such an image at most: browsers draw hardly longer ones, and JPEG holds 65 500 pixels."""
SMALLEST_WHOLE = 1200
"""Longer side at which the levels of one file end."""
TILE = ROWS
FINEST, FINER, FINER_TO = 10, 7, 6_000_000
"""Step of all frequencies of luminance and colour at full size, that of smaller images, and their pixels at most. Equal
steps give the least mean difference for their size: an enhanced photograph is within 3 grey levels in every window, for
which the usual tables need a tenth more bytes (benchmarks/zoom.md). One that was made smaller has finer grain, and bytes
to spare."""
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

    def write(self, values: Values, folder: Path, place: tuple[int, ...], *, step: int) -> str:
        """Picture file of pixels, or of indices ``(y, x)``; its name in the folder. The place begins with the level."""
        name = f"{self.name}.{'.'.join(map(str, place))}.{'jpg' if self.palette is None else 'png'}"
        if self.palette is not None:
            picture = png_bytes(values, palette=self.palette)
        else:
            picture = jpeg_bytes(values) if place[0] else even_jpeg_bytes(values, step=step)
        (folder / name).write_bytes(picture)
        return name


def _layers(stack: Stack) -> list[_Layer]:
    if not stack.palettes:
        return [_Layer(stack.kind, None, None)]
    pairs = zip(stack.numbers, stack.palettes, strict=True)
    return [_Layer(stack.kind, number, palette, stack.result) for number, palette in pairs]


def pixels_of(planes: Planes) -> Pixels:
    """Pixels ``(y, x, 4)`` of a picture ``(3, y, x)``."""
    return np.asarray(cv2.merge([*planes, planes[0]]), dtype=np.uint8)  # Several times as fast as NumPy.


def is_whole(height: int, width: int, *, whole: int = WHOLE) -> bool:
    """Test whether each level of an image is one file; else it is cut into tiles. ``whole`` is in pixels, as `WHOLE`."""
    return height * width <= whole and max(height, width) <= LONGEST


def finest_step(height: int, width: int) -> int:
    """Step of the frequencies of a picture at full size, by the size of its image."""
    return FINER if height * width <= FINER_TO else FINEST


def jpeg_bytes(pixels: Pixels, *, quality: int = QUALITY, halved_colour: bool = True) -> bytes:
    """JPEG file of pixels ``(y, x, 4)``, the colour at half the size or not."""
    # The usual codes take a hundredth more bytes than the best ones, and a third of the time.
    return _jpeg(pixels, quality=quality, subsampling=2 if halved_colour else 0)


def even_jpeg_bytes(pixels: Pixels, *, step: int) -> bytes:
    """JPEG file of pixels ``(y, x, 4)``, all frequencies of luminance and colour in equal steps, the colour not halved."""
    options: dict[str, int | list[list[int]]] = {"qtables": [[step] * 64] * 2, "subsampling": 0}
    with suppress(OSError):  # If it takes more than two bytes per pixel, Pillow has no room to optimise.
        return _jpeg(pixels, optimize=True, **options)
    return _jpeg(pixels, **options)


def _jpeg(pixels: Pixels, **options: int | list[list[int]]) -> bytes:
    height, width = pixels.shape[:2]
    picture = Image.frombuffer("RGBX", (width, height), np.ascontiguousarray(pixels), "raw", "RGBX", 0, 1)
    stream = BytesIO()
    picture.save(stream, format="JPEG", **options)
    return stream.getvalue()


def png_bytes(indices: NDArray[np.uint8], *, palette: Palette) -> bytes:
    """PNG file of indices ``(y, x)`` of a palette: lossless."""
    picture = Image.fromarray(np.ascontiguousarray(indices))
    picture.putpalette(bytes(value for colour in palette for value in colour[:3]))
    bits = next(bits for bits in (1, 2, 4, 8) if len(palette) <= 2**bits)
    opacity, stream = bytes(colour[3] for colour in palette), BytesIO()
    picture.save(stream, format="PNG", transparency=opacity, bits=bits, compress_type=RUNS)
    return stream.getvalue()


@dataclass(frozen=True, slots=True, eq=False)
class _Whole:
    """Files of a stack, one for each level: all levels of a picture, every second one of layers over it."""

    stack: Stack
    shapes: Sequence[tuple[int, int]]
    folder: Path
    held: dict[int, dict[int, Values]] = field(default_factory=dict)
    """Level → plane → its values. A picture is plane 0; planes that show nothing take no memory."""
    written: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    """Number of the layer → its levels."""

    def put(self, strip: Strip) -> None:
        """Keep a strip; with the last one of its level write the files."""
        step = 2 if self.stack.palettes else 1
        if strip.level % step:
            return
        height, width = self.shapes[strip.level]
        rows = slice(strip.y0, strip.y0 + strip.planes.shape[1])
        held = self.held.setdefault(strip.level, {})
        if self.stack.palettes:
            for at, plane in enumerate(strip.planes):
                if plane.any():
                    if at not in held:
                        held[at] = np.zeros((height, width), np.uint8)
                    held[at][rows] = plane
        else:
            if 0 not in held:
                held[0] = np.empty((height, width, 4), np.uint8)
            held[0][rows] = pixels_of(strip.planes)
        if rows.stop == height:
            for at, values in self.held.pop(strip.level).items():
                step = finest_step(*self.shapes[0])
                url = _layers(self.stack)[at].write(values, self.folder, (strip.level,), step=step)
                self.written.setdefault(at, []).append({"url": url, "width": width, "height": height})

    def facts(self) -> list[dict[str, Any]]:
        """Facts of the layers that show anything."""
        layers = _layers(self.stack)
        return [{**layers[at].facts, "levels": self.written[at]} for at in sorted(self.written)]


@dataclass(frozen=True, slots=True, eq=False)
class _Tiles:
    """Files of a stack, in tiles."""

    stack: Stack
    shapes: Sequence[tuple[int, int]]
    folder: Path
    written: dict[int, list[list[int]]] = field(default_factory=dict)
    """Number of the layer → numbers of its tiles by level, row by row."""

    def put(self, strip: Strip) -> None:
        """Write the tiles of a strip."""
        columns, row = -(-strip.planes.shape[2] // TILE), strip.y0 // TILE
        for column in range(columns):
            part = strip.planes[..., column * TILE : (column + 1) * TILE]
            for at, layer in enumerate(_layers(self.stack)):
                values = part[at] if self.stack.palettes else pixels_of(part)
                if not self.stack.palettes or values.any():
                    layer.write(values, self.folder, (strip.level, row, column), step=finest_step(*self.shapes[0]))
                    found = self.written.setdefault(at, [[] for _ in self.shapes])
                    found[strip.level].append(row * columns + column)

    def facts(self) -> list[dict[str, Any]]:
        """Facts of the layers that show anything."""
        (height, width), layers = self.shapes[0], _layers(self.stack)
        size = {"width": width, "height": height, "tile": TILE, "last": len(self.shapes) - 1}
        suffix, every = ("png", False) if self.stack.palettes else ("jpg", True)
        return [
            {
                **layers[at].facts,
                **size,
                "name": layers[at].name,
                "suffix": suffix,
                "tiles": None if every else self.written[at],
            }
            for at in sorted(self.written)
        ]


def write_stacks(stacks: Sequence[Stack], folder: Path, *, whole: int = WHOLE) -> list[dict[str, Any]]:
    """Picture files of all layers of some stacks that show anything, written.

    Parameters
    ----------
    stacks
        Of rasters of one size. They are read together, strip by strip, in one pass: what several of them read of a
        store is read once, if their rasters share a `held` one.
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
    height, width = stacks[0].raster.shape
    made: type[_Whole] | type[_Tiles] = _Whole if is_whole(height, width, whole=whole) else _Tiles
    most, smallest = (12, SMALLEST_WHOLE) if made is _Whole else (24, TILE)
    shapes = level_shapes(height, width, smallest=smallest, most=most, least=1)
    files = [made(stack, shapes, folder) for stack in stacks]
    passes = [pyramid_strips(stack.raster, halve=stack.halve, shapes=shapes) for stack in stacks]
    for strips in zip(*passes, strict=True):
        for each, strip in zip(files, strips, strict=True):
            each.put(strip)
    return [layer for each in files for layer in each.facts()]
