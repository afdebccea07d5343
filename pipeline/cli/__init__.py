"""Command line ``lesionmap``: tasks that need no workflow; the only package that prints.

arguments      arguments shared by several commands
check          preview of a run: its work, its needs, images that would be left out
check_files    contents of input files against the records of the results
check_models   networks that cannot be built, missing devices, images smaller than a window
check_patches  expected patches of each sampling, and splits without any patches
check_splits   exact or approximate splits of the run
check_table    table of a data set: images, truth, and the time, disk and memory of each stage
clean          removal of results that the configuration no longer names
compare        comparison of two results
completion     script for the completion of a shell
config         parameters of a data set and their sources
export         a trained model for other programs
init           a manifest and a configuration for a folder of images
index          view of a patch index, and export of its patches
predict        a trained model on new images
run            the workflow, after a check of its configuration
verify         every byte of the results compared with its checksum
view           results in a browser
"""

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.cli.check import add_check
from pipeline.cli.clean import add_clean
from pipeline.cli.compare import add_compare
from pipeline.cli.completion import add_completion
from pipeline.cli.config import add_config
from pipeline.cli.export import add_export
from pipeline.cli.index import add_index
from pipeline.cli.init import add_init
from pipeline.cli.predict import add_predict
from pipeline.cli.run import add_run
from pipeline.cli.verify import add_verify
from pipeline.cli.view import add_view
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.stores.disk import room_on_disk
from pipeline.stores.provenance import versions

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lesionmap",
        description="Folders of large medical images: patch data sets, models, lesion maps and a report. The workflow is `lesionmap run`.",
    )
    parser.add_argument("--version", action="version", version=f"lesionmap {versions()['lesionmap']}")
    commands = parser.add_subparsers(dest="command", required=True)
    for add in (
        add_init,
        add_run,
        add_check,
        add_predict,
        add_index,
        add_view,
        add_compare,
        add_verify,
        add_clean,
        add_config,
        add_export,
        add_completion,
    ):
        add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code. Errors raised on purpose are one message, not a traceback."""
    given, parser = list(sys.argv[1:] if argv is None else argv), _parser()
    arguments, others = parser.parse_known_args(given)
    arguments.given, arguments.parser = given[1:], parser
    if others and arguments.command != "run":  # Those of the workflow are Snakemake's.
        parser.error(f"unrecognized arguments: {' '.join(others)}")
    try:
        with room_on_disk(_written_to(arguments)):
            code: int = arguments.run(arguments)
    except PipelineError as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        if problem.errno != errno.ENAMETOOLONG:
            raise
        print(_too_long(str(problem.filename)), file=sys.stderr)
        return 1
    return code


def _too_long(path: str) -> PipelineError:
    return ConfigurationError(
        "A path is longer than the system allows.",
        where=f"{path[:100]}…",
        found=f"{len(path)} characters",
        expected="names of at most 255 bytes",
        remedy="Give another path.",
    )


def _written_to(arguments: argparse.Namespace) -> Path:
    """Folder that a command writes to: the given one, else the working folder."""
    given = (getattr(arguments, name, None) for name in ("out", "to"))
    return next((Path(each) for each in given if each), Path.cwd())
