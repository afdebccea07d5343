"""Stage raw: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context
from pipeline.stores.job import by_image, job_of

if TYPE_CHECKING:
    snakemake: Any


def raw_image(smk: Any) -> None:
    """Write the fact sheet of one image."""
    from pipeline.raw.datasets.entry import entry_from_files
    from pipeline.raw.facts import write_fact_sheet
    from pipeline.runtime.input_records import record_reading

    config = smk.params.config
    entry = entry_from_files(config["entry"], **smk.params.files, **config["raw"])
    job = job_of("raw", config=config, code=smk.params.code, workers=smk.threads)
    states = write_fact_sheet(entry, job=job, output=Path(smk.output[0]))
    record_reading(states, Path(smk.params.record), said=smk.params.contents)


def raw_images(smk: Any) -> None:
    """Write the table of images."""
    from pipeline.config import RawConfig
    from pipeline.raw.table import write_images

    config = smk.params.config
    settings = config["raw"] | {"splits_csv": smk.params.file}
    write_images(
        [Path(path) for path in smk.input.sheets],
        dataset=config["dataset"],
        config=RawConfig.model_validate(settings),
        job=job_of("raw", config=config, code=smk.params.code),
        output=Path(smk.output[0]),
        left_over=smk.params.left_over,
    )


def complete(smk: Any) -> None:
    """Report results, left-over files and warnings, and fail with the list of images left out, if any."""
    from pipeline.raw.table import refuse_rejections
    from pipeline.report.end_of_run import headline, say_at_the_end
    from pipeline.report.run_warnings import read_run_warnings

    dataset, images = smk.wildcards.dataset, Path(smk.input.images)
    warnings = read_run_warnings(
        map(Path, smk.input.sheets),
        images=images,
        normalized=by_image(smk.input.normalized),
        indexes=by_image(smk.input.indexes),
        measured=map(Path, smk.input.measured),
        encoders=smk.params.encoders,
    )
    lines = [line for path in smk.input.summary for line in headline(Path(path))]
    say_at_the_end(lines, smk.params.left_over, warnings, dataset=dataset)
    refuse_rejections(images, dataset=dataset)


with job_context(snakemake.log[0], threads=snakemake.threads):
    {"raw_image": raw_image, "raw_images": raw_images, "complete": complete}[snakemake.rule](snakemake)
