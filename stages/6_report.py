"""Stage report: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import by_image, job_of

if TYPE_CHECKING:
    snakemake: Any


def report_metrics(smk: Any) -> None:
    """Measure one model and fusion."""
    from pipeline.config import ReportConfig
    from pipeline.config.manifest import ClassRecord
    from pipeline.raw.datasets.entry import entry_from_files
    from pipeline.report.measures.errors import write_errors
    from pipeline.report.measures.evaluate import write_metrics
    from pipeline.report.measures.original_grid import TruthFiles
    from pipeline.report.measures.out_of_fold import OutOfFold
    from pipeline.report.paths import Result

    config = smk.params.config
    classes = tuple(ClassRecord.model_validate(each) for each in smk.params.classes)
    sheets = by_image(smk.input.sheets)
    segmentation = by_image(smk.input.segmentation)
    result = Result(
        smk.wildcards.model,
        smk.wildcards.fusion,
        probability=by_image(smk.input.probability),
        segmentation=segmentation,
        thresholds=Path(smk.input.thresholds),
        metrics_images=Path(smk.output.images),
        metrics_classes=Path(smk.output.classes),
    )
    normalized = by_image(smk.input.normalized)
    job = job_of("report", config=config, code=smk.params.code, inputs=segmentation)
    held = {Path(path).parts[-3]: Path(path) for path in smk.input.held_thresholds}
    out_of_fold = OutOfFold(config.get("out_of_fold", {}), held)
    write_errors(
        Path(smk.input.images),
        result,
        normalized=normalized,
        folds=config["folds"],
        out_of_fold=out_of_fold.folds.values(),
        job=job,
        output=Path(smk.output.errors),
    )
    write_metrics(
        Path(smk.input.images),
        result,
        normalized=normalized,
        truths={
            image: TruthFiles(entry_from_files(facts, **files), sheets[image], classes)
            for image, (facts, files) in smk.params.truths.items()
        },
        folds=config["folds"],
        out_of_fold=out_of_fold,
        config=ReportConfig.model_validate(config["report"]),
        job=job,
        # No output of this rule: the file belongs to the folder of the model that was measured.
        folder=Path(smk.output.classes).parents[1] / "model" / smk.wildcards.model,
    )


def by_fusion(paths: Any) -> dict[str, dict[str, Path]]:
    """Fusion → image id → path, for paths ``…/{fusion}/{image}.zarr``."""
    found: dict[str, dict[str, Path]] = {}
    for path in map(Path, paths):
        found.setdefault(path.parent.name, {})[path.stem] = path
    return found


def report_borders(smk: Any) -> None:
    """Measure the effect of window borders on the maps of one model."""
    from pipeline.report.measures.borders import write_borders

    config = smk.params.config
    probability = by_fusion(smk.input.probability)
    inputs = {f"{fusion}/{image}": path for fusion, paths in probability.items() for image, path in paths.items()}
    write_borders(
        Path(smk.input.images),
        probability=probability,
        segmentation=by_fusion(smk.input.segmentation),
        normalized=by_image(smk.input.normalized),
        folds=config["folds"],
        job=job_of("report", config=config, code=smk.params.code, inputs=inputs),
        output=Path(smk.output[0]),
    )


def image_stores(smk: Any, normalized: list[str]) -> dict[str, Any]:
    """Image id → its stores: the result shown first, separate from the others in their order."""
    from pipeline.report.zoom.page import ImageStores

    shown, *others = [" / ".join(each) for each in smk.params.config["results"]] or [""]
    maps = by_image(smk.input.probability)
    of_image: dict[str, dict[str, Path]] = {}
    for path in map(Path, smk.input.segmentation):
        of_image.setdefault(path.stem, {})[" / ".join(path.parts[-3:-1])] = path
    found = {}
    for image, store in by_image(normalized).items():
        own = of_image.get(image, {})
        beside = {name: own[name] for name in others if name in own}
        indexes = tuple(map(Path, smk.input.indexes))
        found[image] = ImageStores(store, maps.get(image), own.get(shown), beside, indexes)
    return found


def zoom_pages(smk: Any, inputs: dict[str, Path]) -> Any:
    """Facts that all pages in deep zoom share."""
    from pipeline.config import NormalizedConfig
    from pipeline.report.zoom.page import Pages

    config = smk.params.config
    result = " / ".join(next(iter(config["results"]), []))
    job = job_of("report", config=config, code=smk.params.code, inputs=inputs)
    return Pages(config["dataset"], result, NormalizedConfig.model_validate(config["normalized"]), job)


def report_zoom(smk: Any) -> None:
    """Write the page of one image in deep zoom."""
    from pipeline.raw.datasets.entry import entry_from_files
    from pipeline.report.zoom.page import write_viewer

    (found,) = image_stores(smk, [smk.input.normalized]).values()
    stores = {"normalized": found.normalized, "probability": found.probability, "segmentation": found.segmentation}
    inputs = {name: path for name, path in {**stores, **found.others}.items() if path}
    entry = entry_from_files(smk.params.config["entry"], **smk.params.files, largest_decode=smk.params.largest_decode)
    write_viewer(entry, found, pages=zoom_pages(smk, inputs), output=Path(smk.output[0]))


def report_worst(smk: Any) -> None:
    """Write the pages of the worst images in deep zoom."""
    from pipeline.raw.datasets.entry import ImageEntry, entry_from_files
    from pipeline.report.zoom.worst import write_worst

    config, metrics = smk.params.config, Path(smk.input.metrics[0])

    def entry_of(image: str) -> ImageEntry:
        files = smk.params.files[image]
        return entry_from_files(config["entries"][image], **files, largest_decode=smk.params.largest_decode)

    write_worst(
        metrics,
        image_stores(smk, smk.input.normalized),
        entry_of=entry_of,
        count=config["worst"],
        pages=zoom_pages(smk, {"metrics": metrics}),
        output=Path(smk.output[0]),
    )


def report_page(smk: Any) -> None:
    """Write the page of one data set."""
    from pipeline.config import NormalizedConfig, StageConfig
    from pipeline.raw.datasets.pictures import pictures_in
    from pipeline.report.page.page import Outputs, write_report
    from pipeline.report.page.times_page import Noted
    from pipeline.report.paths import Inputs, results_from_paths
    from pipeline.report.pictures.originals import looks
    from pipeline.runtime.job_memory import rules_memory
    from pipeline.stores import read_table

    config = smk.params.config
    # Without phantoms the originals come in the order of the image ids.
    files = dict(zip(config["images"], map(Path, smk.params.originals), strict=bool(smk.params.originals)))
    metrics = {Path(path).name: Path(path) for path in smk.input.metrics_classes}
    worst = [path for folder in map(Path, smk.input.worst) for path in folder.iterdir() if path.is_dir()]
    job = job_of("report", config=config, code=smk.params.code, inputs=metrics)
    classes = len(job.record.codes)
    pictures = pictures_in(read_table(Path(smk.input.images)), classes=classes).values()
    stages = StageConfig.model_validate(config["stages"])
    memory = rules_memory(stages, pictures, classes=classes)
    write_report(
        Inputs(
            images=Path(smk.input.images),
            sheets=list(map(Path, smk.input.sheets)),
            normalized=by_image(smk.input.normalized),
            originals=looks(
                files,
                numbers=config["images"],
                record=job.record,
                config=NormalizedConfig.model_validate(config["stages"]["normalized"]),
                largest_decode=config["stages"]["raw"]["largest_decode"],
            ),
            indexes=by_image(smk.input.indexes),
            models={Path(path).name: Path(path) for path in smk.input.models},
            stains={Path(path).name.removesuffix(".stain.json"): Path(path) for path in smk.input.stains},
            target=next(map(Path, smk.input.target), None),
            zoom={path.name: path for path in [*map(Path, smk.input.zoom), *worst]},
            hardest=next(map(Path, smk.input.hardest), None),
            borders={Path(path).name.removesuffix(".borders.parquet"): Path(path) for path in smk.input.borders},
        ),
        dataset=config["dataset"],
        stage_config=config["stages"],
        results=results_from_paths(config["results"], smk.input, shown=stages.shown_result),
        job=job,
        outputs=Outputs(Path(smk.output.page), Path(smk.output.figures), Path(smk.output.summary)),
        # Neither input nor parameter: they differ between runs of the same seed and must not trigger a new page.
        times=Noted(Path(smk.output.page).parents[2] / ".benchmarks" / config["dataset"], memory),
    )


def report_index(smk: Any) -> None:
    """Write the page over all data sets."""
    from pipeline.report.page.page import write_index

    pairs = zip(map(Path, smk.input.pages), map(Path, smk.input.summaries), strict=True)
    reports = dict(zip(smk.params.config["datasets"], pairs, strict=True))
    write_index(reports, output=Path(smk.output[0]))


with job_context(snakemake.log[0], threads=snakemake.threads, inputs=snakemake.input):
    {
        "report_metrics": report_metrics,
        "report_borders": report_borders,
        "report_zoom": report_zoom,
        "report_worst": report_worst,
        "report_page": report_page,
        "report_index": report_index,
    }[snakemake.rule](snakemake)
