"""Stage model: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import by_image, job_of

if TYPE_CHECKING:
    snakemake: Any

LIBRARIES = ("numpy", "torch", "lightning", "segmentation-models-pytorch", "albumentations", "opencv-python-headless")


def model_fit(smk: Any) -> None:
    """Train one model."""
    from pipeline.config import ModelSettings
    from pipeline.model.precision import resolved_precision
    from pipeline.model.train import Inputs, train
    from pipeline.runtime.tracking import check_tracking, track_model

    history = Path(smk.resources.mlflow) if smk.resources.mlflow else None
    if history:
        check_tracking()
    config = smk.params.config
    index = Path(smk.input.index)
    normalized = by_image(smk.input.normalized)
    encoder = {"encoder": Path(smk.params.file)} if smk.params.file else {}
    settings = config["model"] | ({"encoder_weights": smk.params.file} if encoder else {})
    settings |= {"readers": smk.resources.readers, "reader_start": smk.resources.reader_start}
    settings |= {"precision": resolved_precision(settings["precision"], device=settings["device"])}
    config = config | {"model": config["model"] | {"precision": settings["precision"]}}
    target = {"target": Path(smk.input.target[0])} if smk.input.target else {}
    inputs = {"index": index, **encoder, **target, **normalized}
    train(
        Inputs(index, normalized, **target),
        name=smk.wildcards.model,
        settings=ModelSettings.model_validate(settings),
        patch=config["patch"],
        job=job_of("model", config=config, code=smk.params.code, inputs=inputs, libraries=LIBRARIES),
        output=Path(smk.output[0]),
    )
    if history:
        track_model(Path(smk.output[0]), folder=history)


def model_ensemble(smk: Any) -> None:
    """Write the record of an ensemble, which names its members."""
    from pipeline.model.ensemble import write_ensemble
    from pipeline.stores.model_files import CARD, WEIGHTS

    config, members = smk.params.config, [Path(path) for path in smk.input]
    inputs = {f"{folder.name}/{name}": folder / name for folder in members for name in (CARD, WEIGHTS)}
    write_ensemble(
        members,
        name=smk.wildcards.model,
        weights=config.get("weights", {}),
        job=job_of("model", config=config, code=smk.params.code, inputs=inputs, libraries=("torch",)),
        output=Path(smk.output[0]),
    )


def model_hardest(smk: Any) -> None:
    """Rank the patches of one model by loss, and list doubtful labels."""
    from pipeline.model.hardest import write_hardest
    from pipeline.stores.model_files import CARD, WEIGHTS

    config, model, index = smk.params.config, Path(smk.input.model), Path(smk.input.index)
    normalized = by_image(smk.input.normalized)
    inputs = {"card": model / CARD, "weights": model / WEIGHTS, "index": index, **normalized}
    write_hardest(
        model,
        index=index,
        normalized=normalized,
        sure=config["suspected_from"],
        job=job_of("model", config=config, code=smk.params.code, inputs=inputs, libraries=("torch",)),
        output=Path(smk.output[0]),
    )


def model_hardest_of_members(smk: Any) -> None:
    """Rank the held-out patches of the members of an ensemble."""
    from pipeline.model.hardest import merge_hardest

    members = [Path(path) for path in smk.input.members]
    inputs = {path.stem: path for path in members}
    merge_hardest(
        members,
        job=job_of("model", config=smk.params.config, code=smk.params.code, inputs=inputs),
        output=Path(smk.output[0]),
        model=Path(smk.input.model),
    )


if __name__ == "__main__":  # Not in the processes that it starts, which import this file.
    with job_context(snakemake.log[0], threads=snakemake.threads, inputs=snakemake.input):
        {
            "model_fit": model_fit,
            "model_hardest": model_hardest,
            "model_hardest_of_members": model_hardest_of_members,
            "model_ensemble": model_ensemble,
        }[snakemake.rule](snakemake)
