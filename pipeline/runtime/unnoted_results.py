"""Results that Snakemake has no note for, and whose own record of origin differs from what the run asks for.

A job may outlive its run: where only Snakemake's main process is stopped, the job ends its result, and nobody notes what
it was made of. A changed parameter would not remake it. But each result records its origin; where that differs, it is
named, with the command that has it made anew. Trained models and indexes are not compared: they may have been brought
here on purpose.
"""

import json
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pipeline.config import depends
from pipeline.config.run import DatasetRun
from pipeline.counts import number_of
from pipeline.errors import StoreError
from pipeline.runtime.torn_notes import unnoted
from pipeline.stores import open_group
from pipeline.stores.documents import read_json

__all__ = ["asked_for", "differing", "differing_sentences", "differs"]

Facts: TypeAlias = Callable[[str, str], Mapping[str, Any] | None]
"""Entry of ``datasets`` and image id → facts of the image that are not in its file; None where there is no such image."""
SHOWN = 5
"""Most results named in the command."""


def asked_for(path: Path, *, results: Path, runs: Iterable[DatasetRun], facts: Facts) -> Mapping[str, Any] | None:
    """Values that a result of this run would record; None for a result that is not compared, or not of this run.

    Parameters
    ----------
    path
        The result.
    results
        Folder of all results.
    runs
        Data sets of the run.
    facts
        Facts of images.
    """
    place = path.relative_to(results).parts
    run = next((each for each in runs if each.entry == place[0]), None)
    if run is None:
        return None
    image, models = facts(run.entry, path.stem), {**run.config.model.models, **run.config.model.ensembles}
    match place[1:]:
        case ("normalized", name) if image is not None and name.endswith(".zarr"):
            return depends.normalized_image(run, image)
        case ("probability", model, fusion, name) if image is not None and model in models and name.endswith(".zarr"):
            return depends.probability_image(run, model) if fusion in run.config.probability.fusions else None
        case ("segmentation", model, _, name) if image is not None and model in models and name.endswith(".zarr"):
            return depends.segmentation_image(run, model)
        case ("segmentation", model, _, "thresholds.json") if model in models:
            return depends.segmentation_thresholds(run, model)
    return None


def differs(path: Path, wanted: Mapping[str, Any]) -> bool:
    """Test for a result that records other values than the wanted ones; one that cannot be read does not."""
    try:
        origin: Any = open_group(path).attrs["provenance"] if path.is_dir() else read_json(path)["provenance"]
        found = dict(origin["config"])
    except (StoreError, OSError, ValueError, KeyError, TypeError):
        return False  # `verify` and the job that reads it name its fault.
    plain = json.loads(json.dumps(dict(wanted)))
    if plain.get("probability", {}).get("precision") == "auto":  # A result records what it was resolved to.
        plain["probability"].pop("precision")
    return _disagree(found, plain)


def _disagree(found: Any, wanted: Any) -> bool:  # noqa: ANN401 any JSON
    """Test for a value that both have and that differs; a key that an older result lacks is none."""
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return any(_disagree(found[key], wanted[key]) for key in found.keys() & wanted.keys())
    return bool(found != wanted)


def differing(
    folder: Path, found: Collection[Path], *, results: Path, runs: Collection[DatasetRun], facts: Facts
) -> list[Path]:
    """Results without a note that were made of other values than the run asks for.

    Parameters
    ----------
    folder
        ``.snakemake`` of the working folder; there may be none.
    found
        Finished results, as the workflow names them.
    results, runs, facts
        As for `asked_for`.
    """
    wanted = {path: asked_for(path, results=results, runs=runs, facts=facts) for path in unnoted(folder, found)}
    return [path for path, values in wanted.items() if values is not None and differs(path, values)]


def differing_sentences(found: Collection[Path]) -> list[str]:
    """Line on results that were made of other values, with the command that deletes them; empty without any."""
    if not found:
        return []
    count, one = number_of(len(found), "result"), len(found) == 1
    more = f" … and {len(found) - SHOWN:,} more" if len(found) > SHOWN else ""
    named = " ".join(shlex.quote(str(path)) for path in list(found)[:SHOWN])
    words = (
        f"{count} {'was' if one else 'were'} made with other parameters than this run asks for, and Snakemake has no note of "
        f"{'it' if one else 'them'}, as after a job that outlived its run. {'It is' if one else 'They are'} used as {'it is' if one else 'they are'}, "
        f"beside results of these parameters. To have {'it' if one else 'them'} made anew: rm -r {named}{more}"
    )
    return [words]
