"""Results that Snakemake has no note for, and whose own record of origin differs from what the run asks for.

A job may outlive its run: where only Snakemake's main process is stopped, the job ends its result, and nobody notes what
it was made of. A changed parameter would not remake it. But each result records its origin; where that differs, it is
marked as left by a killed job, and made anew. Trained models and indexes are not compared: they may have been brought
here on purpose.
"""

import base64
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from pipeline.config import depends
from pipeline.config.run import DatasetRun
from pipeline.counts import number_of
from pipeline.errors import StoreError
from pipeline.runtime.torn_notes import UNFINISHED, unnoted
from pipeline.stores import open_group
from pipeline.stores.documents import read_json

__all__ = ["asked_for", "differing_sentences", "differs", "mark_differing"]

Facts: TypeAlias = Callable[[str, str], Mapping[str, Any] | None]
"""Entry of ``datasets`` and image id → facts of the image that are not in its file; None where there is no such image."""
LONGEST_MARK = 254
"""Characters of a name after which Snakemake begins a folder that starts with @."""


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
    return bool(_comparable(found, wanted) != _comparable(wanted, wanted))


def _comparable(values: Mapping[str, Any], wanted: Mapping[str, Any]) -> Any:  # noqa: ANN401 any JSON
    """Values as JSON holds them; without the precision where ``auto`` is wanted, which a result records resolved."""
    plain: Any = json.loads(json.dumps(dict(values)))
    maps = wanted.get("probability", {})
    if maps.get("precision") == "auto":
        plain.get("probability", {}).pop("precision", None)
    return plain


def mark_differing(
    folder: Path,
    found: Collection[Path],
    *,
    results: Path,
    runs: Collection[DatasetRun],
    facts: Facts,
) -> list[Path]:
    """Results without a note that were made of other values than the run asks for; they are marked as unfinished.

    Parameters
    ----------
    folder
        ``.snakemake`` of the working folder; there may be none.
    found
        Finished results, as the workflow names them.
    results, runs, facts
        As for `asked_for`.
    """
    others = []
    for path in unnoted(folder, found):
        wanted = asked_for(path, results=results, runs=runs, facts=facts)
        if wanted is not None and differs(path, wanted):
            others.append(path)
            _mark(folder, path)
    return others


def differing_sentences(found: Collection[Path]) -> list[str]:
    """Line on results that are made again because they were made of other values; empty without any."""
    if not found:
        return []
    count, first = number_of(len(found), "result"), next(iter(found))
    words = (
        f"{count}, such as {first}, {'has' if len(found) == 1 else 'have'} no note of Snakemake, as after a job that outlived its run, "
        f"and {'was' if len(found) == 1 else 'were'} made with other parameters than this run asks for: made again."
    )
    return [words]


def _mark(folder: Path, result: Path) -> None:
    name = base64.urlsafe_b64encode(result.as_posix().encode()).decode()
    parts = [name[at : at + LONGEST_MARK] for at in range(0, len(name), LONGEST_MARK)]
    mark = folder.joinpath(UNFINISHED, *(f"@{part}" for part in parts[:-1]), parts[-1])
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("{}")
