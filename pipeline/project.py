"""Installed project: where the workflow, documentation and examples lie, and which commands run it.

A wheel holds them in ``pipeline/workflow``; in a checkout they lie beside ``pipeline``.
"""

from pathlib import Path

__all__ = ["INSTALLED", "PROJECT", "document", "extra_command", "workflow_command"]

_PACKAGE = Path(__file__).parent
INSTALLED = (_PACKAGE / "workflow").is_dir()
"""Whether this is an installed wheel, without a checkout to run Snakemake in."""
PROJECT = _PACKAGE / "workflow" if INSTALLED else _PACKAGE.parent
"""Folder of the Snakefile, ``stages/``, profiles, the shipped manifest, ``docs/`` and ``examples/``."""


def workflow_command(arguments: str) -> str:
    """Command that runs the workflow in this installation, for messages.

    Parameters
    ----------
    arguments
        Those of Snakemake, such as ``-j8 all``.
    """
    return f"{'lesionmap run' if INSTALLED else 'snakemake'} {arguments}"


def document(name: str) -> str:
    """Path of an existing page or example for messages, such as ``docs/corrections.md``."""
    return str(PROJECT / name)


def extra_command(extra: str) -> str:
    """Command that installs an extra of this package, for messages."""
    place = f"lesionmap[{extra}]" if INSTALLED else f".[{extra}]"
    return f"pip install {'' if INSTALLED else '--constraint constraints.txt '}'{place}'"
