"""Small data set in a folder, whose manifest and configuration tests make wrong."""

from pathlib import Path

import numpy as np
import yaml
from PIL import Image

RECORD = {
    "title": "Mine",
    "adaptor": "folder",
    "root": ".",
    "modality": "fundus",
    "task": "binary",
    "classes": [{"code": "EX", "name": "Exudates"}],
    "folder": {"images": "{image}.png", "masks": {"EX": "masks/{image}.png"}},
}
RUN = {
    "manifest": "mine.yaml",
    "datasets": ["mine"],
    "index": {"samplings": {"guided": {"patch": 32, "total": 12, "jitter": 4, "background_share": 0.0}}},
}


def write_folder(folder: Path) -> None:
    """Three pictures with masks, ``mine.yaml`` and ``run.yaml``."""
    (folder / "masks").mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(folder / f"{name}.png")
        mask = np.zeros((40, 60), np.uint8)
        mask[10:14, 20:26] = 255
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    (folder / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"mine": RECORD}}))
    (folder / "run.yaml").write_text(yaml.safe_dump(RUN))
