"""Trial: the report of a data set of many images, made of copies of the images of a finished run.

python -m benchmarks.findings.many_images results/idrid OUT --configfile examples/idrid_quick.yaml --config roots='{"idrid": …}'

A row of every table and a page in deep zoom are written for each copy, as the workflow does it for an image. Stated are
files, bytes and processor time for each page in deep zoom, those of the page of the data set, and the processor time
that a browser needs to open it beyond that of an empty page.
"""

import argparse
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline import stores
from pipeline.cli.check import planned
from pipeline.config import depends
from pipeline.config.run import DatasetRun
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.listing import images_of_run
from pipeline.report.page.page import Outputs, write_report
from pipeline.report.paths import Inputs, Result
from pipeline.report.pictures.originals import looks
from pipeline.report.zoom.page import ImageStores, Pages, write_viewer
from pipeline.stores.job import Job, job_of

MEASURES = ("images", "classes", "lesions", "parts", "errors")


def _copied_table(path: Path, copies: Mapping[str, str], output: Path) -> None:
    """Table with the rows of an image once for each of its copies, or as it is where it has no images."""
    table, notes = stores.read_table(path), stores.table_metadata(path)
    if "image_id" in table:
        named = pd.DataFrame({"copy": list(copies), "image_id": list(copies.values())})
        many = named.merge(table.assign(image_id=table["image_id"].astype(str)), on="image_id")
        own = {name: many["copy"] for name in ("image_id", "group_id") if name in table}
        table = many.assign(**own)[list(table.columns)]
    output.parent.mkdir(parents=True, exist_ok=True)
    extra = {name: note for name, note in notes.items() if name != "provenance"}
    stores.write_table(table, output, provenance=notes["provenance"], extra=extra)


def _results(root: Path, out: Path, run: DatasetRun, copies: Mapping[str, str]) -> list[Result]:
    found = []
    for model in run.config.model.predictors:
        for fusion in run.config.probability.fusions:
            name = f"{model}.{fusion}"
            for kind in MEASURES:
                _copied_table(root / "report" / f"{name}.{kind}.parquet", copies, out / f"{name}.{kind}.parquet")
            maps, regions = (root / stage / model / fusion for stage in ("probability", "segmentation"))
            found.append(
                Result(
                    model,
                    fusion,
                    {copy: maps / f"{image}.zarr" for copy, image in copies.items()},
                    {copy: regions / f"{image}.zarr" for copy, image in copies.items()},
                    regions / "thresholds.json",
                    out / f"{name}.images.parquet",
                    out / f"{name}.classes.parquet",
                )
            )
    return found


def _zoom(run: DatasetRun, result: Result, entry: ImageEntry, root: Path, *, job: Job, output: Path) -> None:
    store = root / "normalized" / f"{entry.image_id}.zarr"
    maps = (result.probability[output.name], result.segmentation[output.name])
    write_viewer(
        entry,
        ImageStores(store, *maps),
        pages=Pages(run.entry, result.name, run.config.normalized, job),
        output=output,
    )


def _size(folder: Path) -> tuple[int, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def _opened(url: str, *, browser: str) -> float:
    """Processor seconds of a browser that opens a page and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
        subprocess.run([browser, *options, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _given() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results/{dataset} of a finished run")
    parser.add_argument("out", type=Path, help="folder of the report; new")
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--configfile", nargs="*", default=[])
    parser.add_argument("--config", nargs="*", default=[])
    return parser.parse_args()


def _timed_zoom(
    run: DatasetRun,
    result: Result,
    entries: Mapping[str, ImageEntry],
    copies: Mapping[str, str],
    given: argparse.Namespace,
    job: Job,
) -> None:
    """Pages in deep zoom of all copies, written, with their figures."""
    seconds = []
    for copy, image in copies.items():
        start = time.process_time()
        _zoom(run, result, entries[image], given.results, job=job, output=given.out / "zoom" / copy)
        seconds.append(time.process_time() - start)
    files, size = _size(given.out / "zoom")
    print(f"deep zoom: {len(copies)} images, {files} files, {size / 1e9:.2f} GB", flush=True)
    print(f"  processor time of an image: median {statistics.median(seconds):.2f} s, largest {max(seconds):.2f} s")


def _said(out: Path, *, browser: str) -> None:
    """Figures of the whole report."""
    files, size = _size(out)
    print(f"report: {files} files, {size / 1e9:.2f} GB; index.html {(out / 'index.html').stat().st_size / 1e6:.1f} MB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of all of it: {peak:.0f} MiB")
    empty = statistics.median(_opened("about:blank", browser=browser) for _ in range(3))
    address = (out / "index.html").resolve().as_uri()
    page = statistics.median(_opened(address, browser=browser) for _ in range(3))
    print(f"browser: {page:.2f} s of processor time, {empty:.2f} s for an empty page")


def main() -> None:
    """Write the copies and the report, and print the figures."""
    given = _given()
    root, out = given.results, given.out
    _, (run, *_) = planned(given, datasets=[given.results.name])
    entries = {entry.image_id: entry for entry in images_of_run(run)}
    model, fusion = run.config.shown_result
    mapped = sorted(path.stem for path in (root / "probability" / model / fusion).glob("*.zarr"))
    copies = {f"copy_{at:04}_{mapped[at % len(mapped)]}": mapped[at % len(mapped)] for at in range(given.images)}
    results = _results(root, out, run, copies)
    _copied_table(root / "raw" / "images.parquet", copies, out / "images.parquet")
    borders = {name: out / f"{name}.borders.parquet" for name in run.config.model.predictors}
    for path in borders.values():
        _copied_table(root / "report" / path.name, copies, path)
    config = depends.report_page(run, {copy: entries[image].number for copy, image in copies.items()})
    job = job_of("report", config=config, code="many images", inputs={})
    shown = next(each for each in results if (each.model, each.fusion) == (model, fusion))
    _timed_zoom(run, shown, entries, copies, given, job)
    start = time.process_time()
    write_report(
        Inputs(
            images=out / "images.parquet",
            normalized={copy: root / "normalized" / f"{image}.zarr" for copy, image in copies.items()},
            originals=looks(
                {copy: path for copy, image in copies.items() if (path := entries[image].image)},
                numbers=config["images"],
                record=job.record,
                config=run.config.normalized,
            ),
            indexes={path.stem: path for path in (root / "index").glob("*.parquet")},
            models={name: root / "model" / name for name in run.config.model.predictors},
            zoom={copy: out / "zoom" / copy for copy in copies},
            hardest=next((root / "model" / ".hardest").glob(f"{model}.parquet"), None),
            borders=borders,
        ),
        dataset=run.entry,
        stage_config=config["stages"],
        results=results,
        job=job,
        outputs=Outputs(out / "index.html", out / "figures", out / "summary.parquet"),
    )
    print(f"page: {time.process_time() - start:.1f} s of processor time")
    _said(out, browser=given.browser)


if __name__ == "__main__":
    main()
