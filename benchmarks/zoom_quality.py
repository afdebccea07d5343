"""Quality of the pictures of the deep zoom: grey levels off at 1:1, and bytes, by JPEG quality and colour.

python -m benchmarks.zoom_quality data/idrid IDRiD_01 IDRiD_11 IDRiD_12 --kept /tmp/zoom --settings 82:420 90:444 even:10

Settings are a JPEG quality and its colour, or `even` and the step of all frequencies.
Each image is normalised at full size, with the defaults for fundus photographs.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.pyramid import halve, level_shapes
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.zoom.files import SMALLEST_WHOLE, even_jpeg_bytes, jpeg_bytes, pixels_of
from pipeline.report.zoom.levels import Planes
from pipeline.stores import open_array
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

LAYOUT = {"images": "{image}.jpg", "masks": {}}
WINDOW = 1000
"""Side of a screen, about."""
DARK = 20
"""Of the original: what is brighter in any channel is the field of view."""
CLASSES = [{"code": "MA", "name": "Microaneurysms"}]


def record() -> DatasetRecord:
    """Facts of a data set of photographs."""
    tree = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multiclass", "classes": CLASSES}
    return DatasetRecord.model_validate({**tree, "folder": LAYOUT})


def pictures(root: Path, name: str, kept: Path) -> Iterator[tuple[str, Planes]]:
    """The original and the normalised picture ``(3, y, x)`` of an image."""
    file, store = next(root.rglob(f"{name}.jpg")), kept / f"{name}.zarr"
    with Image.open(file) as picture:
        yield "original", np.moveaxis(np.asarray(picture), 2, 0)
    if not store.exists():
        entry, job = ImageEntry(name, file, (), annotated=False), Job(record(), Provenance("normalized", {}, "c"), 1)
        normalise_fundus(entry, config=NormalizedConfig(), job=job, output=store)
    yield "normalised", np.asarray(open_array(store, "0")[:], np.uint8)


def difference(planes: Planes, data: bytes) -> NDArray[np.float64]:
    """Mean absolute difference over the channels ``(y, x)`` between a picture and its JPEG."""
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    return cv2.absdiff(back, np.ascontiguousarray(np.moveaxis(planes[::-1], 0, 2))).mean(axis=2)


def worst_window(values: NDArray[np.float64]) -> float:
    """Largest mean over windows of ``WINDOW`` pixels, each half over the next."""
    step = WINDOW // 2
    tall, wide = (size // step * step for size in values.shape)
    cells = values[:tall, :wide].reshape(tall // step, step, wide // step, step).mean(axis=(1, 3))
    return float(((cells[:-1] + cells[1:])[:, :-1] + (cells[:-1] + cells[1:])[:, 1:]).max() / 4)


def encoded(planes: Planes, setting: str) -> bytes:
    """JPEG file of a picture by a setting."""
    quality, _, rest = setting.partition(":")
    if quality == "even":
        return even_jpeg_bytes(pixels_of(planes), step=int(rest))
    return jpeg_bytes(pixels_of(planes), quality=int(quality), halved_colour=rest == "420")


def measured(planes: Planes, field: NDArray[np.bool_], setting: str) -> str:
    """Grey levels off at 1:1 on the whole picture, in the field of view and in the worst window, and bytes."""
    data = encoded(planes, setting)
    found = difference(planes, data)
    levels = found.mean(), found[field].mean(), worst_window(found)
    said = ", ".join(f"{each:.2f}" for each in levels)
    return f"{said} grey levels (whole, field of view, worst window), {len(data) / 1e6:.2f} MB at 1:1"


def coarser(planes: Planes) -> int:
    """Bytes of the levels below the full size, as they are written."""
    size = 0
    for _ in level_shapes(*planes.shape[1:], smallest=SMALLEST_WHOLE, most=12, least=1)[1:]:
        planes = halve(planes)
        size += len(jpeg_bytes(pixels_of(planes)))
    return size


def main() -> None:
    """Print a line for each image, picture and setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("images", nargs="+")
    parser.add_argument("--kept", type=Path, required=True, help="folder of the normalised images")
    parser.add_argument("--settings", nargs="+", default=["82:420", "88:444", "90:444", "even:10"])
    given = parser.parse_args()
    for name in given.images:
        field = None
        for kind, planes in pictures(given.root, name, given.kept):
            field = planes.max(axis=0) > DARK if field is None else field
            for setting in given.settings:
                print(f"{name} {kind} {setting}: {measured(planes, field, setting)}", flush=True)
            print(f"{name} {kind}: {coarser(planes) / 1e6:.2f} MB of coarser levels", flush=True)


if __name__ == "__main__":
    main()
