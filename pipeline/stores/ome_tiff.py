"""OME-TIFF of a store of this package: tiles, pyramid in sub-IFDs, channel names and pixel size; streamed in constant memory.

Bio-Formats, and with it QuPath and Fiji, reads it. OME has no float16: probabilities are written as bytes, 255 for 1,
or as float32.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from pipeline.config.manifest import ClassRecord
from pipeline.errors import StoreError
from pipeline.geometry import aligned_boxes
from pipeline.stores.arrays import open_array, open_group, raster_of
from pipeline.stores.flush import NEW, replace_whole
from pipeline.stores.probability_store import as_float16

__all__ = ["MEANING", "RGB", "Values", "write_ome_tiff"]

Values: TypeAlias = Literal["uint8", "float32"]
TILE = 512
BYTES = 255
MEANING = {"uint8": "bytes of 1/255: 255 is probability 1", "float32": "probabilities as float32"}
"""Image description for each value type of a map."""
RGB = ("red", "green", "blue")
"""Channels of a coloured picture. It is written with its three samples in each pixel: QuPath then separates its stains."""
LARGEST_CLASSIC = 2**31
"""Bytes of pixels above which the file is a BigTIFF."""


def write_ome_tiff(
    store: Path, output: Path, *, values: Values = "uint8", classes: Sequence[ClassRecord] = ()
) -> dict[str, Any]:
    """OME-TIFF of a normalised image or of a probability map.

    Parameters
    ----------
    store
        ``normalized/{image}.zarr`` or ``probability/{model}/{fusion}/{image}.zarr``.
    output
        A new file, by convention ``….ome.tiff``.
    values
        For probabilities: bytes in steps of 1/255, rounded, or float32, which is exact. Images stay bytes.
    classes
        Classes whose colours the channels with their codes get; by default the colours noted in the store.

    Returns
    -------
    dict
        What was written: ``shape``, ``dtype``, ``levels``, ``channels``, ``pixel_size_um`` (None where unknown).

    Raises
    ------
    StoreError
        There is no finished store of a pyramid ``(c, y, x)``.
    """
    notes: Any = open_group(store).attrs.get("ome")
    if not notes or "multiscales" not in notes:
        raise StoreError(
            "The store holds no pyramid.",
            where=store,
            found=sorted(open_group(store).attrs),
            expected="attribute ome, as stores of stages normalized and probability have it",
            remedy="Give a normalised image or a probability map.",
        )
    scales = notes["multiscales"][0]
    levels = [open_array(store, each["path"]) for each in scales["datasets"]]
    if levels[0].ndim != 3:
        raise StoreError(
            "The pyramid has no channels.",
            where=store,
            found=f"shape {levels[0].shape}, such as a label map has",
            expected="(c, y, x)",
            remedy="Give a normalised image or a probability map. QuPath opens the outlines of a segmentation, {image}.geojson.",
        )
    is_map = "probability" in store.resolve().parts[:-1]
    dtype = np.dtype(values if is_map else "uint8")
    channels, um = _channels(notes, classes), _pixel_size(scales)
    names = tuple(name for name, _ in channels)
    coloured = names == RGB and not is_map
    described = {"Name": store.resolve().stem, **({"Description": MEANING[values]} if is_map else {})}
    partial = output.with_name(output.name + NEW)
    with tifffile.TiffWriter(partial, bigtiff=_is_big(levels[0], dtype), ome=True) as file:
        for at, level in enumerate(levels):
            place = (
                {"subifds": len(levels) - 1, "metadata": _metadata(channels, um, coloured=coloured) | described}
                if at == 0
                else {"subfiletype": 1}
            )
            file.write(
                _coloured_tiles(level) if coloured else _tiles(level, dtype, is_map=is_map),
                shape=(*level.shape[1:], len(RGB)) if coloured else level.shape,
                dtype=dtype,
                tile=(TILE, TILE),
                photometric="rgb" if coloured else "minisblack",
                compression="zlib",
                predictor=bool(dtype == np.uint8),
                resolutionunit="CENTIMETER" if um else None,
                resolution=(1e4 / (um * 2**at),) * 2 if um else None,
                **place,
            )
    replace_whole(partial, output)
    return {
        "shape": levels[0].shape,
        "dtype": str(dtype),
        "levels": len(levels),
        "channels": list(names),
        "pixel_size_um": um,
    }


def _is_big(level: zarr.Array[Any], dtype: np.dtype[Any]) -> bool:
    return bool(np.prod(level.shape, dtype=np.int64) * dtype.itemsize > LARGEST_CLASSIC)


def _channels(notes: dict[str, Any], classes: Sequence[ClassRecord]) -> list[tuple[str, int]]:
    """Name and colour of each channel; OME stores the colour as a signed number of red, green, blue and opacity."""
    found, own = [], {each.code: "{:02X}{:02X}{:02X}".format(*each.rgb) for each in classes}
    for each in notes.get("omero", {}).get("channels", []):
        number = int(own.get(str(each.get("label")), each.get("color", "FFFFFF")), 16) << 8 | 0xFF
        found.append((str(each.get("label", "")), number - 2**32 if number >= 2**31 else number))
    return found


def _pixel_size(scales: dict[str, Any]) -> float | None:
    known = any(axis.get("unit") == "micrometer" for axis in scales["axes"])
    first = scales["datasets"][0]["coordinateTransformations"][0]
    return float(first["scale"][-1]) if known else None


def _metadata(channels: Sequence[tuple[str, int]], um: float | None, *, coloured: bool) -> dict[str, Any]:
    size = (
        {"PhysicalSizeX": um, "PhysicalSizeY": um, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"} if um else {}
    )
    if coloured:
        return {"axes": "YXS", **size}
    told = {"Name": [name for name, _ in channels], "Color": [colour for _, colour in channels]}
    return {"axes": "CYX", **size, **({"Channel": told} if channels else {})}


def _tiles(level: zarr.Array[Any], dtype: np.dtype[Any], *, is_map: bool) -> Iterator[NDArray[Any]]:
    height, width = level.shape[-2:]
    for channel in range(level.shape[0]):
        plane = raster_of(level, channel)
        for box in aligned_boxes(height, width, TILE):
            tile = np.zeros((TILE, TILE), dtype)
            found = plane.read(box)
            tile[: box.height, : box.width] = _written(found, dtype) if is_map else found
            yield tile


def _coloured_tiles(level: zarr.Array[Any]) -> Iterator[NDArray[Any]]:
    planes = raster_of(level)
    for box in aligned_boxes(*planes.shape, TILE):
        tile = np.zeros((TILE, TILE, len(RGB)), np.uint8)
        tile[: box.height, : box.width] = np.moveaxis(planes.read(box), 0, 2)
        yield tile


def _written(stored: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if stored.dtype == dtype:
        return stored
    found = as_float16(stored).astype(np.float32)
    return np.rint(found * BYTES).astype(np.uint8) if dtype == np.uint8 else found
