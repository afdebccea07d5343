"""Stage index: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job, origin

if TYPE_CHECKING:
    snakemake: Any


def index_candidates(smk: Any) -> None:
    """Write the table of lesions of one image."""
    from pipeline.index.candidates import write_candidates

    normalized = Path(smk.input[0])
    inputs = {normalized.stem: normalized}
    provenance = origin("index", config=smk.params.config, code=smk.params.code, inputs=inputs)
    write_candidates(normalized, output=Path(smk.output[0]), provenance=provenance)


def index_sampling(smk: Any) -> None:
    """Write the patch index of one sampling."""
    from pipeline.config.manifest import DatasetRecord
    from pipeline.config.run import sampling_from
    from pipeline.index.table import write_index

    config = smk.params.config
    images = Path(smk.input.images)
    normalized = {Path(path).stem: Path(path) for path in smk.input.normalized}
    hard = {"hard_negatives": Path(smk.input.hard_negatives[0])} if smk.input.hard_negatives else {}
    write_index(
        images,
        candidates={Path(path).stem: Path(path) for path in smk.input.candidates},
        normalized=normalized,
        record=DatasetRecord.model_validate(config["record"]),
        dataset=config["dataset"],
        sampling=sampling_from(config["sampling"]),
        seed=config["seed"],
        output=Path(smk.output[0]),
        provenance=origin(
            "index", config=config, code=smk.params.code, inputs={"images": images, **hard, **normalized}
        ),
        hard_negatives=hard.get("hard_negatives"),
        workers=smk.threads,
    )


with job(snakemake.log[0], threads=snakemake.threads):
    {"index_candidates": index_candidates, "index_sampling": index_sampling}[snakemake.rule](snakemake)
