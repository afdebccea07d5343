"""Whole pages in deep zoom of a finished run: files, bytes by kind of layer, and processor time of each.

python -m benchmarks.zoom_page results/idrid OUT --configfile examples/idrid_quick.yaml --config roots='{"idrid": …}'

A page holds all results of the configuration, as the workflow writes it. Of an image of 12 megapixels one result may take 60
files and 6 MB. The bytes that `lesionmap check` foresees stand beside.
"""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from pipeline.cli.check import planned
from pipeline.config.run import DatasetRun
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.listing import images_of_run
from pipeline.report.zoom.page import ImageStores, Pages, write_viewer
from pipeline.report.zoom.size import page_size
from pipeline.stores import open_array
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

MEGA = 1e6
MOST_FILES, MOST_BYTES = 60, 6e6 / 12.2
"""Of one result: files, and bytes a pixel."""


def _stores(run: DatasetRun, root: Path, image: str) -> ImageStores:
    shown, results = run.config.shown_result, run.config.probability.fusions
    masks = {
        (model, fusion): path
        for model in run.config.model.predictors
        for fusion in results
        if (path := root / "segmentation" / model / fusion / f"{image}.zarr").is_dir()
    }
    own = masks.pop(shown, None)
    maps = root / "probability" / Path(*shown) / f"{image}.zarr" if own else None
    indexes = sorted({root / "index" / f"{model.sampling}.parquet" for model in run.config.shown_models})
    others = {" / ".join(name): path for name, path in masks.items()}
    return ImageStores(root / "normalized" / f"{image}.zarr", maps, own, others, tuple(indexes))


def _page(entry: ImageEntry, found: ImageStores, run: DatasetRun, out: Path) -> bool:
    """Whether one result stays below the limits; the figures of the page are printed."""
    job = Job(run.record, Provenance("report", {}, "zoom_page"))
    pages, output = (
        Pages(run.entry, " / ".join(run.config.shown_result), run.config.normalized, job),
        out / entry.image_id,
    )
    begin = time.process_time()
    write_viewer(entry, found, pages=pages, output=output)
    spent = time.process_time() - begin
    height, width = open_array(found.normalized, "0").shape[-2:]
    sizes = {path.name: path.stat().st_size for path in output.iterdir()}
    kinds: Counter[str] = Counter()
    for name, size in sizes.items():
        kinds[name.partition(".")[0]] += size
    own = {name: size for name, size in sizes.items() if not name.partition(".")[0][-1].isdigit()}
    expected = page_size(
        height, width, classes=len(run.record.codes), results=1 + len(found.others), mapped=bool(found.segmentation)
    )
    listed = ", ".join(f"{kind} {size / MEGA:.3f}" for kind, size in sorted(kinds.items()))
    print(
        f"{entry.image_id}: {height * width / MEGA:.2f} Mpx, {len(sizes)} files, {sum(sizes.values()) / MEGA:.2f} MB, {spent:.2f} s; "
        f"of one result {len(own)} files, {sum(own.values()) / MEGA:.2f} MB; foreseen {expected.files} files, "
        f"{expected.bytes / MEGA:.2f} MB; MB: {listed}",
        flush=True,
    )
    return len(own) <= MOST_FILES and sum(own.values()) <= MOST_BYTES * height * width


def main() -> None:
    """Write the pages, print their figures; exit with 1 where one is above the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/{dataset} of a finished run")
    parser.add_argument("out", type=Path, help="folder of the pages; new")
    parser.add_argument("--images", nargs="*", help="ids; else all that have maps")
    parser.add_argument("--configfile", nargs="*", default=[])
    parser.add_argument("--config", nargs="*", default=[])
    given = parser.parse_args()
    _, (run, *_) = planned(given, datasets=[given.results.name])
    maps = given.results / "segmentation" / Path(*run.config.shown_result)
    asked = given.images or [path.stem for path in sorted(maps.glob("*.zarr"))]
    entries = {entry.image_id: entry for entry in images_of_run(run)}
    good = [_page(entries[image], _stores(run, given.results, image), run, given.out) for image in asked]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
