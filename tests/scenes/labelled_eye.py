"""Photograph with truth of three classes, some of which overlap, normalised as the stage does it."""

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.config import NormalizedConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

CODES = ("MA", "EX", "OD")
SIZE = (333, 290)
UNSURE = 128
"""Value of masks where nobody is sure."""


def record(*, unsure=False, **changes):
    classes = [
        {"code": "MA", "name": "Microaneurysms", "colour": "#FF0000"},
        {"code": "EX", "name": "Exudates", "colour": "#0000FF"},
        {"code": "OD", "name": "Optic disc", "colour": "#FF00FF", "kind": "anatomy"},
    ]
    layout = {"images": "{image}.png", "masks": {code: f"{{image}}_{code}.png" for code in CODES}}
    layout |= {"ignore": [UNSURE]} if unsure else {}
    tree = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multiclass", "classes": classes}
    return DatasetRecord.model_validate({**tree, "folder": layout, "pixel_size_um": 2.0, **changes})


def masks(*, overlap: bool, unsure: bool = False) -> dict[str, np.ndarray]:
    found = {code: np.zeros(SIZE, np.uint8) for code in CODES}
    found["MA"][[1, 37, 200, 332], [3, 101, 17, 289]] = 255  # single pixels, also at odd places and in the last corner
    found["EX"][60:90, 130:133] = 255
    found["OD"][100:180, 140:220] = 255
    if overlap:
        found["EX"][150:200, 200:204] = 255
    if unsure:
        found["EX"][251:280, 41] = UNSURE
    return found


def normalised(
    folder: Path, *, overlap=True, unsure=False, facts=None, annotated=True, workers=1, rows=64, shard=64, chunk=32
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    truth = masks(overlap=overlap, unsure=unsure)
    for code, mask in truth.items():
        Image.fromarray(mask).save(folder / f"eye_{code}.png")
    Image.fromarray(np.full((*SIZE, 3), 120, np.uint8)).save(folder / "eye.png")
    paths = tuple((code, folder / f"eye_{code}.png") for code in CODES) if annotated else ()
    config = NormalizedConfig(strip_rows=rows, strip_columns=rows, storage=Storage(chunk=chunk, shard=shard))
    output = folder / "results" / "d" / "normalized" / "eye.zarr"
    normalise_fundus(
        ImageEntry("eye", folder / "eye.png", paths, annotated=annotated),
        config=config,
        job=Job(facts or record(unsure=unsure), Provenance("normalized", {}, "c"), workers),
        output=output,
    )
    return output
