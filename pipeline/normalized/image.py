"""How does one image become a normalised store? Decode, rescale, find the region, enhance strip by strip, write."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from pipeline.config import NormalizedConfig, Rescale
from pipeline.geometry import strips
from pipeline.manifest import DatasetRecord
from pipeline.normalized.chain import Block, Region, block_chain
from pipeline.normalized.pyramid import halve, store_levels
from pipeline.normalized.rescale import Rescaling, rescale_image, rescale_mask, vanished
from pipeline.normalized.roi import field_of_view, fov_diameter, tissue_mask
from pipeline.partial import folder_in_progress
from pipeline.provenance import Provenance
from pipeline.raw.entry import ImageEntry
from pipeline.raw.pixels import read_image, read_truth
from pipeline.raw.reader import thumbnail
from pipeline.stores import create_plane, create_pyramid, write_box

__all__ = ["find_region", "normalise_image", "rescaling_of"]

REGION_SIDE = 1024
"""Longer side of the thumbnail in which field of view and tissue are found."""

Bytes = NDArray[np.uint8]


def find_region(picture: Bytes, *, chain: str) -> Region:
    """Field of view of a fundus photograph, or tissue of a slide, found in a thumbnail."""
    small = thumbnail(picture, side=REGION_SIDE)
    mask = field_of_view(small) if chain == "fundus" else tissue_mask(small)
    return Region(mask, *picture.shape[:2])


def rescaling_of(picture: Bytes, *, rescale: Rescale) -> Rescaling:
    """The rescaling that the configuration asks for; a picture without field of view counts as all field of view."""
    height, width = picture.shape[:2]
    if rescale.fov_diameter is not None:
        small = thumbnail(picture, side=REGION_SIDE)
        diameter = fov_diameter(field_of_view(small)) * width / small.shape[1]
        whole = float(min(height, width))
        return Rescaling.of_diameter(height, width, fov_diameter=diameter or whole, target=rescale.fov_diameter)
    return Rescaling.of_factor(height, width, rescale.factor or 1.0)


def _attributes(
    entry: ImageEntry,
    *,
    record: DatasetRecord,
    rescaling: Rescaling,
    region: Region,
    config: NormalizedConfig,
    lost: dict[str, int],
) -> dict[str, Any]:
    share = float(region.mask.mean())
    mapping = {
        "factor_y": rescaling.factor_y,
        "factor_x": rescaling.factor_x,
        "source_height": rescaling.source_height,
        "source_width": rescaling.source_width,
        "height": rescaling.height,
        "width": rescaling.width,
    }
    flags = [] if share > 0 else ["no field of view found" if config.chain == "fundus" else "no tissue found"]
    flags += [f"{count} regions of {code} were too small for this size" for code, count in lost.items() if count]
    own = {"image_id": entry.image_id, "classes": list(record.codes), "mapping": mapping, "roi_share": share}
    return {"lesionmap": {**own, "flags": flags}}


def _write_levels(group: zarr.Group, block: Block, *, levels: int, height: int, width: int, rows: int) -> None:
    for box in strips(height, width, rows):
        pixels = np.ascontiguousarray(np.moveaxis(block(box), 2, 0))
        for level in range(levels):
            write_box(_array(group, level), pixels, y0=box.y0 >> level, x0=0)
            pixels = halve(pixels) if level + 1 < levels else pixels


def _rescaled_truth(
    entry: ImageEntry, *, record: DatasetRecord, rescaling: Rescaling
) -> tuple[Bytes | None, dict[str, int]]:
    """The truth on the grid of the rescaled image, and the number of regions of each class that vanished on the way."""
    if not entry.annotated:
        return None, {}
    source = read_truth(entry, record=record, height=rescaling.source_height, width=rescaling.source_width).astype(bool)
    small = [rescale_mask(mask, rescaling) for mask in source]
    lost = [0 if rescaling.is_identity else vanished(*pair, rescaling) for pair in zip(source, small, strict=True)]
    return np.stack(small).astype(np.uint8), dict(zip(record.codes, lost, strict=True))


def _array(group: zarr.Group, level: int) -> zarr.Array[Any]:
    found = group[str(level)]
    if not isinstance(found, zarr.Array):
        raise AssertionError(f"level {level} is no array")
    return found


def _write_truth(group: zarr.Group, truth: Bytes, *, config: NormalizedConfig) -> None:
    array = create_plane(group, "truth", shape=truth.shape, dtype=np.uint8, storage=config.storage)
    for box in strips(truth.shape[1], truth.shape[2], config.strip_rows):
        write_box(array, truth[(slice(None), *box.slices)], y0=box.y0, x0=0)


def _write_roi(group: zarr.Group, region: Region, *, config: NormalizedConfig) -> None:
    shape = (region.height, region.width)
    array = create_plane(group, "roi", shape=shape, dtype=np.uint8, storage=config.storage)
    for box in strips(*shape, config.strip_rows):
        write_box(array, region.read(box).astype(np.uint8), y0=box.y0, x0=0)


def normalise_image(
    entry: ImageEntry, *, record: DatasetRecord, config: NormalizedConfig, output: Path, provenance: Provenance
) -> None:
    """Write ``normalized/{image}.zarr``: the pyramid, ``truth`` (where somebody looked) and ``roi``.

    Parameters
    ----------
    entry
        The image; it must have passed stage raw.
    record
        Facts of its data set.
    config
        The chain.
    output
        Folder of the store.
    provenance
        Record of origin.

    Raises
    ------
    ImageRejected
        The file was damaged after stage raw had read it.
    """
    original = read_image(entry, record=record).pixels
    rescaling = rescaling_of(original, rescale=config.rescale)
    picture = rescale_image(original, rescaling)
    region = find_region(picture, chain=config.chain)
    shapes = store_levels(rescaling.height, rescaling.width, shard=config.storage.shard)
    truth, lost = _rescaled_truth(entry, record=record, rescaling=rescaling)
    attributes = _attributes(entry, record=record, rescaling=rescaling, region=region, config=config, lost=lost)
    size = None if record.pixel_size_um is None else record.pixel_size_um / rescaling.factor_y
    with folder_in_progress(output, digest=provenance.digest) as partial:
        group = create_pyramid(
            partial, channels=("red", "green", "blue"), shapes=shapes, dtype=np.uint8, storage=config.storage,
            provenance=provenance.as_attributes(), pixel_size_um=size, extra=attributes,
        )  # fmt: skip
        block = block_chain(picture, region=region, config=config)
        height, width, rows = rescaling.height, rescaling.width, config.strip_rows
        _write_levels(group, block, levels=len(shapes), height=height, width=width, rows=rows)
        _write_roi(group, region, config=config)
        if truth is not None:
            _write_truth(group, truth, config=config)
