"""Run as a process of its own: normalises generated slides of some sizes and prints what memory that took.

Arguments: folder, chain, ``tiles`` or ``strips``, ``small`` or ``default`` blocks, then the runs, each as
``side of the slide/workers``.
"""

import json
import sys
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import tifffile

from pipeline.runtime import memory
from pipeline.runtime.allocator import keep_freed

BLOCKS = {"rows": 512, "columns": 1024}
"""The small blocks."""
SMALL = {"PIECES": 2**20, "THUMBNAIL": 2**20}
"""With them few pieces of a file are kept, and a thumbnail is made in low strips: images need not be large then."""
TILE, STRIP = 128, 16


def write(path, side, form):
    """A slide of tissue over and over, written piece by piece."""
    from pipeline.raw.phantom.histology import histology_phantom

    cell = histology_phantom(0, size=300, seed=0).image

    def rows(step):
        for y in range(0, side, step):
            band = np.take(cell, range(y, min(y + step, side)), axis=0, mode="wrap")
            yield np.tile(band, (1, -(-side // 300), 1))[:, :side]

    def tiles():
        for row in rows(TILE):
            padded = np.pad(row, ((0, TILE - row.shape[0]), (0, -side % TILE), (0, 0)))
            yield from (zlib.compress(padded[:, x : x + TILE].tobytes(), 1) for x in range(0, side, TILE))

    options = {"tile": (TILE, TILE)} if form == "tiles" else {"rowsperstrip": STRIP}
    pieces = tiles() if form == "tiles" else (zlib.compress(row.tobytes(), 1) for row in rows(STRIP))
    tifffile.imwrite(
        path, pieces, shape=(side, side, 3), dtype=np.uint8, photometric="rgb", compression="zlib", **options
    )


def normalise(path, chain, config, workers):
    """The two doors of a chain, one after the other."""
    from pipeline.config.manifest import DatasetRecord
    from pipeline.normalized.fundus.image import normalise_fundus
    from pipeline.normalized.stain.image import normalise_histology, write_estimate
    from pipeline.normalized.stain.target import write_target
    from pipeline.raw.datasets.entry import ImageEntry
    from pipeline.stores.job import Job
    from pipeline.stores.provenance import Provenance

    layout = {"images": "{image}.tif"}
    facts = {"title": "t", "adaptor": "slide", "modality": "histology", "task": "binary", "slide": layout}
    record = DatasetRecord.model_validate(facts | {"classes": [{"code": "T", "name": "T"}]})
    provenance, entry = Provenance("normalized", {}, "c"), ImageEntry("a", path, annotated=False)
    given = {"config": config, "job": Job(record, provenance, workers)}
    output = path.parent / "results" / "d" / "normalized" / f"{path.stem}.zarr"
    if chain == "fundus":
        normalise_fundus(entry, output=output, **given)
        return
    stain, target = output.with_suffix(".stain.json"), output.with_suffix(".target.json")
    write_estimate(entry, output=stain, **given)
    write_target(config, target="reference", file=None, estimates=[], output=target, provenance=provenance)
    normalise_histology(entry, stain=stain, target=target, output=output, **given)


def main(folder, chain, form, blocks, *runs):
    """Print the traced peak of each run, and the resident peak of the whole process.

    The first of several runs is not traced: it brings in what is imported and compiled once.
    """
    keep_freed()  # as every job does
    changes, traced = {}, []
    if blocks == "small":
        memory.PIECES, memory.THUMBNAIL = SMALL["PIECES"], SMALL["THUMBNAIL"]
        storage = {"chunk": 256, "shard": 512}
        changes = {"strip_rows": BLOCKS["rows"], "strip_columns": BLOCKS["columns"], "storage": storage}
    from pipeline.config import NormalizedConfig
    from pipeline.runtime.peak import peak_bytes

    config = NormalizedConfig(chain=chain, **changes)
    for at, run in enumerate(runs):
        side, workers = map(int, run.split("/"))
        path = Path(folder) / str(at) / f"{side}.tif"
        path.parent.mkdir()
        write(path, side, form)
        if at:
            tracemalloc.start()
        normalise(path, chain, config, workers)
        traced += [tracemalloc.get_traced_memory()[1]]
        tracemalloc.stop()
    print(json.dumps({"traced": traced, "resident": peak_bytes()}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
