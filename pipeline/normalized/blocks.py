"""In which blocks is an image gone through, some of them at a time? Dask runs them; what they give does not depend on it."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import dask
from dask.delayed import delayed

from pipeline.config import NormalizedConfig
from pipeline.geometry import Box

__all__ = ["each_block", "work_blocks"]

T = TypeVar("T")


def work_blocks(height: int, width: int, *, config: NormalizedConfig) -> list[Box]:
    """Boxes of at most ``strip_rows`` × ``strip_columns`` pixels that begin and end on shard borders, row by row.

    An image that is no wider than ``strip_columns`` is cut into full-width strips, which lose least to halos.
    """
    rows, columns = config.strip_rows, config.strip_columns
    return [
        Box(y0, x0, min(y0 + rows, height), min(x0 + columns, width))
        for y0 in range(0, height, rows)
        for x0 in range(0, width, columns)
    ]


def each_block(work: Callable[[Box], T], boxes: Iterable[Box], *, workers: int) -> list[T]:
    """Call a function for each box, ``workers`` at a time; the answers come in the order of the boxes."""
    if workers == 1:
        return [work(box) for box in boxes]
    tasks = [delayed(work, pure=False, traverse=False)(box) for box in boxes]
    return list(dask.compute(*tasks, scheduler="threads", num_workers=workers))
