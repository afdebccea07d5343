"""Pictures of a newcomer: phantom tissue in which glands cover most of every picture, with masks of the glands."""

from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from pipeline.raw.phantom.histology import histology_phantom
from pipeline.raw.phantom.shapes import smooth_noise
from pipeline.seeds import stream

PICTURES, SIDE, FOREGROUND = 13, 256, 0.6
RECORD = {
    "title": "Glands of a colon",
    "adaptor": "folder",
    "root": "glands",
    "modality": "histology",
    "task": "binary",
    "classes": [{"code": "GLAND", "name": "Gland"}],
    "folder": {"images": "{image}.png", "masks": {"GLAND": "masks/{image}.png"}},
}


def gland_mask(number: int) -> NDArray[np.uint8]:
    """Mask of glands, 0 or 255: about as large a share of each picture as is asked for."""
    field = smooth_noise(stream(5, "glands", number), (SIDE, SIDE), 60.0)
    return np.where(field > np.quantile(field, 1 - FOREGROUND), 255, 0).astype(np.uint8)


def write_glands(folder: Path) -> None:
    """Pictures, masks and the manifest ``glands.yaml`` in a folder."""
    root = folder / "glands"
    (root / "masks").mkdir(parents=True)
    for number in range(PICTURES):
        picture = histology_phantom(number, size=SIDE, seed=5).image
        mask = gland_mask(number)
        dark = np.where(mask[..., None] > 0, picture * 0.8, picture)
        Image.fromarray(dark.astype(np.uint8)).save(root / f"colon{number:02}.png")
        Image.fromarray(mask).save(root / "masks" / f"colon{number:02}.png")
    (folder / "glands.yaml").write_text(yaml.safe_dump({"datasets": {"glands": RECORD}}))
