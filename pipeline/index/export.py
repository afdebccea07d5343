"""Export of patches to other programs: image and mask files, or a raw data set folder of nnU-Net v2.

Patches are read from the normalised stores image by image, in the order of the index. The folder is written under
another name and renamed at the end, so a half-written one never passes for finished.
"""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from pipeline.arrays.label_map import label_map, precedence
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ConfigurationError, SamplingError, StoreError
from pipeline.geometry import Box
from pipeline.index.export_layouts import (
    Patch,
    Writer,
    files_facts,
    files_writer,
    nnunet_facts,
    nnunet_splits,
    nnunet_writer,
)
from pipeline.index.image import open_image, tiled
from pipeline.runtime.threads import each
from pipeline.stores import open_array

__all__ = ["FORMATS", "Layout", "export_patches", "patch_names"]

Layout: TypeAlias = Literal["files", "nnunet"]
FORMATS: tuple[Layout, ...] = ("files", "nnunet")
NNUNET_NAME = r"Dataset\d{3}_[A-Za-z0-9][A-Za-z0-9_-]*"
PLACE = ("name", "split", "y", "x", "height", "width")
BATCH = 64
"""Patches submitted at a time; progress is reported after each lot."""


def patch_names(frame: pd.DataFrame) -> list[str]:
    """File name without suffix of each patch: its id with ``__`` for each slash.

    Raises
    ------
    StoreError
        Two patches would have one name.
    """
    names = frame["patch_id"].astype(str).str.replace("/", "__")
    twice = sorted(names[names.str.lower().duplicated(keep=False)])
    if twice:
        raise StoreError(
            "Two patches would have one file name.",
            where="patch_id",
            found=", ".join(twice[:4]),
            expected="names that differ in more than upper and lower case",
            remedy="Rename the images.",
        )
    return names.tolist()


def export_patches(
    frame: pd.DataFrame,
    *,
    normalized: Mapping[str, Path],
    record: DatasetRecord,
    folder: Path,
    layout: Layout,
    origin: Mapping[str, Any],
    workers: int = 1,
) -> Iterator[str]:
    """Export of the patches of an index; yields the name of each written patch, and is complete when the iteration ends.

    Parameters
    ----------
    frame
        Rows of an index, all or some.
    normalized
        Image id → store of stage normalized.
    record
        Classes, task, and which class gets a pixel where classes overlap.
    folder
        Output folder, which must not exist yet. For nnU-Net its name is ``Dataset``, three digits, ``_`` and a name.
    layout
        ``files``: ``{split}/images/{name}.png``, and for a multiclass task ``{split}/labels/{name}.png`` (0 for
        background, then the classes in order, 255 for ignored pixels), else ``{split}/masks/{CODE}/{name}.png`` (0 or
        255), and ``{split}/ignore/{name}.png`` where the data set declares ``ignore``; ``patches.csv`` with the rows.
        ``nnunet``: training and validation patches in ``imagesTr`` (a file a channel) and ``labelsTr``,
        test patches in ``imagesTs`` and ``labelsTs``, ``dataset.json``, and ``splits_final.json`` with our splits;
        ignored pixels have nnU-Net's label ``ignore``, the last one. Where nobody looked for a class, the background is
        ignored too, and ``masks`` has no file of the class.
    origin
        Origin of the patches as plain values, kept in ``dataset.json``.
    workers
        Patches of an image read and compressed at a time; changes no file.

    Raises
    ------
    ConfigurationError
        The folder exists already, or nnU-Net would not accept its name.
    SamplingError
        There is no patch, or for nnU-Net none to train on.
    """
    _check_target(folder, layout=layout)
    _check_rows(frame, layout=layout)
    rows = frame.assign(name=patch_names(frame))
    with _new_folder(folder) as partial:
        write = files_writer(partial, rows, record) if layout == "files" else nnunet_writer(partial, rows, record)
        for image, part in rows.groupby(rows["image_id"].astype(str), sort=False):
            # One image after the other, so that only pieces of one image are in memory.
            save = _saver(normalized[str(image)], record=record, write=write)
            wanted = list(part[list(PLACE)].itertuples(index=False, name=None))
            for start in range(0, len(wanted), BATCH):
                yield from each(save, wanted[start : start + BATCH], workers=workers)
        facts = files_facts(rows, record) if layout == "files" else nnunet_facts(rows, record, name=folder.name)
        _write_json(partial / "dataset.json", {**facts, "lesionmap": dict(origin)})
        if layout == "files":
            rows.rename(columns={"name": "file"}).to_csv(partial / "patches.csv", index=False)
        elif splits := nnunet_splits(rows):
            _write_json(partial / "splits_final.json", splits)


def _check_target(folder: Path, *, layout: Layout) -> None:
    if folder.exists():
        raise ConfigurationError(
            "The folder is there already.",
            where=folder,
            found="a folder or file of this name",
            expected="a name that is free",
            remedy="Name another folder, or move this one away.",
        )
    if layout == "nnunet" and not re.fullmatch(NNUNET_NAME, folder.name):
        raise ConfigurationError(
            "nnU-Net would not find this folder.",
            where=folder,
            found=folder.name,
            expected="Dataset, three digits, _ and a name",
            remedy="Name it like Dataset501_IDRiD, in nnUNet_raw.",
        )


def _check_rows(frame: pd.DataFrame, *, layout: Layout) -> None:
    usable = frame if layout == "files" else frame[frame["split"] != "test"]
    if usable.empty:
        raise SamplingError(
            "There is no patch to export.",
            where="split",
            found=f"{len(frame)} rows",
            expected="at least one patch" + (" to train on" if layout == "nnunet" else ""),
            remedy="Choose other splits, or another index.",
        )


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """A folder beside the final one, renamed at the end, or deleted after an error."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    os.replace(partial, folder)


def _saver(store: Path, *, record: DatasetRecord, write: Writer) -> Callable[[tuple[Any, ...]], str]:
    """A function that reads and writes one patch of an image, given its ``PLACE``, and returns its name."""
    image, pixels = open_image(store, codes=record.codes), tiled(open_array(store, "0"))
    truth, ignored = tiled(image.truth), image.ignored

    def save(place: tuple[Any, ...]) -> str:
        name, split, y, x, height, width = place
        box = Box(int(y), int(x), int(y) + int(height), int(x) + int(width))
        unsure = np.zeros((box.height, box.width), np.bool_) if ignored is None else ignored.read(box)[0] != 0
        planes = (truth.read(box) != 0).astype(np.uint8)
        patch = Patch(str(name), str(split), pixels.read(box), planes, unsure, image.unknown)
        write(patch, label_map(planes, winners=precedence(record)))
        return str(name)

    return save


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
