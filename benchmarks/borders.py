"""Borders of windows in the maps of a finished run: seams, distance from a dense reference, false regions.

    python -m benchmarks.borders results/idrid/model/unet

The reference slides the same window in steps of an eighth of its side with Gaussian weights, so that every pixel lies
near the middle of some window. Distances are means over the pixels where the map or the reference is at least 0.05: near
the borders of the fusion's own windows, and anywhere.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.geometry import Box, starts_1d
from pipeline.model.card import read_card
from pipeline.model.ensemble import members_of
from pipeline.predict.run_settings import RunBeside
from pipeline.probability.predict import predict_image
from pipeline.report.measures.steps import ACTIVE, border_lines
from pipeline.report.page.sections.borders import NAMES
from pipeline.stores import open_array, open_group, read_box, read_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

OVERLAP = 0.875
NEAR = 16
"""Pixels on either side of a border that count as near it."""


def whole(path: Path) -> NDArray[np.float32]:
    """A map in memory."""
    array = open_array(path, "0")
    return read_box(array, Box.of_shape(*array.shape[1:])).astype(np.float32)


def near_borders(path: Path, *, fusion: str) -> NDArray[np.bool_]:
    """Pixels within ``NEAR`` of a border of the windows that a map was made of."""
    notes: Any = dict(open_group(path).attrs)["lesionmap"]
    window, stride = int(notes["window"]), int(notes["stride"])
    height, width = open_array(path, "0").shape[1:]
    near = []
    for length in (height, width):
        lines = border_lines(
            starts_1d(length, window, stride), window=window, length=length, overlapping=fusion != "none"
        )
        at = np.arange(length)
        near.append(np.any([(at >= line - NEAR) & (at < line + NEAR) for line in lines], axis=0))
    return np.asarray(near[0][:, None] | near[1])


def dense(image: Path, *, model: Path, folder: Path) -> Path:
    """The reference of one image."""
    card, beside = read_card(members_of(model)[0]), RunBeside(model)
    assert card.record is not None
    path = folder / "probability" / "dense" / image.name
    predict_image(
        image,
        model=model,
        outputs={"gaussian": path},
        config=beside.probability({"overlap": OVERLAP}),
        window=beside.window or card.patch,
        job=Job(card.record, Provenance("probability", {}, "benchmark")),
    )
    return path


def distances(model: Path, images: Sequence[str], fusions: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For each image and fusion the sums of distances from the reference, and of pixels, near borders and anywhere."""
    root = model.parent.parent
    with tempfile.TemporaryDirectory() as folder:
        for image in images:
            reference = whole(
                dense(root / "normalized" / f"{image}.zarr", model=model, folder=Path(folder) / "results" / "d")
            )
            for fusion in fusions:
                path = root / "probability" / model.name / fusion / f"{image}.zarr"
                found = whole(path)
                active = np.maximum(found, reference) >= ACTIVE
                off = np.abs(found - reference)
                near = active & near_borders(path, fusion=fusion)
                yield {
                    "fusion": fusion,
                    "near": off[near].sum(),
                    "near_pixels": near.sum(),
                    "all": off[active].sum(),
                    "all_pixels": active.sum(),
                }


def table(model: Path) -> str:
    """The table in Markdown, over the test images of the run."""
    borders = read_table(model.parent.parent / "report" / f"{model.name}.borders.parquet")
    borders = borders[borders["split"] == "test"].astype({"fusion": str, "image_id": str})
    images, fusions = sorted(borders["image_id"].unique()), list(dict.fromkeys(borders["fusion"]))
    off = pd.DataFrame(distances(model, images, fusions)).groupby("fusion").sum()
    lines = [
        "| fusion | step across borders | beside | seam error | off near borders | off anywhere | false regions | lonely |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for fusion, own in borders.groupby("fusion", sort=False):
        across, beside = (own[f"{at}_step"].sum() / own[f"{at}_pixels"].sum() for at in ("border", "beside"))
        near, anywhere = (off.loc[fusion, at] / off.loc[fusion, f"{at}_pixels"] for at in ("near", "all"))
        lonely = "–" if fusion == "mean" else f"{own['lonely_regions'].sum()} ({own['lonely_pixels'].sum()} px)"
        lines.append(
            f"| {NAMES[str(fusion)]} | {across:.4f} | {beside:.4f} | {across - beside:.4f} | {near:.4f} | {anywhere:.4f}"
            f" | {own['false_regions'].sum()} | {lonely} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a model of a finished run")
    print(table(parser.parse_args().model))


if __name__ == "__main__":
    main()
