"""Experiments: maps the names of Snakemake to one call each; a function per rule, named like it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.runtime.job import job_context

if TYPE_CHECKING:
    snakemake: Any


def experiments_page(smk: Any) -> None:
    """Write the tables and the page of all comparisons."""
    from pipeline.report.page.experiments_page import write_experiments
    from pipeline.stores.job import origin

    page = Path(smk.output.page)
    results, config = page.parents[1], smk.params.config
    inputs = {Path(path).relative_to(results).as_posix(): Path(path) for path in smk.input.classes}
    write_experiments(
        config["experiments"],
        records=config["record"],
        draws=config["draws"],
        results=results,
        origin=origin("report", config=config, code=smk.params.code, inputs=inputs),
        page=page,
        figures=Path(smk.output.figures),
    )


with job_context(snakemake.log[0], threads=snakemake.threads):
    {"experiments_page": experiments_page}[snakemake.rule](snakemake)
