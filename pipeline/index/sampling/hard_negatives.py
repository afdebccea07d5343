"""Hard negatives: boxes of an earlier model's false positives, read, checked, and turned into patches."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.config import HardNegatives
from pipeline.errors import SamplingError
from pipeline.index.box_sums import Boxes, box_sums, is_certain
from pipeline.index.image import NormalizedImage
from pipeline.index.sampling.candidate_pool import EMPTY, CandidatePool, draw_keys, in_order
from pipeline.index.sampling.positions import around, jittered
from pipeline.project import document
from pipeline.seeds import stream
from pipeline.stores import read_table

__all__ = [
    "COLUMNS",
    "HardBoxes",
    "avoided_boxes",
    "drawn_boxes",
    "hard_pool",
    "listed_for",
    "read_hard_negatives",
    "touches",
]

COLUMNS = {
    "image_id": "Image.",
    "y": "First row of the box, in pixels of the normalised image.",
    "x": "First column of the box.",
    "height": "Rows of the box.",
    "width": "Columns of the box.",
    "score": "How sure the model was, 0 to 1; boxes are preferred in proportion to it.",
}
"""Required columns of a list, and their meaning; others are ignored."""
TRIES = 16
"""Patches tried around a box until one is free of truth: the first is centred on it."""


@dataclass(frozen=True, slots=True, eq=False)
class HardBoxes:
    """Listed boxes of one image, by place."""

    boxes: Boxes
    """``(n, 4)``, half-open."""
    score: NDArray[np.float64]
    """``(n,)``, in [0, 1]."""

    def __len__(self) -> int:
        return len(self.score)


def read_hard_negatives(path: Path, *, least_score: float = 0.0) -> dict[str, HardBoxes]:
    """List of hard negatives (false positives of a model), by image.

    Parameters
    ----------
    path
        Parquet file, or CSV where the name ends in ``.csv``, with the columns of ``COLUMNS``.
    least_score
        Boxes with a lower score are left out.

    Returns
    -------
    dict
        Image → boxes, whatever the order of the rows.

    Raises
    ------
    SamplingError
        The file is missing, lacks a column, or has an invalid box or score.
    """
    frame = _frame(path)
    if missing := [name for name in COLUMNS if name not in frame]:
        raise _unfit(path, found=f"no column {', '.join(missing)}")
    frame = frame[list(COLUMNS)].astype({"image_id": "str"})
    numbers = frame.drop(columns="image_id").apply(pd.to_numeric, errors="coerce")
    wrong = numbers.isna().any(axis=1) | (numbers[["y", "x"]] < 0).any(axis=1) | ~numbers["score"].between(0, 1)
    wrong |= (numbers[["height", "width"]] < 1).any(axis=1)
    if wrong.any():
        raise _unfit(
            path, found=f"{int(wrong.sum())} rows, first {int(np.argmax(wrong))}: {frame[wrong].iloc[0].to_dict()}"
        )
    kept = frame[["image_id"]].join(numbers)[numbers["score"] >= least_score]
    ordered = kept.sort_values(["image_id", "y", "x", "height", "width", "score"])
    return {str(image_id): _boxes(part) for image_id, part in ordered.groupby("image_id")}


def _frame(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise SamplingError(
            "The list of hard negatives is missing.",
            where=path,
            found="no file",
            expected=f"a table with columns {', '.join(COLUMNS)}",
            remedy=f"Write it with rule segmentation_hard_negatives (see {document('README.md')}), or set hard_negatives.table to null.",
        )
    return (
        pd.read_csv(path, dtype={"image_id": "str"})
        if path.suffix.lower() == ".csv"
        else read_table(path, foreign=True)
    )


def _unfit(path: Path, *, found: str) -> SamplingError:
    return SamplingError(
        "The list of hard negatives cannot be used.",
        where=path,
        found=found,
        expected=f"columns {', '.join(COLUMNS)}; boxes inside the image, scores from 0 to 1",
        remedy="Correct the rows.",
    )


def _boxes(frame: pd.DataFrame) -> HardBoxes:
    start, size = frame[["y", "x"]].to_numpy(np.int64), frame[["height", "width"]].to_numpy(np.int64)
    return HardBoxes(np.concatenate([start, start + size], axis=1), frame["score"].to_numpy(np.float64))


def touches(boxes: Boxes, listed: Boxes) -> NDArray[np.bool_]:
    """Boxes that share a pixel with a listed one."""
    found = np.zeros(len(boxes), dtype=bool)
    for y0, x0, y1, x1 in listed:
        found |= (boxes[:, 0] < y1) & (boxes[:, 2] > y0) & (boxes[:, 1] < x1) & (boxes[:, 3] > x0)
    return found


def drawn_boxes(hard: HardBoxes, use: HardNegatives) -> HardBoxes:
    """Listed boxes from which negatives are drawn."""
    if use.use == "avoid":
        return HardBoxes(hard.boxes[:0], hard.score[:0])
    likely = ~_suspected(hard, use)
    return HardBoxes(hard.boxes[likely], hard.score[likely])


def avoided_boxes(hard: HardBoxes, use: HardNegatives) -> Boxes:
    """Listed boxes ``(n, 4)`` that no negative touches."""
    return hard.boxes if use.use == "avoid" else np.asarray(hard.boxes[_suspected(hard, use)])


def _suspected(hard: HardBoxes, use: HardNegatives) -> NDArray[np.bool_]:
    """Boxes where the earlier model is so sure that the truth is in doubt."""
    return np.asarray(hard.score >= (np.inf if use.suspected_from is None else use.suspected_from))


def hard_pool(image: NormalizedImage, hard: HardBoxes, *, seed: int, patch: int, avoided: Boxes) -> CandidatePool:
    """Candidate pool of hard negatives: patches without truth around listed boxes, weighted by their scores.

    Parameters
    ----------
    image
        An opened store; its truth is read once in strips.
    hard
        Boxes of this image.
    seed
        Seed of the run.
    patch
        Side of a patch.
    avoided
        Boxes ``(n, 4)`` that no patch touches.

    Returns
    -------
    CandidatePool
        At most one patch for each box; none if every try has truth inside or too many ignored pixels.
    """
    shape = np.array([image.height, image.width])
    inside = (hard.boxes[:, :2] < shape).all(axis=1)
    boxes, score = hard.boxes[inside], hard.score[inside]
    if not len(boxes):
        return EMPTY
    chance = stream(seed, "index", image.image_id, "hard", "place").random((len(boxes), TRIES, 2))
    shift = jittered(chance, most=patch // 2)
    shift[:, 0] = 0
    middle = np.minimum((boxes[:, :2] + boxes[:, 2:]) // 2, shape - 1)
    wish, keep = (middle[:, None] + shift).reshape(-1, 2), np.repeat(middle, TRIES, axis=0)
    tried = around(wish, keep=keep, height=image.height, width=image.width, patch=patch)
    empty = box_sums(image.any_truth, tried, planes=1, rows=image.rows)[:, 0] == 0
    free = (empty & is_certain(image, tried) & ~touches(tried, avoided)).reshape(len(boxes), TRIES)
    chosen = tried.reshape(len(boxes), TRIES, 4)[np.arange(len(boxes)), free.argmax(axis=1)]
    exponential = stream(seed, "index", image.image_id, "hard", "order").standard_exponential(len(boxes))
    found = CandidatePool(draw_keys(exponential, score, power=1.0), chosen, score)
    ordered = in_order(found.select(free.any(axis=1)))
    first = np.unique(ordered.boxes, axis=0, return_index=True)[1]
    return ordered.select(np.isin(np.arange(len(ordered)), first))


def listed_for(hard: Mapping[str, HardBoxes], image_id: str) -> HardBoxes:
    """Listed boxes of an image; none where it is not listed."""
    return hard.get(image_id, HardBoxes(np.zeros((0, 4), dtype=np.int64), np.zeros(0)))
