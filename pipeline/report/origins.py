"""Origins of a model's results: configuration, code, versions and images behind them, and differences between two.

Each result carries them (``provenance``). Two folders are compared stage by stage, and image by image in stages that
write a store for each: after a run that was interrupted and continued otherwise, these may differ in a folder.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from pipeline.config.recorded import named_values
from pipeline.counts import number_of
from pipeline.errors import MissingDataError
from pipeline.model.card import read_card
from pipeline.model.ensemble import members_of
from pipeline.report.measures.summary import ORIGINAL, grids_of
from pipeline.report.store_notes import store_provenance
from pipeline.stores.documents import read_json
from pipeline.stores.image_store import image_notes
from pipeline.stores.model_files import ENSEMBLE
from pipeline.stores.tables import read_table, table_metadata

__all__ = ["Change", "ImagesCompared", "changes", "compared_images", "images_of_other_grids", "origins"]

NOTHING = "nothing"
WHOLE = ""
"""In place of an image: the one result of a stage for all images."""
Origin: TypeAlias = Mapping[str, Any]
"""Record of origin of one result."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the origins of two results."""

    stage: str
    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class ImagesCompared:
    """Images of two results, by their id and the digest of their file."""

    same: int
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    other_content: tuple[str, ...]
    other_split: tuple[str, ...]


def origins(results: Path, *, model: str, fusion: str) -> dict[str, dict[str, Origin]]:
    """Origins of the results behind the figures of a model: name of the stage → image, or ``""`` for all → origin.

    Parameters
    ----------
    results
        Folder of one data set, such as ``results/idrid``.
    model, fusion
        Model and fusion of the results.

    Raises
    ------
    MissingDataError
        There are no results of that model and fusion.
    """
    measured = results / "report" / f"{model}.{fusion}.images.parquet"
    if not measured.is_file():
        there = sorted(path.name.removesuffix(".images.parquet") for path in measured.parent.glob("*.images.parquet"))
        raise MissingDataError(
            "There are no figures of this model and fusion.",
            where=measured,
            found=", ".join(there) or NOTHING,
            expected=f"{model}.{fusion}",
            remedy="Name a model and a fusion that are there, or run the report first.",
        )
    found = {"raw": {WHOLE: table_metadata(results / "raw" / "images.parquet")["provenance"]}}
    for place in ("normalized", f"probability/{model}/{fusion}"):
        stores = sorted((results / place).glob("*.zarr"))
        found |= {place.partition("/")[0]: {path.stem: store_provenance(path) for path in stores}} if stores else {}
    together = results / "model" / model / ENSEMBLE
    found |= {"ensemble": {WHOLE: read_json(together)["provenance"]}} if together.is_file() else {}
    for member in members_of(results / "model" / model):
        card = read_card(member)
        index = results / "index" / f"{card.settings.sampling}.parquet"
        if index.is_file():
            found[f"index {card.settings.sampling}"] = {WHOLE: table_metadata(index)["provenance"]}
        found[f"model {member.name}"] = {WHOLE: card.provenance}
    thresholds = results / "segmentation" / model / fusion / "thresholds.json"
    found |= {"segmentation": {WHOLE: read_json(thresholds)["provenance"]}} if thresholds.is_file() else {}
    return found


def changes(
    first: Mapping[str, Mapping[str, Origin]], second: Mapping[str, Mapping[str, Origin]]
) -> tuple[Change, ...]:
    """Differences between the origins of two results: values of the configuration, seed, code, versions.

    Models and indexes of the same name are held against each other, in whatever order; the others in the order of their
    names, if each side has as many. Images are those of both folders; a difference in some of them says in how many.

    Parameters
    ----------
    first, second
        See `origins`.
    """
    renamed = _renamed(second, like=first)
    return tuple(change for stage in dict.fromkeys([*first, *renamed]) for change in _of_stage(stage, first, renamed))


def _renamed(found: Mapping[str, Mapping[str, Origin]], *, like: Mapping[str, Any]) -> dict[str, Mapping[str, Origin]]:
    names: dict[str, str] = {}
    for kind in ("index ", "model "):
        mine, theirs = (
            sorted(key for key in each if key.startswith(kind) and key not in other)
            for each, other in ((found, like), (like, found))
        )
        names |= dict(zip(mine, theirs, strict=True)) if len(mine) == len(theirs) else {}
    return {names.get(key, key): value for key, value in found.items()}


