"""Catalogue of a results folder: its data sets, their images, and the results of models and fusions for each."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline import stores
from pipeline.config.colours import COLOURS
from pipeline.config.manifest import ClassRecord, DatasetRecord, FolderLayout
from pipeline.config.shown import USUAL
from pipeline.errors import MissingDataError, PipelineError
from pipeline.stores.labels import noted_labels
from pipeline.stores.tables import read_table
from pipeline.view.originals import Originals

__all__ = ["Dataset", "Result", "open_datasets"]

TABLE = ("raw", "images.parquet")


@dataclass(frozen=True, slots=True, order=True)
class Result:
    """Maps and masks of a model and a fusion."""

    model: str
    fusion: str

    @property
    def name(self) -> str:
        """Name in addresses and on the page."""
        return f"{self.model}/{self.fusion}"


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Results of one data set."""

    name: str
    folder: Path
    """``results/{dataset}``, a real path."""
    top: Path
    """Real path of the served folder; nothing outside is read."""
    originals: Originals | None = None
    """Originals; None where the configuration does not name them."""
    known: DatasetRecord | None = field(default=None, repr=False)
    """Facts from the configuration, where it names the data set."""

    def rows(self) -> dict[str, dict[str, Any]]:
        """Image id → row of the table of images, by id."""
        table = read_table(self.folder.joinpath(*TABLE)).sort_values("image_id")
        return {
            str(row["image_id"]): {str(key): value for key, value in row.items()} for row in table.to_dict("records")
        }

    def store(self, *parts: str) -> Path | None:
        """Finished store inside the folder; None where there is none, or a link leads out."""
        path = Path(os.path.realpath(self.folder.joinpath(*parts)))
        record = path / "zarr.json"
        if not path.is_relative_to(self.top) or not record.is_file():
            return None
        return None if _leads_out(path, self.top, record.stat().st_mtime_ns) else path

    def normalized(self, image_id: str) -> Path | None:
        """Normalised store of an image."""
        return self.store("normalized", f"{image_id}.zarr")

    def probability(self, image_id: str, result: Result) -> Path | None:
        """Map of an image."""
        return self.store("probability", result.model, result.fusion, f"{image_id}.zarr")

    def segmentation(self, image_id: str, result: Result) -> Path | None:
        """Masks of an image."""
        return self.store("segmentation", result.model, result.fusion, f"{image_id}.zarr")

    def results(self) -> list[Result]:
        """Models and fusions with maps or masks of any image: the report's first, then by model and fusion."""
        found = {
            Result(path.parent.name, path.name)
            for stage in ("probability", "segmentation")
            for path in (self.folder / stage).glob("*/*/")
        }
        reported = self._reported()
        return sorted(found, key=lambda e: (e != reported, e.model, e.fusion != USUAL, e.fusion))

    def _reported(self) -> Result | None:
        """Result that the report shows in full, by the rule of `pipeline.config.shown`; None without a report."""
        try:
            table = read_table(self.folder / "report" / "summary.parquet")
        except PipelineError:  # Missing or damaged; its own pages say so.
            return None
        model, _, fusion = str(table.iloc[0]["result"] if len(table) and "result" in table else "").partition(" / ")
        return Result(model, fusion)

    def results_of(self, image_id: str) -> list[Result]:
        """Results with a map or masks of an image."""
        return [
            each for each in self.results() if self.probability(image_id, each) or self.segmentation(image_id, each)
        ]

    def record(self, row: Mapping[str, Any]) -> DatasetRecord:
        """Classes with their names and colours, from the configuration, else from masks, else plain ones."""
        codes = tuple(name.removeprefix("pixels_") for name in row if name.startswith("pixels_"))
        if self.known is not None and self.known.codes == codes:
            return self.known
        noted = next((found for found in self._noted() if tuple(each.code for each in found) == codes), None)
        return _record_of(noted or _plain(codes))

    def _noted(self) -> Iterator[tuple[ClassRecord, ...]]:
        for path in sorted((self.folder / "segmentation").glob("*/*/*.zarr")):
            store = self.store(*path.relative_to(self.folder).parts)
            if store is not None:
                labels = noted_labels(stores.open_group(store).attrs.asdict())
                yield tuple(
                    ClassRecord(code=each.code, name=each.name, colour="#{:02X}{:02X}{:02X}".format(*each.rgba[:3]))
                    for each in labels
                )


@lru_cache(maxsize=4096)
def _leads_out(store: Path, top: Path, _changed: int) -> bool:
    """Test whether a link in a store leads out of a folder."""
    for here, below, files in os.walk(store):
        for name in (*below, *files):
            path = os.path.join(here, name)  # A Path for each of many shards takes far longer.
            if os.path.islink(path) and not Path(os.path.realpath(path)).is_relative_to(top):
                return True
    return False


def _plain(codes: tuple[str, ...]) -> tuple[ClassRecord, ...]:
    colours = sorted(COLOURS)
    return tuple(ClassRecord(code=code, name=code, colour=colours[at % len(colours)]) for at, code in enumerate(codes))


def _record_of(classes: tuple[ClassRecord, ...]) -> DatasetRecord:
    """Facts that a viewer needs: the classes; others are not used."""
    layout = FolderLayout(images="{image}")
    task = "binary" if len(classes) == 1 else "multilabel"
    return DatasetRecord(title="", adaptor="folder", modality="fundus", task=task, classes=classes, folder=layout)


def open_datasets(folder: Path) -> tuple[Dataset, ...]:
    """Data sets in a folder: the one of ``results/{dataset}``, or all of ``results``.

    Raises
    ------
    MissingDataError
        There are no results.
    """
    top = Path(os.path.realpath(folder))
    if top.joinpath(*TABLE).is_file():
        return (Dataset(top.name, top, top),)
    found = [
        path.parents[1] for path in sorted(top.glob("/".join(("*", *TABLE)))) if not path.parts[-3].startswith(".")
    ]
    inside = [
        Dataset(path.name, real, top) for path in found if (real := Path(os.path.realpath(path))).is_relative_to(top)
    ]
    if not inside:
        raise MissingDataError(
            "There are no results to view.",
            where=folder,
            found="a folder without raw/images.parquet" if top.is_dir() else "no folder",
            expected="results, or results/{dataset}, of a run",
            remedy="Name the folder: lesionmap view results/idrid.",
        )
    return tuple(inside)
