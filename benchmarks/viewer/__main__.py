"""Trial: the viewer in headless chromium, from the server; what is seen at 1:1 is compared with the stores.

npm install --prefix /tmp/trial playwright-core        (and chromium, from the system or in $CHROMIUM)
python -m benchmarks.viewer results/fundus_sample fundus_sample_08 --node /tmp/trial --out /tmp/trial
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline import stores
from pipeline.cli.view import with_originals
from pipeline.config.run import plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.report.pictures.overlays import ERROR_COLOURS
from pipeline.report.pictures.reduce import ERRORS, error_kinds
from pipeline.view.catalogue import Dataset, open_datasets
from pipeline.view.server import Viewing, serving

PROJECT = Path(__file__).parents[2]
SIZES = ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"))


def _dataset(folder: Path) -> Dataset:
    (found,) = open_datasets(folder)
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    _, runs = plan_run(tree, {"datasets": [found.name]}, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    return with_originals(found, runs[0])


def _part(shot: Path, corner: dict[str, float], array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a screenshot and an array ``(n, y, x)`` have in common at 1:1."""
    with Image.open(shot) as picture:
        seen = np.asarray(picture.convert("RGB"))
    x, y = round(corner["x"]), round(corner["y"])
    rows = slice(max(y, 0), min(y + array.shape[1], seen.shape[0]))
    columns = slice(max(x, 0), min(x + array.shape[2], seen.shape[1]))
    inner = array[:, rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return seen[rows, columns], inner


def _compared(seen: dict, dataset: Dataset, image: str) -> dict[str, object]:
    result = dataset.results_of(image)[0]
    store, segmentation = dataset.normalized(image), dataset.segmentation(image, result)
    assert store is not None
    assert segmentation is not None
    pixels = stores.open_array(store, "0")[:]
    truth, masks = stores.open_array(store, "truth")[:] > 0, stores.open_array(segmentation, "masks")[:] > 0
    shots = {name: Path(path) for name, path in seen["shots"].items()}
    picture, inner = _part(shots["none"], seen["corner"], pixels)
    found: dict[str, object] = {
        "pixels compared": picture.shape[0] * picture.shape[1],
        "mean difference of the picture, grey levels": round(
            float(np.abs(picture.astype(int) - np.moveaxis(inner, 0, 2)).mean()), 2
        ),
    }
    kinds = error_kinds(truth, masks)
    shown, inner = _part(shots["errors"], seen["corner"], kinds)
    wrong = sum(
        int(np.count_nonzero((shown != ERROR_COLOURS[kind]).any(axis=2) & inner[at])) for at, kind in enumerate(ERRORS)
    )
    plain = np.count_nonzero((shown != picture).any(axis=2) & ~inner.any(axis=0))
    found["pixels of errors of another colour"] = wrong
    found["pixels without error that are not the picture"] = int(plain)
    with Image.open(shots["none"]) as bare:
        ground = np.asarray(bare.convert("RGB")).astype(int)
    for name in ("truth", "prediction", "probability", "faint", "classless"):
        with Image.open(shots[name]) as layer:
            changed = np.abs(np.asarray(layer.convert("RGB")).astype(int) - ground)
        found[f"pixels that {name} changes"] = int(np.count_nonzero(changed.any(axis=2)))
        found[f"mean change by {name}"] = round(float(changed.mean()), 3)
    return found


def main() -> None:
    """Run the trial at two sizes, light and dark; exit with 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("image")
    parser.add_argument("--node", type=Path, required=True, help="folder with node_modules/playwright-core")
    parser.add_argument("--out", type=Path, required=True, help="folder of the screenshots")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    dataset, good = _dataset(given.results), True
    query = "&".join(f"result={each.name}" for each in dataset.results_of(given.image)[:2])
    with serving(Viewing.of((dataset,))) as address:
        page = f"{address}image/{dataset.name}/{given.image}/?{query}"
        for width, scheme in SIZES:
            script = Path(__file__).with_name("browser.mjs")
            command = ["node", str(script), page, str(given.out.resolve()), str(width), scheme]
            done = subprocess.run(command, cwd=given.node, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(done.stderr)
            seen = json.loads(done.stdout)
            found = _compared(seen, dataset, given.image)
            moved = seen.get("moved")
            together = not moved or np.allclose(
                [moved[0]["zoom"], *moved[0]["centre"]], [moved[1]["zoom"], *moved[1]["centre"]], atol=1e-6
            )
            print(f"{width} px, {scheme}")
            for name, value in {**found, "magnification": seen["factor"], "panes moved together": together}.items():
                print(f"  {name}: {value}")
            print(f"  reached by Tab: {', '.join(seen['reached'])}")
            print(f"  wider than the screen by: {seen['overflow']} px; errors in the console: {seen['errors']}")
            good &= not seen["errors"] and not seen["overflow"] and together and seen["factor"] == "100 %"
            good &= found["pixels of errors of another colour"] == 0
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