def _of_stage(
    stage: str, first: Mapping[str, Mapping[str, Origin]], second: Mapping[str, Mapping[str, Origin]]
) -> Iterator[Change]:
    if stage not in first or stage not in second:
        yield Change(stage, "stage", *("there" if stage in each else NOTHING for each in (first, second)))
        return
    one, other = first[stage], second[stage]
    both = [image for image in one if image in other]
    pairs = [(one[image], other[image]) for image in both] or [(next(iter(one.values())), next(iter(other.values())))]
    counts: Counter[tuple[str, str, str]] = Counter()
    known: dict[str, list[tuple[str, str, str]]] = {}
    for pair in pairs:
        # Most images of a folder have one origin: only their inputs differ.
        key = json.dumps([(_settings(each), each["code"]) for each in pair], sort_keys=True)
        if key not in known:
            known[key] = _differences(*pair)
        counts.update(known[key])
    for (what, one_value, other_value), count in counts.items():
        share = f" ({count} of {number_of(len(pairs), 'image')})" if count < len(pairs) else ""
        yield Change(stage, f"{what}{share}", one_value, other_value)


def _differences(first: Origin, second: Origin) -> list[tuple[str, str, str]]:
    one, other = (dict(named_values(_settings(each))) for each in (first, second))
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    found = [(name, one.get(name, NOTHING), other.get(name, NOTHING)) for name in names]
    codes = str(first["code"]), str(second["code"])
    return [*found, ("code", *codes)] if codes[0] != codes[1] else found


def _settings(origin: Origin) -> dict[str, Any]:
    return {**origin["config"], "seed": origin["seed"], "versions": origin["versions"]}


def compared_images(first: Path, second: Path) -> ImagesCompared:
    """Images of two results folders of a data set: the common ones, and the state of the others."""
    tables = [read_table(folder / "raw" / "images.parquet").astype({"image_id": str}) for folder in (first, second)]
    one, other = (table.set_index("image_id") for table in tables)
    both = one.index.intersection(other.index)
    content = _differing(one.loc[both, "sha256"], other.loc[both, "sha256"])
    split = _differing(one.loc[both, "split"], other.loc[both, "split"])
    return ImagesCompared(
        same=len(both) - len(content),
        only_first=tuple(sorted(one.index.difference(other.index))),
        only_second=tuple(sorted(other.index.difference(one.index))),
        other_content=content,
        other_split=split,
    )


def images_of_other_grids(first: Path, second: Path, tables: Sequence[pd.DataFrame]) -> tuple[str, ...]:
    """Images whose figures in two results are of grids of other sizes: of slides that were rescaled differently.

    Parameters
    ----------
    first, second
        Folders of the results, with the normalised images.
    tables
        The two tables of images, measured as `pipeline.report.measures.paired.on_originals` says.

    Returns
    -------
    tuple of str
        Ids in text order, of the images that both results measured and whose normalised image is still there.
    """
    both = set.intersection(*({str(image) for image in table["image_id"]} for table in tables))
    sizes = [
        {image: _measured_size(folder / "normalized" / f"{image}.zarr", table) for image in sorted(both)}
        for folder, table in zip((first, second), tables, strict=True)
    ]
    known = (image for image in sorted(both) if all(each[image] for each in sizes))
    return tuple(image for image in known if sizes[0][image] != sizes[1][image])


def _measured_size(store: Path, table: pd.DataFrame) -> tuple[int, int] | None:
    if not store.is_dir():
        return None
    mapping = image_notes(store)["mapping"]
    keys = ("source_height", "source_width") if ORIGINAL in grids_of(table) else ("height", "width")
    return int(mapping[keys[0]]), int(mapping[keys[1]])


def _differing(one: "pd.Series[Any]", other: "pd.Series[Any]") -> tuple[str, ...]:
    return tuple(sorted(one.index[(one.astype(str) != other.astype(str)).to_numpy()]))
