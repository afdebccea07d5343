"""Manifest file of a run: the one named by a configuration, whose name is relative to the working folder."""

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from pipeline.config.yaml_file import load_yaml
from pipeline.errors import ManifestError, PipelineError

__all__ = ["manifest_file"]


def manifest_file(named: str | None, *, shipped: Path, files: Sequence[Path | str] = ()) -> Path:
    """Path of the manifest of a run.

    Parameters
    ----------
    named
        Value of the key ``manifest``; None for the shipped one.
    shipped
        The shipped manifest.
    files
        Configuration files of the call in the order of merging, for messages.

    Raises
    ------
    ManifestError
        Nothing is there. Says which file named it, where it was looked for, and what to write if it lies beside that
        file.
    """
    if named is None:
        return shipped
    path = Path(named)
    # A folder, or a file that cannot be read, is refused by whoever reads it.
    if os.path.lexists(path):
        return path
    places = [_shown(Path(each)) for each in files]
    asking = next((each for each in reversed(places) if _names(each, named)), None)
    raise ManifestError(
        "The manifest file does not exist.",
        where=f"{asking or '--config'}: manifest",
        found=f"no {named}" if path.is_absolute() else f"no {named} in the working folder, {Path.cwd()}",
        expected="the manifest of the data sets; its name is relative to the working folder, not to the configuration",
        remedy=_remedy(named, asking=asking, places=[asking] if asking else places[::-1]),
    )


def _remedy(named: str, *, asking: Path | None, places: Sequence[Path]) -> str:
    beside = [(each, each.parent / name) for each in places for name in (named, Path(named).name)]
    # Not `Path.is_file`, which raises for names that no system takes.
    lying = next(((each, found) for each, found in beside if os.path.isfile(found)), None)
    if lying is None:
        return "Correct the name, or give the manifest with the call: --config manifest=/path/to/it"
    said = f"One lies in the folder of {lying[0]}."
    if asking is None:
        return f"{said} Write: --config manifest={shlex.quote(str(lying[1]))}"
    return f"{said} Write in {asking}: manifest: {json.dumps(str(lying[1]), ensure_ascii=False)}"


def _names(file: Path, named: str) -> bool:
    """Test for the file that gives the name; of those unreadable here the workflow's own reader speaks."""
    try:
        return load_yaml(file).get("manifest") == named
    except PipelineError:
        return False


def _shown(file: Path) -> Path:
    """File relative to the working folder where it lies in it."""
    return file.relative_to(Path.cwd()) if file.is_absolute() and file.is_relative_to(Path.cwd()) else file
