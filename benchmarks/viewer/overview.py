"""First overview of large masks in the viewer: processor time, seconds and memory of the coarsest tile of each layer.

python -m benchmarks.viewer.overview /tmp/overview --side 16000 --classes 2 --lesions 10000

The stores are made where they are not there yet. Pictures are black, so only masks are read.
"""

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from pipeline.config import Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import aligned_boxes
from pipeline.normalized.pyramid import store_levels
from pipeline.runtime.array_cache import ArrayCache
from pipeline.seeds import stream
from pipeline.stores import create_plane, create_pyramid, seal, write_box
from pipeline.view.tiles import Tile, image_layers, levels_of

CACHE = 128 * 2**20


def record(classes: int) -> DatasetRecord:
    """Facts of a data set of so many classes."""
    found = [{"code": f"C{at}", "name": f"Class {at}"} for at in range(classes)]
    layout = {"images": "{image}.png", "masks": {}}
    tree = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel", "classes": found}
    return DatasetRecord.model_validate({**tree, "folder": layout})


def made(path: Path, name: str, *, side: int, classes: int, lesions: int, seed: int) -> Path:
    """A store with masks of discs of 2 to 20 pixels in a plane of that name, shard by shard."""
    if path.exists():
        return path
    shapes, storage = store_levels(side, side, shard=Storage().shard), Storage()
    group = create_pyramid(
        path, channels=("red", "green", "blue"), shapes=shapes, dtype=np.uint8, storage=storage, provenance={}
    )
    plane = create_plane(group, name, shape=(classes, side, side), dtype=np.uint8, storage=storage)
    random = stream(seed, "overview")
    for box in aligned_boxes(side, side, storage.shard):
        block = np.zeros((classes, box.height, box.width), np.uint8)
        for at in range(classes):
            count = round(lesions * box.area / side**2)
            places = zip(*(random.integers(0, size, count) for size in (box.height, box.width)), strict=True)
            for (y, x), half in zip(places, random.integers(1, 11, count), strict=True):
                block[at, max(y - half, 0) : y + half, max(x - half, 0) : x + half] = 1
        write_box(plane, block, y0=box.y0, x0=box.x0)
    seal(path)
    return path


def peak() -> float:
    """Largest resident memory of this process so far in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Make the stores, then time the coarsest tile of each layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=16000)
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--lesions", type=int, default=10000, help="of each class")
    given = parser.parse_args()
    sizes = {"side": given.side, "classes": given.classes, "lesions": given.lesions}
    stores = {
        "normalized": made(given.folder / "normalized" / "a.zarr", "truth", seed=1, **sizes),
        "segmentation": made(given.folder / "segmentation" / "a.zarr", "masks", seed=2, **sizes),
    }
    layers = image_layers(**stores, probability=None, record=record(given.classes), judged=list(range(given.classes)))
    cache, top = ArrayCache(CACHE), len(levels_of((given.side, given.side))) - 1
    print(f"before: {peak():.0f} MB")
    for kind in ("truth", "prediction", "errors"):
        begin, processor = time.perf_counter(), time.process_time()
        planes = layers[kind].planes(Tile(top, 0, 0), cache=cache)
        spent = time.process_time() - processor
        print(
            f"{kind}: {spent:.2f} s of processor, {time.perf_counter() - begin:.2f} s, peak {peak():.0f} MB; "
            f"tile {planes.shape}, {np.count_nonzero(planes)} set, {cache.held / 2**20:.0f} MB held",
            flush=True,
        )


if __name__ == "__main__":
    main()
