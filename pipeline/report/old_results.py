"""Old results of a data set: models, fusions, samplings and pages in deep zoom that are no longer configured."""

import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import StageConfig
from pipeline.config.run import DatasetRun
from pipeline.counts import first_names
from pipeline.errors import StoreError
from pipeline.raw.data_warnings import DataWarning
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import CARD, CURVES, HISTORY_CSV, WEIGHTS
from pipeline.stores.record import additional_files
from pipeline.stores.tables import check_table

__all__ = ["Named", "is_ours", "old_results", "old_sentences", "old_warnings", "remove"]

BY_MODEL = ("model", "probability", "segmentation")
BY_FUSION = ("probability", "segmentation")
KINDS = ("images", "classes", "lesions", "parts", "errors")
TABLES = tuple(f"*.{kind}.parquet" for kind in (*KINDS, "borders"))
SHOWN = 5
WRITTEN = {WEIGHTS, HISTORY_CSV, CURVES}
"""Files without a digest that training writes beside the card of its model."""
ZOOM = {"all": ("zoom", "viewer"), "worst": ("worst", "viewer"), "none": ()}
"""Folders of pages in deep zoom of each rule of ``report.zoom``; Snakemake empties them before writing."""
_ZOOMED = frozenset().union(*ZOOM.values())


@dataclass(frozen=True, slots=True)
class Named:
    """Names in a configuration."""

    models: frozenset[str]
    """Models and ensembles."""
    fusions: frozenset[str]
    samplings: frozenset[str]
    zoom: frozenset[str]
    """Folders of pages in deep zoom."""

    @classmethod
    def by(cls, config: StageConfig) -> "Named":
        """Names of a configuration."""
        models = frozenset(config.model.models) | frozenset(config.model.ensembles)
        zoom = frozenset(ZOOM[config.report.zoom.partition(" ")[0]])
        return cls(models, frozenset(config.probability.fusions), frozenset(config.index.samplings), zoom)


def old_results(folder: Path, named: Named) -> list[Path]:
    """Results of a data set that its configuration no longer names, in text order.

    Parameters
    ----------
    folder
        ``results/{dataset}``; other content is skipped.
    named
        Names that the configuration gives.
    """
    found = [
        *(path for stage in BY_MODEL for path in _others(folder / stage, named.models)),
        *(
            path
            for stage in BY_FUSION
            for model in named.models
            for path in _others(folder / stage / model, named.fusions)
        ),
        *(path for path in (folder / "index").glob("*.parquet") if path.stem not in named.samplings),
        # The copy in the model's folder goes with the model; hidden names among the models are skipped.
        *(path for path in (folder / "model" / ".hardest").glob("*.parquet") if path.stem not in named.models),
        *_tables(folder / "report", named),
        *(path for name in _ZOOMED - named.zoom if (path := folder / "report" / name).is_dir()),
    ]
    return sorted(found)


def is_ours(path: Path) -> bool:
    """Test for an own result: whether this package wrote it and all its content; users keep files beside results, too."""
    if path.suffix == ".zarr":
        return _is_our_store(path)
    if path.parent.name == "report" and path.name in _ZOOMED:
        return True
    if path.is_dir() and not path.is_symlink():
        return all(map(is_ours, path.iterdir()))
    if path.name in WRITTEN:
        return path.with_name(CARD).is_file()  # Which is checked too.
    try:
        if path.suffix == ".parquet":
            check_table(path)
        elif path.suffix in (".json", ".geojson"):
            read_json(path)
        else:
            return False
    except (StoreError, OSError, ValueError):
        return False
    return True


def _is_our_store(path: Path) -> bool:
    try:
        return not additional_files(path)
    except (StoreError, OSError):  # Another program's, or one that somebody changed.
        return False


def _others(folder: Path, names: Collection[str]) -> Iterator[Path]:
    if folder.is_dir() and not folder.is_symlink():
        yield from (path for path in folder.iterdir() if path.name not in names and not path.name.startswith("."))


def _tables(folder: Path, named: Named) -> Iterator[Path]:
    known = {f"{model}.borders.parquet" for model in named.models}
    for kind in KINDS:
        known |= {f"{model}.{fusion}.{kind}.parquet" for model in named.models for fusion in named.fusions}
    yield from (path for pattern in TABLES for path in folder.glob(pattern) if path.name not in known)


def old_warnings(folder: Path, named: Named) -> list[DataWarning]:
    """Warning of old results beside those of a run, with number and names; empty without any."""
    names = [path.relative_to(folder).as_posix() for path in old_results(folder, named)]
    if not names:
        return []
    what = "result is" if len(names) == 1 else "results are"
    shown = first_names(names, most=SHOWN)
    said = f"{len(names)} {what} not of this run's models, fusions, samplings and pages: {shown}"
    return [DataWarning("old_results", None, len(names), tuple(names[:SHOWN]), said)]


def old_sentences(results: Path, runs: Iterable[DatasetRun]) -> list[str]:
    """Line for each data set of a run with old results: their number and what to do about them.

    Parameters
    ----------
    results
        Folder of all results.
    runs
        The data sets.
    """
    named = {run.entry: old_warnings(results / run.entry, Named.by(run.config)) for run in runs}
    return [f"{entry}: {each.advice}" for entry, found in named.items() for each in found]


def remove(path: Path) -> None:
    """Removal of a result: a folder with its content, a file, or a link but not its target."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
