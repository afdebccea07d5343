"""What are the masks on the pixel grid of the original image? TIFF or PNG of its size, written piece by piece."""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from pipeline.arrays.resample import resample_mask
from pipeline.errors import StoreError
from pipeline.geometry import Box, strips
from pipeline.stores import open_array, open_group
from pipeline.stores.atomic import file_in_progress

__all__ = ["Format", "original_strips", "write_original_masks"]

Format: TypeAlias = Literal["tiff", "png"]
Bytes: TypeAlias = NDArray[np.uint8]

ROWS = 512
"""Rows of the original in memory at a time, and the side of a tile of the TIFF."""
SET = 255
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_LARGEST = 2**31 - 1


def original_strips(masks: zarr.Array[Any], at: int, *, height: int, width: int) -> Iterator[Bytes]:
    """One mask of a store on another grid over the same field, strip by strip from the top.

    Parameters
    ----------
    masks
        ``(class, y, x)``, 0 or 1.
    at
        Number of the class.
    height, width
        Size of the grid. A pixel is set where at least half of it is covered.

    Yields
    ------
    NDArray
        ``(rows, width)`` of 0 and 255, ``ROWS`` rows but for the last strip.
    """
    size = (int(masks.shape[1]), int(masks.shape[2]))

    def read(box: Box) -> NDArray[np.bool_]:
        return np.asarray(masks[(at, *box.slices)], dtype=np.bool_)

    for box in strips(height, width, ROWS):
        found = (
            read(box) if size == (height, width) else resample_mask(read, source=size, target=(height, width), box=box)
        )
        yield np.asarray(found != 0, np.uint8) * np.uint8(SET)


def _tiles(parts: Iterator[Bytes]) -> Iterator[Bytes]:
    for part in parts:
        height, width = part.shape
        padded = np.zeros((ROWS, -(-width // ROWS) * ROWS), np.uint8)
        padded[:height, :width] = part
        for x in range(0, width, ROWS):
            yield np.ascontiguousarray(padded[:, x : x + ROWS])


def _write_tiff(path: Path, parts: Iterator[Bytes], *, height: int, width: int) -> None:
    tifffile.imwrite(
        path,
        _tiles(parts),
        shape=(height, width),
        dtype=np.uint8,
        tile=(ROWS, ROWS),
        compression="zlib",
        photometric="minisblack",
        bigtiff=height * width > 2**31,
        metadata=None,
        software=False,
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _write_png(path: Path, parts: Iterator[Bytes], *, height: int, width: int) -> None:
    # Pillow and OpenCV want the whole picture; the format itself is a stream of rows, each after a filter byte.
    if max(height, width) > PNG_LARGEST:
        raise AssertionError("no image has so many rows")
    packer = zlib.compressobj(6)
    with path.open("wb") as stream:
        stream.write(PNG_START + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)))
        for part in parts:
            rows = np.zeros((part.shape[0], width + 1), np.uint8)
            rows[:, 1:] = part
            if packed := packer.compress(rows.tobytes()):
                stream.write(_chunk(b"IDAT", packed))
        stream.write(_chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b""))


_WRITERS: dict[Format, tuple[str, Callable[..., None]]] = {"tiff": ("tif", _write_tiff), "png": ("png", _write_png)}


def write_original_masks(segmentation: Path, *, folder: Path, kind: Format) -> tuple[Path, ...]:
    """Write ``{folder}/{image}_{CODE}.tif`` (or ``.png``) of each class, 0 and 255, as large as the original image.

    Parameters
    ----------
    segmentation
        ``segmentation/{model}/{fusion}/{image}.zarr``.
    folder
        Where the files go.
    kind
        ``tiff`` (tiles, deflate) or ``png``.

    Returns
    -------
    tuple
        The files, in the order of the classes.

    Raises
    ------
    StoreError
        A store without masks, or that does not say how large its original is.
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
    height, width = int(mapping["source_height"]), int(mapping["source_width"])
    masks, (suffix, write) = open_array(segmentation, "masks"), _WRITERS[kind]
    paths = tuple(folder / f"{notes['image_id']}_{code}.{suffix}" for code in notes["classes"])
    for at, path in enumerate(paths):
        with file_in_progress(path) as partial:
            write(partial, original_strips(masks, at, height=height, width=width), height=height, width=width)
    return paths
