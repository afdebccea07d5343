"""Stage normalized: maps the names of Snakemake to one call each; a function per rule or chain, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import job_of, origin

if TYPE_CHECKING:
    snakemake: Any


def on_image(smk: Any, *results: str) -> dict[str, Any]:
    """Arguments of every function on one image; its inputs are its files and, by name, earlier results."""
    from pipeline.config import NormalizedConfig
    from pipeline.raw.checked import as_checked
    from pipeline.raw.datasets.entry import entry_from_files

    config = smk.params.config
    entry = entry_from_files(config["entry"], **smk.params.files, largest_decode=smk.params.largest_decode)
    inputs = entry.files | {name: Path(getattr(smk.input, name)[0]) for name in results}
    blocks = {"strip_rows": smk.resources.strip_rows, "strip_columns": smk.resources.strip_columns}
    shown = {"shown": smk.params.get("shown"), "workers": smk.threads}  # Stain estimates show no class.
    job = job_of("normalized", config=config, code=smk.params.code, inputs=inputs, **shown)
    return {
        "entry": as_checked(entry, sheet=Path(smk.input.sheet), digests=job.provenance.inputs),
        "config": NormalizedConfig.model_validate(config["normalized"]).model_copy(update=blocks),
        "job": job,
        "output": Path(smk.output[0]),
    }


def normalized_stain(smk: Any) -> None:
    """Estimate the stains of one image."""
    from pipeline.normalized.stain.image import write_estimate

    write_estimate(**on_image(smk))


def normalized_target(smk: Any) -> None:
    """Write the stain target of a data set."""
    from pipeline.config import NormalizedConfig
    from pipeline.normalized.stain.target import write_target

    config = smk.params.config
    file, estimates = smk.params.file and Path(smk.params.file), [Path(path) for path in smk.input.estimates]
    inputs = {path.name: path for path in ([file] if file else []) + estimates}
    write_target(
        NormalizedConfig.model_validate(config["normalized"]),
        target=config["target"],
        file=file,
        estimates=estimates,
        output=Path(smk.output[0]),
        provenance=origin("normalized", config=config, code=smk.params.code, inputs=inputs),
        largest=smk.params.largest_decode,
    )


def fundus_image(smk: Any) -> None:
    """Write the normalised store of a fundus photograph."""
    from pipeline.normalized.fundus.image import normalise_fundus

    normalise_fundus(**on_image(smk))


def histology_image(smk: Any) -> None:
    """Write the normalised store of an H&E image."""
    from pipeline.normalized.stain.image import normalise_histology

    results = [name for name in ("stain", "target") if getattr(smk.input, name)]
    given = {name: Path(getattr(smk.input, name)[0]) for name in results}
    normalise_histology(**on_image(smk, *results), stain=given.get("stain"), target=given.get("target"))


def normalized_image(smk: Any) -> None:
    """Write the normalised store of one image by the chain of its data set."""
    chain = smk.params.config["normalized"]["chain"]
    {"fundus": fundus_image, "histology": histology_image}[chain](smk)


with job_context(snakemake.log[0], threads=snakemake.threads, inputs=snakemake.input):
    {
        "normalized_stain": normalized_stain,
        "normalized_target": normalized_target,
        "normalized_image": normalized_image,
    }[snakemake.rule](snakemake)
