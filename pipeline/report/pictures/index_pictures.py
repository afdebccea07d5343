"""Pictures of a patch index: a contact sheet and a patch map of each image, for the page or for a folder."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from pipeline.config.colours import COLOURS
from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.counts import first_names, number_of
from pipeline.errors import StoreError
from pipeline.index.schema import class_codes
from pipeline.project import workflow_command
from pipeline.report.pictures.overlays import Picture
from pipeline.report.pictures.patch_map import box_map, side_by_side
from pipeline.report.pictures.patch_sheet import contact_sheet, rows_to_show
from pipeline.report.pictures.store_pictures import Shot, save_picture

__all__ = ["IndexPlace", "MapShots", "index_record", "page_pictures", "place_of", "write_pictures"]

MAP_SIDE = 760
"""Of a map in a folder of pictures; two stand side by side."""
QUALITY = 82
"""Of a JPEG in the page: a sheet of forty patches takes about 300 kB."""


@dataclass(frozen=True, slots=True)
class IndexPlace:
    """Place of an index and what lies around it: ``results/{dataset}/index/{sampling}.parquet``."""

    index: Path
    dataset: str
    """``name`` or ``name@recipe``."""
    normalized: Path
    """Folder of the stores."""
    pictures: Path
    """Folder of the pictures, where no other one is asked for."""

    def stores(self, images: Sequence[str]) -> dict[str, Path]:
        """Image id → store.

        Raises
        ------
        StoreError
            Where a store is not there.
        """
        found = {image: self.normalized / f"{image}.zarr" for image in images}
        missing = [image for image, path in found.items() if not path.is_dir()]
        if missing:
            raise StoreError(
                "The index names images that have no normalised store.",
                where=self.normalized,
                found=f"none of {first_names(missing)}",
                expected="a folder {image}.zarr for each image",
                remedy=f"Build them ({workflow_command('normalized')}), or leave the index where it was written.",
            )
        return found


def place_of(index: Path) -> IndexPlace:
    """Place of an index, with the files around it.

    Raises
    ------
    StoreError
        There is no such file, or it is not where the workflow writes indexes.
    """
    path = index.resolve()
    folder = path.parent.parent
    if not path.is_file() or path.parent.name != "index" or path.suffix != ".parquet":
        found = "no such file" if not path.is_file() else f"a file in {path.parent.name}/"
        raise StoreError(
            "This is no patch index of a run.",
            where=index,
            found=found,
            expected="results/{dataset}/index/{sampling}.parquet",
            remedy=f"Build it ({workflow_command('index')}), and name it.",
        )
    return IndexPlace(path, folder.name, folder / "normalized", folder / "report" / "patches" / path.stem)


def index_record(
    frame: pd.DataFrame, notes: Mapping[str, Any], *, known: Mapping[str, DatasetRecord], dataset: str
) -> DatasetRecord:
    """Record of an index's data set, from a manifest that describes it, else from the index itself.

    Parameters
    ----------
    frame
        The index.
    notes
        Its metadata.
    known
        Data sets of a manifest.
    dataset
        ``name`` or ``name@recipe``.
    """
    codes = class_codes(frame)
    named = known.get(dataset.partition("@")[0])
    if named is not None and named.codes == codes:
        return named
    colours = [name for name in COLOURS if name != "black"]
    classes = tuple(
        ClassRecord(code=code, name=code, colour=colours[at % len(colours)]) for at, code in enumerate(codes)
    )
    own = ((notes.get("provenance") or {}).get("config") or {}).get("record")
    if own is not None:
        found = DatasetRecord.model_validate(own)
        kinds = {each.code: each.kind for each in found.classes}
        coloured = tuple(each.model_copy(update={"kind": kinds.get(each.code, each.kind)}) for each in classes)
        return found.model_copy(update={"classes": coloured, "title": dataset})
    task = "binary" if len(codes) == 1 else "multilabel"
    return DatasetRecord.model_validate(
        {"title": dataset, "adaptor": "idrid", "modality": "fundus", "task": task, "classes": classes}
    )


@dataclass(frozen=True, slots=True)
class MapShots:
    """Patch map of one image on the page."""

    image_id: str
    text: str
    shots: tuple[Shot, ...]


def page_pictures(
    frame: pd.DataFrame,
    record: DatasetRecord,
    *,
    name: str,
    normalized: Mapping[str, Path],
    folder: Path,
    most: int,
    side: int,
) -> tuple[Shot | None, tuple[MapShots, ...]]:
    """Contact sheet of a sampling and patch maps of its first training images, written for the page.

    Parameters
    ----------
    frame
        The index.
    record
        Classes and colours.
    name
        Of the sampling.
    normalized
        Image id → store; images without one are left out.
    folder
        Where the pictures go.
    most
        Maps.
    side
        Of a map, pixels.
    """
    held = frame[frame["image_id"].astype(str).isin([*normalized])]
    rows = rows_to_show(held, record)
    sheet = None
    if rows:
        drawn = contact_sheet(rows, normalized=normalized, record=record)
        caption = "Training patches, by what they were drawn for; truth is outlined. Under each: image, first row, first column"
        sheet = save_picture(drawn, folder, f"patches.{name}.sheet.jpg", caption=caption, quality=QUALITY)
    maps = []
    train = held[held["split"] == "train"]
    for image in sorted(set(train["image_id"].astype(str)))[:most]:
        found = box_map(normalized[image], train[train["image_id"] == image], record, side=side)
        parts = (
            ("boxes", found.boxes, "Boxes, and the pixels they were drawn for"),
            ("seen", found.seen, f"Seen by up to {number_of(found.most, 'patch', 'patches')}"),
        )
        shots = tuple(
            save_picture(drawn, folder, f"patches.{name}.{image}.{part}.jpg", caption=text, quality=QUALITY)
            for part, drawn, text in parts
        )
        maps.append(MapShots(image, number_of(found.patches, "patch", "patches"), shots))
    return sheet, tuple(maps)


def _pictures(
    frame: pd.DataFrame, record: DatasetRecord, normalized: Mapping[str, Path]
) -> Iterator[tuple[str, Picture]]:
    rows = rows_to_show(frame, record)
    if rows:
        yield "sheet.jpg", contact_sheet(rows, normalized=normalized, record=record)
    for image, part in frame.groupby(frame["image_id"].astype(str), sort=True):
        split = str(part["split"].iloc[0])
        yield (
            f"map.{image}.jpg",
            side_by_side(box_map(normalized[str(image)], part, record, side=MAP_SIDE), title=f"{image} ({split})"),
        )


def write_pictures(
    frame: pd.DataFrame, record: DatasetRecord, *, normalized: Mapping[str, Path], folder: Path
) -> Iterator[Path]:
    """Contact sheet and patch map of every image, each written atomically into a folder; yields each path when it exists.

    Parameters
    ----------
    frame
        The index.
    record
        Classes and colours.
    normalized
        Image id → store.
    folder
        Created if missing; pictures of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".") as temporary:
        for name, picture in _pictures(frame, record, normalized):
            save_picture(picture, Path(temporary), name, caption="", quality=QUALITY)
            os.replace(Path(temporary) / name, folder / name)
            yield folder / name
