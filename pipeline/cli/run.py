"""Command ``run``: the workflow, after a check of its configuration; tracebacks of Snakemake become one message."""

import argparse
import os
import re
import sys
from collections.abc import Sequence

from pipeline.cli.check import planned
from pipeline.model.refusals import refuse_models
from pipeline.project import PROJECT
from pipeline.raw.datasets.listing import images_of_run

__all__ = ["add_run", "snakemake_call", "with_counts_only", "with_jobs"]

CORES = re.compile(r"-(?!-)[a-zA-Z]*[jc]|--(jobs|cores)\b")
"""Arguments that say how many jobs there are at a time."""
DRY, LISTING = re.compile(r"-[Fkpf]*n|--dry-?run$"), re.compile(r"-[Fknf]*p|--(printshellcmds|quiet|verbose)\b|-q")
"""Arguments that ask what would be made, and those that say how much of it is listed."""
PROFILE = re.compile(r"--(workflow-)?profile\b")
EXAMPLES = f"""examples:
  lesionmap run -n all --configfile mine.yaml     how many jobs of each kind would run, and why
  lesionmap run -np all --configfile mine.yaml    each of them, with its reason
  lesionmap run -j8 all --configfile mine.yaml --config datasets='["idrid"]'
  lesionmap run -j200 all --workflow-profile slurm

Without a target: all. Without -j: as many jobs at a time as there are processors.
All arguments are those of snakemake, which is called with the Snakefile in
{PROJECT}
Beside it lie the parameters, stages/config.yaml, and the facts about data sets, datasets_manifest.yaml."""


def _run(arguments: argparse.Namespace) -> int:
    _, datasets = planned(arguments)
    for each in datasets:
        refuse_models(each)
        images_of_run(each)
    given = with_jobs(arguments.given)
    if given != arguments.given:
        sys.stderr.write(f"No -j was given: {given[0]}, all processors.\n")
    sys.stdout.flush()
    # A module in the working folder, such as a pipeline.py, must not replace one of the installation.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}  # noqa: TID251
    # Replaces this process, so that signals reach the workflow itself.
    os.execve(sys.executable, snakemake_call(with_counts_only(given)), environment)  # noqa: S606


def with_jobs(given: Sequence[str]) -> list[str]:
    """Arguments with ``-j`` and the number of processors before them, where neither they nor a profile say a number."""
    told = any(CORES.match(each) or PROFILE.match(each) for each in given) or "SNAKEMAKE_PROFILE" in os.environ  # noqa: TID251
    return [*given] if told else [f"-j{len(os.sched_getaffinity(0))}", *given]


def with_counts_only(given: Sequence[str]) -> list[str]:
    """Arguments that list no job one by one where they ask what would be made, unless they say how much is listed."""
    short = any(DRY.match(each) for each in given) and not any(LISTING.match(each) for each in given)
    return [*(["--quiet=rules"] if short else []), *given]


def snakemake_call(given: Sequence[str]) -> list[str]:
    """Call of Snakemake with this project's Snakefile and profile, not those of the working folder."""
    # The last of two profiles counts.
    own = ["-s", str(PROJECT / "Snakefile"), "--workflow-profile", str(PROJECT / "profiles" / "default")]
    return [sys.executable, "-m", "snakemake", *own, *given]


def add_run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    run = commands.add_parser(
        "run",
        help="check the configuration, then run the workflow: arguments as for snakemake",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    run.add_argument("--configfile", "--configfiles", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    run.add_argument("--config", "-C", nargs="*", default=[], metavar="KEY=VALUE", help="as for snakemake")
    run.set_defaults(run=_run)
