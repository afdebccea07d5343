"""Stage probability: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import job_of

if TYPE_CHECKING:
    snakemake: Any


def probability_image(smk: Any) -> None:
    """Write the probability maps of one image by one model."""
    from pipeline.config import ProbabilityConfig
    from pipeline.model.ensemble import model_files
    from pipeline.probability.predict import LIBRARIES, predict_image
    from pipeline.probability.predictor import with_precision_of_this_machine

    recorded, resources = smk.params.config, smk.resources
    run_by = {"workers": resources.workers, "dask": {"scheduler": resources.scheduler}}
    settings = with_precision_of_this_machine(ProbabilityConfig.model_validate({**recorded["probability"], **run_by}))
    config = recorded | {"probability": recorded["probability"] | {"precision": settings.precision}}
    normalized, model = Path(smk.input.normalized), Path(smk.input.model)
    inputs = {normalized.stem: normalized, **model_files(model)}
    predict_image(
        normalized,
        model=model,
        outputs={fusion: Path(path) for fusion, path in smk.output.items()},
        config=settings,
        window=config["window"],
        job=job_of(
            "probability",
            config=config,
            code=smk.params.code,
            inputs=inputs,
            libraries=LIBRARIES,
            shown=smk.params.shown,
        ),
    )


with job_context(snakemake.log[0], threads=snakemake.threads, inputs=snakemake.input):
    probability_image(snakemake)  # Whatever set of fusions is in the name of the rule.
