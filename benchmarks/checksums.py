"""Cost of checksums and flushes: the same calls with them, and with both taken out.

`google_crc32c.value` then gives the same number for everything, `os.fsync` does nothing, and large files are not started on
their way to the disk. Nothing else differs.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import google_crc32c
import imageio.v3 as imageio

from benchmarks.fundus_chain import HEIGHT, WIDTH, picture
from benchmarks.patch_reading import COUNT, SIDE, truth, write_store
from benchmarks.probability import inputs
from benchmarks.probability.ours import null_model, predicted
from benchmarks.timing import Pair, paired
from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import Box
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.seeds import stream
from pipeline.stores import open_array
from pipeline.stores.job import Job
from pipeline.stores.shards import Shards

__all__ = ["main"]

ROUNDS = 9
FUSED = 4096


@contextmanager
def unchecked() -> Iterator[None]:
    """Neither checksums nor flushes."""

    def none(*_anything: object) -> int:
        return 0

    with (
        patch.object(google_crc32c, "value", none),
        patch.object(os, "fsync", none),
        patch.object(os, "posix_fadvise", none, create=True),
    ):
        yield


def without(call: Callable[[], object]) -> Callable[[], object]:
    """The same call, neither checked nor flushed."""

    def run() -> object:
        with unchecked():
            return call()

    return run


def normalisation(folder: Path) -> Callable[[], None]:
    """Stage normalized of one photograph of 4288×2848 pixels, from JPEG to store."""
    file, output = folder / "a.jpg", folder / "normalized" / "a.zarr"
    imageio.imwrite(file, picture(), quality=95)
    record = DatasetRecord.model_validate(
        {
            "title": "benchmark",
            "adaptor": "folder",
            "modality": "fundus",
            "task": "multilabel",
            "classes": [{"code": "C1", "name": "class"}],
            "folder": {"images": "{image}.jpg", "masks": {"C1": "{image}_C1.png"}},
        }
    )
    entry, job = ImageEntry("a", file, annotated=False), Job(record, inputs.origin("a"), workers=2)

    def run() -> None:
        normalise_fundus(entry, config=NormalizedConfig(), job=job, output=output)
        shutil.rmtree(output)

    return run


def fusion(folder: Path, *, varied: bool = False) -> Callable[[], None]:
    """Fusion of 4096×4096 pixels and six classes by a network that costs nothing, from store to store."""
    image = folder / "f.zarr"
    if not image.exists():
        inputs.write_image(image, inputs.pixels(FUSED, FUSED))
    settings, store = inputs.config(), folder / "fused.zarr"
    model = null_model(6, batch=settings.batch_size, varied=varied)
    call = predicted(image, store, model, classes=6, settings=settings)

    def run() -> None:
        call()
        shutil.rmtree(store)

    return run


def patches(folder: Path) -> Callable[[], None]:
    """Image and truth of 60 patches of 512×512 at random places of one store."""
    path = folder / "p.zarr"
    write_store(path, picture(), truth())
    corners = stream(0, "benchmark", "patches").integers(0, (HEIGHT - SIDE, WIDTH - SIDE), size=(COUNT, 2))
    boxes = [Box(int(y), int(x), int(y) + SIDE, int(x) + SIDE) for y, x in corners]
    arrays = [Shards.of(open_array(path, name)) for name in ("0", "truth")]

    def run() -> None:
        for box in boxes:
            for array in arrays:
                array.read(box)

    return run


def row(name: str, pair: Pair) -> str:
    """Row of the table; the cost is the median over the pairs."""
    return f"| {name} | {1000 * pair.ours:.0f} | {1000 * pair.peer:.0f} | {100 * (1 / pair.ratio - 1):+.1f} % |"


def measured(name: str, make: Callable[[Path], Callable[[], None]], folder: Path) -> None:
    """Print the row of a call beside the same call unchecked, each on files of its own."""
    checked, plain = folder / "with", folder / "without"
    for each in (checked, plain):
        each.mkdir(parents=True)
    call = make(checked)
    with unchecked():
        other = make(plain)
    print(row(name, paired(call, without(other), runs=ROUNDS)), flush=True)


def main() -> None:
    """Print the table; a folder on the disk to be measured may be given."""
    print("| what | with, ms | without, ms | cost |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as place:
        folder = Path(place)
        measured("normalised store of a fundus photograph of 4288×2848", normalisation, folder / "a")
        measured("fusion of 4096×4096, six classes, constant maps", fusion, folder / "b")
        measured("the same, maps of noise, which do not compress", partial(fusion, varied=True), folder / "c")
        measured("image and truth of 60 patches of 512×512", patches, folder / "d")


if __name__ == "__main__":
    main()
