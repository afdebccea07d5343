"""Stage report: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job, origin

if TYPE_CHECKING:
    snakemake: Any


def by_image(paths: Any) -> dict[str, Path]:
    """Image id → path, for paths that end in the image's id."""
    return {Path(path).stem: Path(path) for path in paths}


def report_metrics(smk: Any) -> None:
    """Measure one model and fusion."""
    from pipeline.config import ReportConfig
    from pipeline.config.manifest import DatasetRecord
    from pipeline.report.measures.evaluate import write_metrics

    config = smk.params.config
    probability, segmentation = by_image(smk.input.probability), by_image(smk.input.segmentation)
    write_metrics(
        Path(smk.input.images),
        model=smk.wildcards.model,
        fusion=smk.wildcards.fusion,
        probability=probability,
        segmentation=segmentation,
        normalized=by_image(smk.input.normalized),
        thresholds=Path(smk.input.thresholds),
        folds=config["folds"],
        record=DatasetRecord.model_validate(config["record"]),
        config=ReportConfig.model_validate(config["report"]),
        seed=config["seed"],
        output_images=Path(smk.output.images),
        output_classes=Path(smk.output.classes),
        provenance=origin("report", config=config, code=smk.params.code, inputs=segmentation),
    )


def by_fusion(paths: Any) -> dict[str, dict[str, Path]]:
    """Fusion → image id → path, for paths ``…/{fusion}/{image}.zarr``."""
    found: dict[str, dict[str, Path]] = {}
    for path in map(Path, paths):
        found.setdefault(path.parent.name, {})[path.stem] = path
    return found


def report_borders(smk: Any) -> None:
    """Measure what the borders of windows do to the maps of one model."""
    from pipeline.config.manifest import DatasetRecord
    from pipeline.report.measures.borders import write_borders

    config = smk.params.config
    probability = by_fusion(smk.input.probability)
    inputs = {f"{fusion}/{image}": path for fusion, paths in probability.items() for image, path in paths.items()}
    write_borders(
        Path(smk.input.images),
        probability=probability,
        segmentation=by_fusion(smk.input.segmentation),
        normalized=by_image(smk.input.normalized),
        record=DatasetRecord.model_validate(config["record"]),
        folds=config["folds"],
        output=Path(smk.output[0]),
        provenance=origin("report", config=config, code=smk.params.code, inputs=inputs),
    )


def report_page(smk: Any) -> None:
    """Write the page of one data set."""
    from pipeline.config import NormalizedConfig, ReportConfig
    from pipeline.config.manifest import DatasetRecord
    from pipeline.report.measures.result import Inputs, results_from_paths
    from pipeline.report.page.page import write_report
    from pipeline.report.pictures.originals import looks

    config = smk.params.config
    record = DatasetRecord.model_validate(config["record"])
    # Without phantoms the originals come in the order of the image ids.
    files = dict(zip(config["images"], map(Path, smk.input.originals), strict=bool(smk.input.originals)))
    metrics = [Path(path) for path in smk.input.metrics_classes]
    write_report(
        Inputs(
            images=Path(smk.input.images),
            normalized=by_image(smk.input.normalized),
            originals=looks(
                files,
                numbers=config["images"],
                record=record,
                config=NormalizedConfig.model_validate(config["stages"]["normalized"]),
            ),
            indexes=by_image(smk.input.indexes),
            models={Path(path).name: Path(path) for path in smk.input.models},
            stains={Path(path).name.removesuffix(".stain.json"): Path(path) for path in smk.input.stains},
            target=next(map(Path, smk.input.target), None),
            borders={Path(path).name.removesuffix(".borders.parquet"): Path(path) for path in smk.input.borders},
        ),
        dataset=config["dataset"],
        record=record,
        config=ReportConfig.model_validate(config["stages"]["report"]),
        stage_config=config["stages"],
        results=results_from_paths(config["results"], smk.input),
        output=Path(smk.output.page),
        figures=Path(smk.output.figures),
        summary=Path(smk.output.summary),
        provenance=origin("report", config=config, code=smk.params.code, inputs={each.name: each for each in metrics}),
    )


def report_index(smk: Any) -> None:
    """Write the page over all data sets."""
    from pipeline.report.page.page import write_index

    pairs = zip(map(Path, smk.input.pages), map(Path, smk.input.summaries), strict=True)
    reports = dict(zip(smk.params.config["datasets"], pairs, strict=True))
    write_index(reports, output=Path(smk.output[0]))


with job(snakemake.log[0], threads=snakemake.threads):
    {
        "report_metrics": report_metrics,
        "report_borders": report_borders,
        "report_page": report_page,
        "report_index": report_index,
    }[snakemake.rule](snakemake)
