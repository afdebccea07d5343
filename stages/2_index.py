"""Stage index: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import by_image, job_of, origin

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
    from pipeline.config.run import sampling_from
    from pipeline.index.table import Inputs, write_index

    config = smk.params.config
    images = Path(smk.input.images)
    normalized = by_image(smk.input.normalized)
    hard = {"hard_negatives": Path(smk.params.file)} if smk.params.file else {}
    candidates = by_image(smk.input.candidates)
    inputs = {"images": images, **hard, **normalized}
    write_index(
        Inputs(images, candidates, normalized, **hard),
        dataset=config["dataset"],
        sampling=sampling_from(config["sampling"]),
        job=job_of("index", config=config, code=smk.params.code, inputs=inputs, workers=smk.threads),
        output=Path(smk.output[0]),
    )


with job_context(snakemake.log[0], threads=snakemake.threads, inputs=snakemake.input):
    {"index_candidates": index_candidates, "index_sampling": index_sampling}[snakemake.rule](snakemake)
