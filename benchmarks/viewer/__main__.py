"""Trial: the viewer in headless chromium, from the server; what is seen at 1:1 is compared with the stores.

npm install --prefix /tmp/trial playwright-core        (and chromium, from the system or in $CHROMIUM)
python -m benchmarks.viewer results/fundus_sample fundus_sample_08 --node /tmp/trial --out /tmp/trial
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.viewer.seen import SIZES, Trial, browsed, changed, compare_at_one, note_page
from pipeline.cli.view import with_originals
from pipeline.config.run import plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.view.catalogue import Dataset, open_datasets
from pipeline.view.server import Viewing, serving

PROJECT = Path(__file__).parents[2]


def _dataset(folder: Path) -> Dataset:
    (found,) = open_datasets(folder)
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    _, runs = plan_run(tree, {"datasets": [found.name]}, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    return with_originals(found, runs[0])


def _note_layers(shots: Mapping[str, str], trial: Trial) -> None:
    """Note what each layer changes, and that its slider and the switches of the classes take away from it."""
    layers = [name for name in ("truth", "prediction", "probability") if name in shots]
    found = {
        name: changed(shots[name], shots["none"])
        for name in (*layers, "faint", "classless", "original")
        if name in shots
    }
    for name, (pixels, mean) in found.items():
        good = pixels == 0 if name == "classless" else pixels > 0
        trial.note(f"pixels that {name} changes", f"{pixels}, by {mean:.3f} on average", good=good)
    if "probability" in found:
        weaker = 0 < found["faint"][1] < found["probability"][1]
        trial.note("the slider of probability weakens it", weaker, good=weaker)


def _note_controls(seen: Mapping[str, Any], trial: Trial) -> None:
    moved = seen.get("moved")
    if moved:
        one, other = ([each["zoom"], *each["centre"]] for each in moved)
        trial.note("panes moved together", together := bool(np.allclose(one, other, atol=1e-6)), good=together)
    trial.note("magnification", seen["factor"], good=seen["factor"] == "100 %")
    trial.note("not reached by Tab", seen["missed"], good=not seen["missed"])


def main() -> None:
    """Run the trial at two sizes, light and dark; exit with 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("image")
    parser.add_argument("--node", type=Path, required=True, help="folder with node_modules/playwright-core")
    parser.add_argument("--out", type=Path, required=True, help="folder of the screenshots")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    dataset, trial = _dataset(given.results), Trial()
    result = dataset.results_of(given.image)[0]
    store, segmentation = dataset.normalized(given.image), dataset.segmentation(given.image, result)
    assert store is not None
    assert segmentation is not None
    query = "&".join(f"result={each.name}" for each in dataset.results_of(given.image)[:2])
    with serving(Viewing.of((dataset,))) as address:
        page = f"{address}image/{dataset.name}/{given.image}/?{query}"
        for width, scheme in SIZES:
            print(f"{width} px, {scheme}")
            seen = browsed("browser.mjs", [page, str(given.out.resolve()), str(width), scheme], node=given.node)
            compare_at_one(seen, store, segmentation, trial)
            _note_layers(seen["shots"], trial)
            _note_controls(seen, trial)
            note_page(seen, trial)
    trial.end()


if __name__ == "__main__":
    main()
