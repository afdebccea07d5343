"""Server of dry runs: Snakemake and the library are imported once, and each dry run is a fork of that process.

Reads requests from standard input, one JSON list of arguments for Snakemake a line, and answers each with one line of
JSON: the exit code, what was printed, and the jobs that would run, each as its rule and its data set.
"""

import importlib
import json
import logging
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import IO


def preload(snakefile: Path) -> None:
    """Import what Snakemake and the workflow import, and take the meaning of each module of the library.

    The meaning is kept by the text, and nothing else is: each fork reads the files anew.
    """
    from snakemake.cli import get_argument_parser

    files = ("common.smk", "input_files.smk")
    workflow = "".join((snakefile.parent / "stages" / name).read_text() for name in files)
    found = re.findall(r"^(?:from|import) ([\w.]+)", workflow, re.MULTILINE)
    for name in ("snakemake.workflow", "snakemake.persistence.file", "pyarrow.parquet", *found):
        importlib.import_module(name)
    get_argument_parser()  # imports the plugins
    library = snakefile.parent / "pipeline"
    names = [path.relative_to(library.parent).with_suffix("").as_posix() for path in library.glob("*/**/*.py")]
    importlib.import_module("pipeline.stores.provenance").code_digest.__wrapped__(
        *(name.removesuffix("/__init__").replace("/", ".") for name in names)
    )


def note_jobs(notes: IO[str]) -> None:
    """Note the rule and the data set of each job that Snakemake logs: its printed table counts rules alone."""
    from snakemake.logging import logger
    from snakemake_interface_logger_plugins.common import LogEvent

    def note(record: logging.LogRecord) -> bool:
        if getattr(record, "event", None) == LogEvent.JOB_INFO:
            notes.write(json.dumps([record.rule_name, record.wildcards.get("dataset", "")]) + "\n")
        return True

    logger.addFilter(note)


def call(arguments: list[str], output: int, notes: IO[str]) -> None:
    """Run Snakemake in a fork; never returns."""
    from snakemake.cli import main

    os.dup2(output, 1)
    os.dup2(output, 2)
    note_jobs(notes)
    code = 1
    try:
        sys.argv = ["snakemake", *arguments]
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        for stream in (sys.stdout, sys.stderr, notes):
            stream.flush()
        os._exit(code)


def serve() -> None:
    """Answer requests until standard input ends."""
    preload(Path(sys.argv[1]))
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile("w+") as notes:
            child = os.fork()
            if child == 0:
                call(json.loads(line), output.fileno(), notes)
            _, status = os.waitpid(child, 0)
            output.seek(0)
            notes.seek(0)
            text, jobs = output.read().decode(errors="replace"), [json.loads(each) for each in notes]
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), text, jobs]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
