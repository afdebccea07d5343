"""Data set with three planted faults, to see whether the report alone shows them to somebody who does not know them.

python -m benchmarks.findings.planted FOLDER
cd FOLDER && lesionmap run -j2 all --configfile config.yaml      # then: results/planted/report/index.html

Twenty-four patients with an image each, of phantoms. One image has an inverted mask, two have each other's picture, and
one of three models learned for a few steps only. Which ones is written to ``answers.json``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from PIL import Image

from pipeline.raw.phantom.fundus import CODES, fundus_phantom
from pipeline.seeds import stream

PATIENTS, SIZE = 24, 1411
TEST, VALIDATION = 7, 5
"""Patients of each split; the others train."""
COLOURS = dict(zip(CODES, ("red", "green", "blue", "yellow", "magenta"), strict=True))
NAMES = ("alder", "birch", "cedar")
"""Models: one of them, drawn, learns for a few steps only."""


def _save(path: Path, pixels: NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)


def _write_images(folder: Path, ids: list[str]) -> dict[str, dict[str, int]]:
    """Pictures and masks of all patients; pixels of each class in each."""
    pixels = {}
    for number, image in enumerate(ids):
        made = fundus_phantom(number, size=SIZE, seed=7)
        _save(folder / "images" / f"{image}.png", made.image)
        for code, mask in made.masks.items():
            _save(folder / code / f"{image}.png", mask.astype(np.uint8) * 255)
        pixels[image] = {code: int(mask.sum()) for code, mask in made.masks.items()}
    return pixels


def _invert(path: Path) -> None:
    with Image.open(path) as mask:
        _save(path, 255 - np.asarray(mask))


def _swap(one: Path, other: Path) -> None:
    kept = one.with_name("kept")
    one.rename(kept)
    other.rename(one)
    kept.rename(other)


def _configuration(worse: str) -> tuple[dict[str, object], dict[str, object]]:
    """Manifest and configuration."""
    classes = [{"code": code, "name": code, "colour": COLOURS[code]} for code in CODES]
    classes[-1]["kind"] = "anatomy"
    record = {
        "title": "Patients of a clinic",
        "adaptor": "folder",
        "root": ".",
        "modality": "fundus",
        "task": "multiclass",
        "classes": classes,
        "folder": {"images": "images/{image}.png", "masks": {code: f"{code}/{{image}}.png" for code in CODES}},
    }
    models: dict[str, object] = {"unet": None}
    models |= {name: {"steps": 25 if name == worse else 300, "learning_rate": 2e-3} for name in NAMES}
    settings = {
        "raw": {"splits_csv": "splits.csv"},
        "normalized": {"rescale": {"factor": 0.4}},
        "index": {"samplings": {"guided": {"patch": 128, "total": 900, "jitter": 32}}},
        "model": {"models": models},
        "probability": {"fusions": ["gaussian"]},
        "report": {"zoom": "all"},
    }
    run = {"datasets": ["planted"], "manifest": "manifest.yaml", "overrides": {"planted": settings}}
    return {"datasets": {"planted": record}}, run


def main() -> None:
    """Write pictures, masks, splits, manifest, configuration and the answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    folder, rng = given.folder, stream(given.seed, "planted faults")
    ids = [f"patient_{1 + at:02}" for at in range(PATIENTS)]
    pixels = _write_images(folder, ids)
    splits = ["test"] * TEST + ["validation"] * VALIDATION + ["train"] * (PATIENTS - TEST - VALIDATION)
    drawn = dict(zip(rng.permutation(ids).tolist(), splits, strict=True))
    pd.DataFrame({"image_id": list(drawn), "split": list(drawn.values())}).to_csv(folder / "splits.csv", index=False)
    held = [image for image, split in drawn.items() if split != "train"]
    inverted, one, other = rng.permutation(held)[:3].tolist()
    code = next(code for code in ("EX", "HE", "MA", "OD") if pixels[inverted][code])
    _invert(folder / code / f"{inverted}.png")
    _swap(*(folder / "images" / f"{image}.png" for image in (one, other)))
    worse = str(rng.choice(NAMES))
    manifest, run = _configuration(worse)
    for name, tree in (("manifest.yaml", manifest), ("config.yaml", run)):
        (folder / name).write_text(yaml.safe_dump(tree, sort_keys=False))
    answers = {"inverted mask": [inverted, code], "swapped pictures": sorted([one, other]), "worse model": worse}
    (folder / "answers.json").write_text(json.dumps(answers, indent=1))


if __name__ == "__main__":
    main()
