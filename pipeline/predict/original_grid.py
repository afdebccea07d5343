"""Masks on the pixel grid of the original image: TIFF or PNG of its size, written strip by strip."""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import tifffile
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.arrays.resample import resampled_mask
from pipeline.errors import StoreError
from pipeline.geometry import strips
from pipeline.stores import open_array, open_group, raster_of
from pipeline.stores.atomic import file_in_progress

__all__ = ["Format", "original_mask", "remove_original_masks", "write_original_masks"]

Format: TypeAlias = Literal["tiff", "png"]
Bytes: TypeAlias = NDArray[np.uint8]

ROWS = 512
"""Rows of the original in memory at a time, and the side of a tile of the TIFF."""
SET = np.uint8(255)
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_LARGEST = 2**31 - 1


def original_mask(mask: Raster[Any], size: tuple[int, int]) -> Raster[np.uint8]:
    """Mask on the grid of the original image, over the same field.

    Parameters
    ----------
    mask
        ``(y, x)``; non-zero pixels are set.
    size
        Height and width of the original in pixels.

    Returns
    -------
    Raster
        0 and 255; a pixel is set where at least half of it is covered.
    """
    covered = resampled_mask(mask.map(lambda pixels: pixels != 0), size)
    return covered.map(lambda pixels: np.asarray(pixels, np.uint8) * SET)


def _parts(mask: Raster[np.uint8]) -> Iterator[Bytes]:
    return (mask.read(box) for box in strips(mask.height, mask.width, ROWS))


def _tiles(mask: Raster[np.uint8]) -> Iterator[Bytes]:
    padded = -(-mask.width // ROWS) * ROWS
    for part in _parts(mask):
        rows = np.pad(part, ((0, ROWS - len(part)), (0, padded - mask.width)))
        for x in range(0, padded, ROWS):
            yield np.ascontiguousarray(rows[:, x : x + ROWS])


def _write_tiff(path: Path, mask: Raster[np.uint8]) -> None:
    tifffile.imwrite(
        path,
        _tiles(mask),
        shape=mask.shape,
        dtype=np.uint8,
        tile=(ROWS, ROWS),
        compression="zlib",
        photometric="minisblack",
        bigtiff=mask.box.area > 2**31,
        metadata=None,
        software=False,
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _write_png(path: Path, mask: Raster[np.uint8]) -> None:
    # Pillow and OpenCV need the whole image; the format itself is a stream of rows, each after a filter byte.
    if max(mask.shape) > PNG_LARGEST:
        raise AssertionError("no image has so many rows")
    packer = zlib.compressobj(6)
    with path.open("wb") as stream:
        stream.write(PNG_START + _chunk(b"IHDR", struct.pack(">IIBBBBB", mask.width, mask.height, 8, 0, 0, 0, 0)))
        for part in _parts(mask):
            rows = np.pad(part, ((0, 0), (1, 0)))
            if packed := packer.compress(rows.tobytes()):
                stream.write(_chunk(b"IDAT", packed))
        stream.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


_WRITERS: dict[Format, tuple[str, Callable[[Path, Raster[np.uint8]], None]]] = {
    "tiff": ("tif", _write_tiff),
    "png": ("png", _write_png),
}


def remove_original_masks(segmentation: Path) -> None:
    """Removal of the masks, in either format, that `write_original_masks` put beside a store."""
    notes: Any = dict(open_group(segmentation).attrs).get("lesionmap", {})
    for code in notes.get("classes", ()):
        for suffix, _ in _WRITERS.values():
            segmentation.with_name(f"{segmentation.stem}.{code}.{suffix}").unlink(missing_ok=True)


def write_original_masks(segmentation: Path, *, kind: Format) -> tuple[Path, ...]:
    """Masks of each class in the size of the original image, 0 and 255, beside the store: ``{store}.{CODE}.tif`` or ``.png``.

    Parameters
    ----------
    segmentation
        Store of the masks.
    kind
        ``tiff`` (tiles, deflate) or ``png``.

    Returns
    -------
    tuple
        The files, in the order of the classes.

    Raises
    ------
    StoreError
        The store has no masks, or does not state the size of its original.
    """
    notes: Any = dict(open_group(segmentation).attrs).get("lesionmap", {})
    mapping = notes.get("mapping", {})
    if not {"source_height", "source_width"} <= set(mapping):
        raise StoreError(
            "The size of the original image is not on record.",
            where=segmentation,
            found=sorted(mapping),
            expected="source_height and source_width in the attribute lesionmap.mapping",
            remedy="Run the stages from normalized on again.",
        )
    size = int(mapping["source_height"]), int(mapping["source_width"])
    masks, (suffix, write) = open_array(segmentation, "masks"), _WRITERS[kind]
    paths = tuple(segmentation.with_name(f"{segmentation.stem}.{code}.{suffix}") for code in notes["classes"])
    for at, path in enumerate(paths):
        with file_in_progress(path) as partial:
            write(partial, original_mask(raster_of(masks, at), size))
    return paths
