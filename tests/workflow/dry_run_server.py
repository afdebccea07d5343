"""Server of dry runs: Snakemake and the library are imported once, and each dry run is a fork of that process.

Reads requests from standard input, one JSON list of arguments for Snakemake a line, and answers each with one line: the
exit code and what was printed, as JSON.
"""

import importlib
import json
import os
import re
import sys
import tempfile
from pathlib import Path


def preload(snakefile: Path) -> None:
    """Import what Snakemake and the workflow import; nothing is called, so that each fork reads the files anew."""
    workflow = (snakefile.parent / "stages" / "common.smk").read_text()
    found = re.findall(r"^(?:from|import) ([\w.]+)", workflow, re.MULTILINE)
    for name in ("snakemake.cli", "snakemake.workflow", "snakemake.persistence.file", "pyarrow.parquet", *found):
        importlib.import_module(name)


def call(arguments: list[str], output: int) -> None:
    """Run Snakemake in a fork; never returns."""
    from snakemake.cli import main

    os.dup2(output, 1)
    os.dup2(output, 2)
    code = 1
    try:
        sys.argv = ["snakemake", *arguments]
        main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Answer requests until standard input ends."""
    preload(Path(sys.argv[1]))
    for line in sys.stdin:
        with tempfile.TemporaryFile() as output:
            child = os.fork()
            if child == 0:
                call(json.loads(line), output.fileno())
            _, status = os.waitpid(child, 0)
            output.seek(0)
            text = output.read().decode(errors="replace")
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), text]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
