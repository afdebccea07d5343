"""Layouts of exported patches: image and mask files, or a raw data set folder of nnU-Net v2; their files and descriptions.

Images are lossless PNG.

References
----------
.. [1] nnU-Net v2, documentation/dataset_format.md and documentation/manual_data_splits.md.
   https://github.com/MIC-DKFZ/nnUNet
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config.manifest import DatasetRecord
from pipeline.words import BACKGROUND

__all__ = ["Patch", "Writer", "files_facts", "files_writer", "nnunet_facts", "nnunet_splits", "nnunet_writer"]

WHITE = IGNORED = 255


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One patch to be written."""

    name: str
    """Name of its files, without suffix."""
    split: str
    pixels: NDArray[np.uint8]
    """``(3, y, x)``, RGB."""
    truth: NDArray[np.uint8]
    ignored: NDArray[np.bool_]
    """``(class, y, x)``, 0 or 1, and ``(y, x)``: where the truth says "not sure"."""
    unknown: tuple[str, ...]
    """Classes that nobody looked for."""

    def not_sure(self, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Pixels ``(y, x)`` with unknown label: ignored, or background where a class is unknown."""
        return self.ignored | (labels == 0) if self.unknown else self.ignored


Writer: TypeAlias = Callable[[Patch, NDArray[np.uint8]], None]
"""Function that writes a patch, given its label map ``(y, x)``: 0 for background, then the classes in order."""


def _write_png(path: Path, picture: NDArray[np.uint8]) -> None:
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise AssertionError(path)
    path.write_bytes(data.tobytes())


def files_writer(partial: Path, rows: pd.DataFrame, record: DatasetRecord) -> Writer:
    """Writer of images and masks into one folder per split; creates the folders."""
    masks = ["labels"] if record.task == "multiclass" else [f"masks/{code}" for code in record.codes]
    masks += ["ignore"] if record.ignore and record.task != "multiclass" else []
    for split in sorted(set(rows["split"].astype(str))):
        for name in ["images", *masks]:
            (partial / split / name).mkdir(parents=True)

    def write(patch: Patch, labels: NDArray[np.uint8]) -> None:
        base, file = partial / patch.split, f"{patch.name}.png"
        _write_png(base / "images" / file, np.moveaxis(patch.pixels[::-1], 0, 2))
        if record.task == "multiclass":
            _write_png(base / "labels" / file, np.where(patch.not_sure(labels), np.uint8(IGNORED), labels))
            return
        for code, plane in zip(record.codes, patch.truth, strict=True):
            if code not in patch.unknown:
                _write_png(base / "masks" / code / file, plane * np.uint8(WHITE))
        if record.ignore:
            _write_png(base / "ignore" / file, patch.ignored * np.uint8(WHITE))

    return write


def _ignores(rows: pd.DataFrame, record: DatasetRecord) -> bool:
    """Test for ignored pixels in label maps: declared ones, or the background where a class is unknown."""
    return bool(record.ignore) or bool((rows[[f"pixels_{code}" for code in record.codes]] < 0).any(axis=None))


def files_facts(rows: pd.DataFrame, record: DatasetRecord) -> dict[str, Any]:
    """Description of the files: task, classes with label and colour, what is ignored."""
    classes = [
        {"code": known.code, "name": known.name, "kind": known.kind, "label": at, "rgb": list(known.rgb)}
        for at, known in enumerate(record.classes, start=1)
    ]
    facts = {"task": record.task, "classes": classes, "priority": list(record.order)}
    if record.task == "multiclass":
        return facts | ({"ignored": {"label": IGNORED}} if _ignores(rows, record) else {})
    return facts | ({"ignored": {"folder": "ignore"}} if record.ignore else {})


def nnunet_writer(partial: Path, rows: pd.DataFrame, record: DatasetRecord) -> Writer:
    """Writer of one file per channel and a label map into the folders of nnU-Net; creates the folders."""
    for name in ("imagesTr", "labelsTr"):
        (partial / name).mkdir()
    if (rows["split"] == "test").any():
        for name in ("imagesTs", "labelsTs"):
            (partial / name).mkdir()

    def write(patch: Patch, labels: NDArray[np.uint8]) -> None:
        end = "Ts" if patch.split == "test" else "Tr"
        for number, channel in enumerate(patch.pixels):
            _write_png(partial / f"images{end}" / f"{patch.name}_{number:04}.png", channel)
        known = np.where(patch.not_sure(labels), np.uint8(len(record.codes) + 1), labels)
        _write_png(partial / f"labels{end}" / f"{patch.name}.png", known)

    return write


def nnunet_facts(rows: pd.DataFrame, record: DatasetRecord, *, name: str) -> dict[str, Any]:
    """Content of ``dataset.json`` as nnU-Net requires it."""
    labels = {code: at for at, code in enumerate((BACKGROUND, *record.codes))}
    return {
        "channel_names": {str(number): channel for number, channel in enumerate("RGB")},
        "labels": labels | ({"ignore": len(labels)} if _ignores(rows, record) else {}),
        "numTraining": int((rows["split"] != "test").sum()),
        "file_ending": ".png",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
        "name": name,
    }


def nnunet_splits(rows: pd.DataFrame) -> list[dict[str, Sequence[str]]]:
    """Our folds where every patch may train and validate, else our single split; empty where nothing validates."""
    mine = rows[rows["split"] != "test"]
    folds = sorted(set(mine["fold"]) - {-1})
    if folds and (mine["strategy"] == "grid").all() and not (mine["fold"] == -1).any():
        held = [mine["fold"] == fold for fold in folds]
    else:
        held = [mine["split"] == "validation"]
    parts = [(mine.loc[~out, "name"].tolist(), mine.loc[out, "name"].tolist()) for out in held]
    return [{"train": train, "val": validation} for train, validation in parts if train and validation]
