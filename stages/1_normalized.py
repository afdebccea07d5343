"""Stage normalized: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.jobs import job, origin

if TYPE_CHECKING:
    snakemake: Any


def normalized_image(smk: Any) -> None:
    """Write the normalised store of one image."""
    from pipeline.config import NormalizedConfig
    from pipeline.manifest import DatasetRecord
    from pipeline.normalized.image import normalise_image
    from pipeline.raw.entry import entry_from_files

    config = smk.params.config
    record = DatasetRecord.model_validate(config["record"])
    files = [Path(path) for path in (*smk.input.image, *smk.input.masks, *smk.input.label)]
    inputs = {path.name: path for path in files}
    normalise_image(
        entry_from_files(config["entry"], image=smk.input.image, masks=smk.input.masks, label=smk.input.label),
        record=record,
        config=NormalizedConfig.model_validate(config["normalized"]),
        output=Path(smk.output[0]),
        provenance=origin(
            "normalized", config=config, code=smk.params.code, inputs=inputs, pixel_size_um=record.pixel_size_um
        ),
    )


with job(snakemake.log[0], threads=snakemake.threads):
    {"normalized_image": normalized_image}[snakemake.rule](snakemake)
