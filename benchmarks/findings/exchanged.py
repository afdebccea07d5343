"""Exchanged masks on real maps: how many of all exchanges of two measured images are named, and what is named without one.

python -m benchmarks.findings.exchanged results/idrid both gaussian

Each pair of images of the same size gets each other's truth in turn, the others keep theirs. Pixels are every second one
along both axes.
"""

import argparse
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.arrays.metrics import average_precision, probability_histogram
from pipeline.geometry import Box
from pipeline.report.measures.mismatches import gains, mismatches
from pipeline.stores import open_array, read_table
from pipeline.stores.probability_store import open_probability

EVERY = 2


def against(folder: Path, model: str, fusion: str) -> dict[tuple[str, str], pd.DataFrame]:
    """Rows of measures of the maps of one image against the truth of another, by both."""
    measured = read_table(folder / "report" / f"{model}.{fusion}.images.parquet")
    measured = measured[(measured["grid"] == "normalised") & (measured["truth_pixels"] > 0)]
    own = {str(image): part for image, part in measured.groupby("image_id", observed=True)}
    codes = list(dict.fromkeys(read_table(folder / "raw" / "images.parquet").filter(like="pixels_").columns))
    truths = {
        image: np.asarray(open_array(folder / "normalized" / f"{image}.zarr", "truth")[:, ::EVERY, ::EVERY]) > 0
        for image in own
    }
    found: dict[tuple[str, str], list[pd.DataFrame]] = {}
    for image in own:
        store = open_probability(folder / "probability" / model / fusion / f"{image}.zarr")
        for at, code in enumerate(name.removeprefix("pixels_") for name in codes):
            plane = store.plane(Box.of_shape(*store.shape[1:]), number=at)
            chances = np.ascontiguousarray(plane[::EVERY, ::EVERY])
            for other, truth in truths.items():
                row = own[other][own[other]["class_code"] == code]
                if len(row) and truth.shape[1:] == chances.shape:
                    ap = average_precision(probability_histogram(chances, truth[at]))
                    found.setdefault((image, other), []).append(row.assign(image_id=image, ap=ap))
    return {key: pd.concat(rows) for key, rows in found.items()}


def main() -> None:
    """Print what is named, with and without an exchange."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("model")
    parser.add_argument("fusion")
    given = parser.parse_args()
    rows = against(given.folder, given.model, given.fusion)
    images = sorted({image for image, other in rows if image == other})
    right = {image: rows[image, image] for image in images}
    named = [each.image_id for each in mismatches(pd.concat(right.values()))]
    print(f"{len(images)} images with their own masks, named: {', '.join(named) or 'none'}")
    both, one, none = [], [], []
    for pair in combinations([image for image in images if image not in named], 2):
        if pair in rows:
            swapped = right | {pair[0]: rows[pair], pair[1]: rows[pair[::-1]]}
            hits = {each.image_id for each in mismatches(pd.concat(swapped.values()))}
            assert not hits - {*pair, *named}, hits
            (both if hits >= set(pair) else one if hits & set(pair) else none).append(pair)
    print(
        f"exchanges: {len(both) + len(one) + len(none)}; both images named {len(both)}, one {len(one)}, none {len(none)}"
    )
    for text, own in (("own masks", True), ("masks of another image", False)):
        found = np.concatenate([gains(part) for (image, other), part in rows.items() if (image == other) == own])
        print(
            f"gain over chance, {text}: {np.percentile(found, [0, 5, 50, 95, 100]).round(2)} (least, 5, 50, 95 %, most)"
        )


if __name__ == "__main__":
    main()
