"""Project as it is installed: where the workflow, the pages of documentation and the examples lie, and how it is called.

A wheel holds them in ``pipeline/workflow``; in a checkout they lie beside ``pipeline``.
"""

from pathlib import Path

__all__ = ["INSTALLED", "PROJECT", "document", "extra_command", "workflow_command"]

_PACKAGE = Path(__file__).parent
INSTALLED = (_PACKAGE / "workflow").is_dir()
"""Whether this is an installed wheel, which has no checkout to call Snakemake in."""
PROJECT = _PACKAGE / "workflow" if INSTALLED else _PACKAGE.parent
"""Folder of the Snakefile, ``stages/``, profiles, the shipped manifest, ``docs/`` and ``examples/``."""


def workflow_command(arguments: str) -> str:
    """Command that runs the workflow where this package is installed, to be told to people.

    Parameters
    ----------
    arguments
        Those of Snakemake, such as ``-j8 all``.
    """
    return f"{'lesionmap run' if INSTALLED else 'snakemake'} {arguments}"


def document(name: str) -> str:
    """Path of a page or an example that a message points to, such as ``docs/corrections.md``: a file that is there."""
    return str(PROJECT / name)


def extra_command(extra: str) -> str:
    """Command that installs an extra of this package, to be told to people."""
    place = f"lesionmap[{extra}]" if INSTALLED else f".[{extra}]"
    return f"pip install {'' if INSTALLED else '--constraint constraints.txt '}'{place}'"
