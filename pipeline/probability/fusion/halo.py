"""Halo exchange between blocks: sums of a block's windows beyond its border belong to its neighbours.

A window that starts in a block may end in the next, so the sums of a block have a halo on three sides: to the right,
below, and at the corner. The sums on each side go to exactly one block, the next one in that direction, which adds them
to its own. Sent halos are stored in files (``journal``), so memory does not grow with the width of the image.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.plan import Block, WindowPlan

__all__ = ["Side", "halo_box", "received_halos", "sent_halos"]

Side = Literal["right", "below", "corner"]

SIDES: tuple[Side, ...] = ("right", "below", "corner")
"""The fixed order in which a block adds its received halos: from the left, from above, from above left."""

_STEP: dict[Side, tuple[int, int]] = {"right": (0, 1), "below": (1, 0), "corner": (1, 1)}


def halo_box(plan: WindowPlan, block: Block, side: Side) -> Box:
    """Pixels of the halo of a block on one side; an empty box if its windows stay inside its core."""
    core, reach = plan.core(block), plan.reach(block)
    y = (core.y1, reach.y1) if side != "right" else (core.y0, core.y1)
    x = (core.x1, reach.x1) if side != "below" else (core.x0, core.x1)
    return Box(y[0], x[0], y[1], x[1])


def sent_halos(plan: WindowPlan, block: Block, *, evaluated: NDArray[np.bool_]) -> Iterator[tuple[Side, Block]]:
    """Sides on which a block has a halo, and the receivers; none if all windows of the block are skipped."""
    if any(evaluated[window.row, window.column] for window in plan.windows(block)):
        for side in SIDES:
            if halo_box(plan, block, side).area:
                dy, dx = _STEP[side]
                yield side, Block(block.row + dy, block.column + dx)


def received_halos(plan: WindowPlan, block: Block, *, evaluated: NDArray[np.bool_]) -> Iterator[tuple[Side, Block]]:
    """Halos that a block receives, and their senders, in the order of addition."""
    for side in SIDES:
        dy, dx = _STEP[side]
        source = Block(block.row - dy, block.column - dx)
        if source.row >= 0 and source.column >= 0 and (side, block) in sent_halos(plan, source, evaluated=evaluated):
            yield side, source
