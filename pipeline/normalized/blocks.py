"""Work blocks of an image: the boxes that are processed and written, some of them at a time."""

from pipeline.config import NormalizedConfig
from pipeline.geometry import Box

__all__ = ["work_blocks"]


def work_blocks(height: int, width: int, *, config: NormalizedConfig) -> list[Box]:
    """Work blocks of at most ``strip_rows`` × ``strip_columns`` pixels, cut along shard borders, row by row.

    An image that is no wider than ``strip_columns`` is cut into full-width strips, which lose least to halos.
    """
    rows, columns = config.strip_rows, config.strip_columns
    return [
        Box(y0, x0, min(y0 + rows, height), min(x0 + columns, width))
        for y0 in range(0, height, rows)
        for x0 in range(0, width, columns)
    ]
