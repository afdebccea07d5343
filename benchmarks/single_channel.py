"""Single-channel AUC: how far one channel alone, of each fundus chain, tells the pixels of a class from all others.

    python -m benchmarks.single_channel ../shared/data/idrid

Area under the ROC curve over the pixels inside the field of view, training images pooled; of three channels and two directions (a
class may be darker or brighter) the best.
"""

import argparse
import datetime as dt
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.config import Difference, Gaussian, NormalizedConfig
from pipeline.config.manifest import DatasetRecord, load_manifest
from pipeline.geometry import Box
from pipeline.normalized.fundus.chain import block_chain
from pipeline.normalized.opened import open_view
from pipeline.normalized.region import Region
from pipeline.normalized.roi import field_of_view
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.truth import open_truth

CHAINS = {
    "CLAHE": NormalizedConfig(gaussian=Gaussian(apply=False), difference=Difference(apply=False)),
    "σ 10": NormalizedConfig(gaussian=Gaussian(sigma=10.0)),
    "default": NormalizedConfig(),
}
"""CLAHE alone; the difference with a blur of 10 pixels; with a blur of a share of the field of view."""
MANIFEST = Path(__file__).parents[1] / "datasets_manifest.yaml"


def auc(histogram: NDArray[np.int64]) -> float:
    """Area under the ROC curve of ``(2, 256)`` counts without and with truth, ties half; the better direction."""
    negative, positive = histogram.astype(np.float64)
    below = np.cumsum(negative) - negative / 2
    area = float((positive * below).sum() / (positive.sum() * negative.sum()))
    return max(area, 1 - area)


def add(found: dict[str, NDArray[np.int64]], entry: ImageEntry, record: DatasetRecord) -> None:
    """Histograms ``(class, channel, 2, 256)`` of one image, added for each chain."""
    with open_view(entry, record=record, config=CHAINS["default"], workers=1) as opened:
        box = Box.of_shape(opened.height, opened.width)
        region = Region.found(field_of_view, opened.thumbnail(), height=opened.height, width=opened.width)
        inside = region.read(box)
        with open_truth(entry, record=record, height=opened.height, width=opened.width) as source:
            assert source is not None
            truth = source.on(opened.height, opened.width).read(box)[:, inside] > 0
        for name, config in CHAINS.items():
            pixels = block_chain(opened.view.raster, region=region, config=config).read(box)[inside]
            for channel in range(3):
                values = pixels[:, channel]
                whole = np.bincount(values, minlength=256)
                for at, mask in enumerate(truth):
                    positive = np.bincount(values[mask], minlength=256)
                    found[name][at, channel] += np.stack([whole - positive, positive])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder of IDRiD")
    root = parser.parse_args().root
    record = load_manifest(MANIFEST).datasets["idrid"]
    images = [entry for entry in list_images(record, dataset="idrid", root=root) if not entry.official_test]
    found = {name: np.zeros((len(record.codes), 3, 2, 256), np.int64) for name in CHAINS}
    for entry in images:
        add(found, entry, record)
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {len(images)} images, {torch.backends.cpu.get_cpu_capability()}\n")
    print(f"| class | {' | '.join(CHAINS)} |\n|---{'|---' * len(CHAINS)}|")
    for at, code in enumerate(record.codes):
        best = [max(auc(histograms[at, channel]) for channel in range(3)) for histograms in found.values()]
        print(f"| {code} | {' | '.join(f'{each:.3f}' for each in best)} |")


if __name__ == "__main__":
    main()
