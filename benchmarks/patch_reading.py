"""Random 512×512 patches with truth from one Zarr store, against pre-cropped PNG files of image and mask."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.fundus_chain import HEIGHT, WIDTH, picture
from benchmarks.timing import Pair, paired
from pipeline.config import Storage
from pipeline.geometry import Box
from pipeline.seeds import stream
from pipeline.stores import create_plane, create_pyramid, open_array, write_box
from pipeline.stores.record import seal
from pipeline.stores.shards import Shards

SIDE, COUNT, CLASSES = 512, 60, 5


def truth() -> NDArray[np.uint8]:
    """Five classes of discs, as sparse as lesions are."""
    masks = np.zeros((CLASSES, HEIGHT, WIDTH), np.uint8)
    places = stream(0, "benchmark", "truth").integers(0, (HEIGHT, WIDTH), size=(200, 2))
    for at, (y, x) in enumerate(places):
        cv2.circle(masks[at % CLASSES], (int(x), int(y)), 12, 1, -1)
    return masks


def write_store(
    path: Path, image: NDArray[np.uint8], masks: NDArray[np.uint8], *, roi: bool = False, chunk: int = 512
) -> None:
    """The store of one normalised image, level 0 and truth; a region of interest of all pixels on request."""
    storage = Storage(chunk=chunk)
    group = create_pyramid(
        path,
        channels=("r", "g", "b"),
        shapes=((HEIGHT, WIDTH),),
        dtype=np.uint8,
        storage=storage,
        provenance={"stage": "benchmark"},
    )
    write_box(group["0"], np.ascontiguousarray(np.moveaxis(image, 2, 0)), y0=0, x0=0)
    array = create_plane(group, "truth", shape=masks.shape, dtype=np.uint8, storage=storage)
    write_box(array, masks, y0=0, x0=0)
    if roi:
        write_box(
            create_plane(group, "roi", shape=masks.shape[1:], dtype=np.uint8, storage=storage),
            np.ones(masks.shape[1:], np.uint8),
            y0=0,
            x0=0,
        )
    seal(path)


def run_small_chunks(folder: Path) -> tuple[str, Pair, str]:
    """Read the same patches both ways, from chunks of a quarter of the default's area."""
    return run(folder, chunk=256)


def run(folder: Path, *, chunk: int = 512) -> tuple[str, Pair, str]:
    """Read the same patches both ways."""
    image, masks = picture(), truth()
    write_store(folder / "a.zarr", image, masks, chunk=chunk)
    corners = stream(0, "benchmark", "patches").integers(0, (HEIGHT - SIDE, WIDTH - SIDE), size=(COUNT, 2))
    boxes = [Box(int(y), int(x), int(y) + SIDE, int(x) + SIDE) for y, x in corners]
    for at, box in enumerate(boxes):
        labels = np.max(masks[:, *box.slices] * np.arange(1, CLASSES + 1, dtype=np.uint8)[:, None, None], axis=0)
        cv2.imwrite(str(folder / f"{at}.png"), image[box.slices][:, :, ::-1])
        cv2.imwrite(str(folder / f"{at}_mask.png"), labels)
    arrays = [Shards.of(open_array(folder / "a.zarr", name)) for name in ("0", "truth")]

    def ours() -> None:
        for box in boxes:
            for array in arrays:
                array.read(box)

    def peer() -> None:
        for at in range(COUNT):
            cv2.imread(str(folder / f"{at}.png"))
            cv2.imread(str(folder / f"{at}_mask.png"), cv2.IMREAD_GRAYSCALE)

    pair = paired(ours, peer)
    note = f"{1000 * pair.ours / COUNT:.1f} ms a patch against {1000 * pair.peer / COUNT:.1f}"
    return (
        f"image and truth of a random 512×512 patch, Zarr (lz4, chunks of {chunk}) / pre-cropped PNG files",
        pair,
        note,
    )
