"""Trial: a report and a page of an image in deep zoom in headless chromium, from disk (file://).

npm install --prefix /tmp/trial playwright-core axe-core        (and chromium, from the system or in $CHROMIUM)
python -m benchmarks.viewer.files results/fundus_sample fundus_sample_08 --node /tmp/trial --out /tmp/trial/files

Tables of the report sort and filter, each of its charts shows values under the pointer, Tab reaches every control, axe-core finds nothing serious or critical, nothing is wider
than the screen, and no other place is asked. The page of the image is written anew, with markup in the names of a class, of the
data set and of a result; its layers switch, sliders and the other result change it, and at 1:1 it is what the stores hold.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from benchmarks.viewer.seen import SIZES, Trial, browsed, changed, compare_at_one, note_page
from pipeline.config.run import DatasetRun, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.raw.datasets.listing import images_of_run
from pipeline.report.page import page as report_page
from pipeline.report.zoom.page import ImageStores, Pages, write_viewer
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

PROJECT = Path(__file__).parents[2]
VIEWER = Path(report_page.__file__).with_name("viewer")
MARKUP = "<b class=planted>&amp;</b><script class=planted>console.error(1)</script>"


def _stores(run: DatasetRun, results: Path, image: str) -> ImageStores:
    model, fusion = run.config.shown_result
    masks = {each: results / "segmentation" / model / each / f"{image}.zarr" for each in run.config.probability.fusions}
    indexes = sorted({results / "index" / f"{each.sampling}.parquet" for each in run.config.shown_models})
    own, maps = masks.pop(fusion), results / "probability" / model / fusion / f"{image}.zarr"
    others = {f"{model} / {each} {MARKUP}": path for each, path in masks.items()}
    return ImageStores(results / "normalized" / f"{image}.zarr", maps, own, others, tuple(indexes))


def _written(run: DatasetRun, found: ImageStores, image: str, report: Path) -> Path:
    """Page of the image, beside the script of the viewer, with names that are markup."""
    classes = [each.model_copy(update={"name": f"{each.name} {MARKUP}"}) for each in run.record.classes]
    record = run.record.model_copy(update={"classes": tuple(classes)})
    entry = {each.image_id: each for each in images_of_run(run)}[image]
    shown = f"{' / '.join(run.config.shown_result)} {MARKUP}"
    pages = Pages(f"{run.entry} {MARKUP}", shown, run.config.normalized, Job(record, Provenance("report", {}, "trial")))
    shutil.copytree(VIEWER, report / "viewer", dirs_exist_ok=True)
    write_viewer(entry, found, pages=pages, output=report / "zoom" / image)
    return report / "zoom" / image / "index.html"


def _note_everywhere(seen: dict[str, Any], trial: Trial) -> None:
    note_page(seen, trial)
    trial.note("asked of other places", seen["asked"], good=not seen["asked"])
    trial.note("axe, serious and critical", seen["axe"], good=not seen["axe"])
    said = f"{seen['missed']} of {seen['controls']} controls"
    trial.note("not reached by Tab", said, good=not seen["missed"] and seen["controls"] > 0)


def _note_tables(seen: dict[str, Any], trial: Trial) -> None:
    for done, not_done in (("sorted", "unsorted"), ("filtered", "unfiltered")):
        good = seen["tables"][done] > 0 and not seen["tables"][not_done]
        trial.note(f"tables {done}", f"{seen['tables'][done]}; not: {seen['tables'][not_done]}", good=good)


def _note_charts(seen: dict[str, Any], trial: Trial) -> None:
    charts = seen["charts"]
    trial.note("charts that show values", len(charts["shown"]), good=bool(charts["shown"]) and not charts["silent"])
    trial.note("texts of charts that are cut", charts["cut"], good=not charts["cut"])


def _note_layers(seen: dict[str, Any], trial: Trial) -> None:
    shots = seen["shots"]
    for name in (each for each in shots if f"{each} faint" in shots):
        (pixels, mean), (_, faint) = (changed(shots[each], shots["none"]) for each in (name, f"{name} faint"))
        trial.note(
            f"{name}: pixels changed", f"{pixels}, by {mean:.3f}, faint {faint:.3f}", good=pixels > 0 and faint < mean
        )
    for name, ground in (("other", "prediction"), ("original", "none")):
        if name in shots:
            pixels, _ = changed(shots[name], shots[ground])
            trial.note(f"{name}: pixels unlike {ground}", pixels, good=pixels > 0)
    trial.note("magnification", seen["factor"], good=seen["factor"] == "100 %")
    trial.note("names with markup stay text", seen["text"], good=seen["text"] and seen["markup"] == 0)


def main() -> None:
    """Run the trial at two sizes, light and dark; exit with 1 where something is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/{dataset} of a finished run")
    parser.add_argument("image", help="with maps")
    parser.add_argument(
        "--node", type=Path, required=True, help="folder with node_modules/playwright-core and axe-core"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the page and of the screenshots")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    change = {"datasets": [given.results.name]}
    _, (run,) = plan_run(tree, change, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    found, trial = _stores(run, given.results, given.image), Trial()
    page = _written(run, found, given.image, given.out / "report")
    assert found.segmentation is not None
    for width, scheme in SIZES:
        place = [str(given.out.resolve()), str(width), scheme]
        print(f"report, {width} px, {scheme}")
        address = (given.results / "report" / "index.html").resolve().as_uri()
        seen = browsed("files.mjs", ["report", address, *place], node=given.node)
        _note_everywhere(seen, trial)
        _note_tables(seen, trial)
        _note_charts(seen, trial)
        print(f"page of the image, {width} px, {scheme}")
        seen = browsed("files.mjs", ["image", page.resolve().as_uri(), *place], node=given.node)
        compare_at_one(seen, found.normalized, found.segmentation, trial)
        _note_layers(seen, trial)
        _note_everywhere(seen, trial)
    trial.end()


if __name__ == "__main__":
    main()
