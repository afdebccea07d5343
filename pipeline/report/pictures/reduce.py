"""Reduction of masks and errors of an image of any size to a picture, block by block, without losing a lesion.

A pixel of the picture represents a rectangle of pixels of the image. Masks are reduced by *any*: a lesion of one pixel
stays one pixel of the picture. Errors are reduced by counting, so that a thin rim of errors does not hide a hit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.geometry import BLOCK, Box, aligned_boxes

__all__ = ["ERRORS", "Reduced", "picture_shape", "reduce_masks"]

ERRORS = ("hit", "false_positive", "false_negative", "other_class")
"""Kinds of pixels: right, predicted without truth, truth that was missed, and truth that got another class."""


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """Truth, prediction and errors on the pixels of a picture."""

    truth: NDArray[np.bool_] | None
    """``(class, h, w)``; None where there is no truth."""
    masks: NDArray[np.bool_] | None
    """``(class, h, w)``; None where there is no prediction."""
    errors: NDArray[np.int64] | None
    """``(4, h, w)``: pixels of the image of each kind of ``ERRORS``; None unless there are both."""


def picture_shape(height: int, width: int, *, side: int) -> tuple[int, int]:
    """Size of the picture of an image in rows and columns: at most ``side`` each, never enlarged.

    Examples
    --------
    >>> picture_shape(2848, 4288, side=900)
    (598, 900)
    """
    factor = min(1.0, side / max(height, width))
    return max(round(height * factor), 1), max(round(width * factor), 1)


def error_kinds(truth: NDArray[np.bool_], masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Error kind of a pixel, over all classes together: ``(class, y, x)`` twice → ``(4, y, x)``.

    For a pixel with several errors missed truth counts, unless another class was predicted in its place.
    """
    hit, false, missed = (np.zeros(truth.shape[1:], np.bool_) for _ in range(3))
    for true, predicted in zip(truth, masks, strict=True):  # In place: several times as fast as over the class axis.
        if not (true.any() or predicted.any()):  # As in most blocks.
            continue
        both = true & predicted
        hit |= both
        false |= predicted ^ both
        missed |= true ^ both
    wrong = missed | false
    return np.stack([hit & ~wrong, false & ~missed, missed & ~false, missed & false])


def _targets(start: int, stop: int, *, length: int, size: int) -> tuple[slice, NDArray[np.int64]]:
    # Source pixel s lies in target s·size // length, which is monotonic, so a target is one unbroken piece.
    target = np.arange(start, stop) * size // length
    first, last = int(target[0]), int(target[-1])
    starts = np.searchsorted(target, np.arange(first, last + 1))
    return slice(first, last + 1), starts


def _into(ufunc: np.ufunc, picture: NDArray[np.generic], block: NDArray[np.generic], box: Box, shape: Box) -> None:
    rows, row_starts = _targets(box.y0, box.y1, length=shape.height, size=picture.shape[-2])
    columns, column_starts = _targets(box.x0, box.x1, length=shape.width, size=picture.shape[-1])
    part = ufunc.reduceat(ufunc.reduceat(block, row_starts, axis=-2), column_starts, axis=-1)
    target = picture[:, rows, columns]
    ufunc(target, part, out=target)


def reduce_masks(
    truth: Raster[np.bool_] | None,
    masks: Raster[np.bool_] | None = None,
    *,
    classes: int,
    picture: tuple[int, int],
    judged: Sequence[int] = (),
    ignored: Raster[np.bool_] | None = None,
) -> Reduced:
    """Masks reduced to a picture, and kinds of errors counted, reading blocks of bounded size.

    Parameters
    ----------
    truth, masks
        ``(class, y, x)`` of one size; None where there is none.
    classes
        Length of the class axis.
    picture
        ``(h, w)``, at most as large as the image; see ``picture_shape``.
    judged
        Numbers of the classes that count as errors: those that somebody annotated.
    ignored
        ``(1, y, x)``: pixels that nobody is sure of, which are neither hit nor error.
    """
    known = truth or masks
    if known is None:
        return Reduced(None, None, None)
    seen = [np.zeros((classes, *picture), dtype=bool) for _ in range(2)]
    errors = np.zeros((len(ERRORS), *picture), dtype=np.int64)
    for box in aligned_boxes(*known.shape, BLOCK):
        blocks = [None if each is None else each.read(box) for each in (truth, masks)]
        for target, block in zip(seen, blocks, strict=True):
            if block is not None:
                _into(np.logical_or, target, block, box, known.box)
        if blocks[0] is not None and blocks[1] is not None:
            kinds = error_kinds(blocks[0][[*judged]], blocks[1][[*judged]])
            kinds = kinds if ignored is None else kinds & ~ignored.read(box)
            _into(np.add, errors, kinds.astype(np.int64), box, known.box)
    both = truth is not None and masks is not None
    return Reduced(None if truth is None else seen[0], None if masks is None else seen[1], errors if both else None)
