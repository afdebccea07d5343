"""Work blocks of an image: the boxes in which it is processed and written, a few at a time."""

from pipeline.config import NormalizedConfig
from pipeline.geometry import Box, aligned_boxes

__all__ = ["work_blocks"]


def work_blocks(height: int, width: int, *, config: NormalizedConfig) -> list[Box]:
    """Work blocks of at most ``strip_rows`` × ``strip_columns`` pixels, cut along shard borders, row by row.

    An image no wider than ``strip_columns`` is cut into full-width strips, which need the least halo.
    """
    return list(aligned_boxes(height, width, config.strip_rows, config.strip_columns))
