"""Stage segmentation: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import by_image, job_of, origin

if TYPE_CHECKING:
    snakemake: Any


def segmentation_thresholds(smk: Any) -> None:
    """Write the thresholds of one model and fusion."""
    from pipeline.config import SegmentationConfig
    from pipeline.segmentation.threshold_file import write_thresholds
    from pipeline.stores.model_files import thresholds_file

    config, output = smk.params.config, Path(smk.output[0])
    maps = [Path(path) for path in smk.input.probability]
    inputs = {f"{path.parts[-3]}/{path.stem}": path for path in maps}
    write_thresholds(
        Path(smk.input.images),
        probability=[(path.stem, path) for path in maps],
        normalized=by_image(smk.input.normalized),
        folds=config["folds"],
        candidates=by_image(smk.input.candidates),
        config=SegmentationConfig.model_validate(config["segmentation"]),
        job=job_of("segmentation", config=config, code=smk.params.code, inputs=inputs),
        output=output,
        # No output of this rule: the file belongs to the folder of the model, which training makes.
        copy=thresholds_file(output.parents[3] / "model" / smk.wildcards.model, fusion=smk.wildcards.fusion),
    )


def segmentation_image(smk: Any) -> None:
    """Write the label map, masks and polygons of one image."""
    from pipeline.config import SegmentationConfig
    from pipeline.segmentation.segment import segment_image

    config = smk.params.config
    probability, thresholds = Path(smk.input.probability), Path(smk.input.thresholds)
    inputs = {probability.stem: probability, "thresholds": thresholds}
    segment_image(
        probability,
        normalized=Path(smk.input.normalized),
        thresholds=thresholds,
        config=SegmentationConfig.model_validate(config["segmentation"]),
        job=job_of("segmentation", config=config, code=smk.params.code, inputs=inputs),
        store=Path(smk.output.store),
        geojson=Path(smk.output.geojson),
    )


def segmentation_lesions(smk: Any) -> None:
    """Write the table of lesions of one model and fusion."""
    from pipeline.segmentation.lesions import write_lesions

    geojson = by_image(smk.input)
    provenance = origin("segmentation", config=smk.params.config, code=smk.params.code, inputs=geojson)
    write_lesions(geojson, output=Path(smk.output[0]), provenance=provenance)


def segmentation_hard_negatives(smk: Any) -> None:
    """Write the false positives of one model and fusion in training images."""
    from pipeline.config import SegmentationConfig
    from pipeline.segmentation.false_positives import write_hard_negatives

    config = smk.params.config
    maps, folds = [Path(path) for path in smk.input.probability], config.get("folds", [-1])
    thresholds = Path(smk.input.thresholds)
    inputs = {path.stem if set(folds) == {-1} else f"{path.parts[-3]}/{path.stem}": path for path in maps}
    write_hard_negatives(
        Path(smk.input.images),
        probability=[(path.stem, path) for path in maps],
        normalized=by_image(smk.input.normalized),
        thresholds=thresholds,
        folds=folds,
        config=SegmentationConfig.model_validate(config["segmentation"]),
        job=job_of("segmentation", config=config, code=smk.params.code, inputs={"thresholds": thresholds, **inputs}),
        output=Path(smk.output[0]),
    )


with job_context(snakemake.log[0], threads=snakemake.threads, inputs=snakemake.input):
    {
        "segmentation_thresholds": segmentation_thresholds,
        "segmentation_image": segmentation_image,
        "segmentation_lesions": segmentation_lesions,
        "segmentation_hard_negatives": segmentation_hard_negatives,
    }[snakemake.rule](snakemake)
