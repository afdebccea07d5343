"""Small slides for the tests of stain normalisation, and the way over one in any blocks."""

import itertools
from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.arrays.optical_density import Background
from pipeline.config import Stain
from pipeline.geometry import Box
from pipeline.normalized.stain.colour_table import (
    COLOURS,
    ColourTable,
    colour_table,
    count_colours,
    ordered_sample,
    sample_pixels,
)
from pipeline.normalized.stain.method import estimate
from pipeline.normalized.stain.record import Estimate
from pipeline.raw.phantom.histology import CENTRES, NOISE, Laboratory, compose, concentrations
from pipeline.seeds import stream

WHITE = (255.0, 255.0, 255.0)


def every_colour(step: int) -> NDArray[np.uint8]:
    """Colours ``(n, 3)`` spread over the whole cube, its corners included; ``step`` prime."""
    codes = np.append(np.arange(0, COLOURS, step), [COLOURS - 1, 255, 65280, 16711680])
    return np.stack([codes >> 16, codes >> 8, codes], axis=1).astype(np.uint8)


def phantom(number: int, *, size: int, centre: str, strength: float = 1.0) -> tuple[NDArray[np.uint8], Laboratory]:
    """A piece of tissue as a centre would show it, with camera noise; and the centre."""
    laboratory = CENTRES[centre]
    amounts = concentrations(number, size=size, seed=0) * np.float32(strength)
    noise = stream(0, "slides", number, centre).standard_normal((size, size, 3)) * NOISE
    return np.clip(np.rint(compose(amounts, laboratory) + noise), 0, 255).astype(np.uint8), laboratory


@st.composite
def partitions(draw: st.DrawFn, height: int, width: int) -> list[Box]:
    """Boxes that cover an image once, in any order."""
    rows = [0, *sorted(draw(st.sets(st.integers(1, height - 1), max_size=4))), height]
    columns = [0, *sorted(draw(st.sets(st.integers(1, width - 1), max_size=4))), width]
    boxes = [
        Box(top, left, bottom, right)
        for top, bottom in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]
    return draw(st.permutations(boxes))


def tissue(image: NDArray[np.uint8], background: Background) -> NDArray[np.bool_]:
    """Pixels that are clearly darker than glass."""
    return np.asarray(image[:, :, 1] < 0.93 * background[1])


def table_of(
    image: NDArray[np.uint8], include: NDArray[np.bool_] | None = None, boxes: Iterable[Box] | None = None
) -> ColourTable:
    """The colour table of an image that is gone through in boxes."""
    counts = np.zeros(COLOURS, np.int64)
    for box in boxes or [Box.of_shape(*image.shape[:2])]:
        count_colours(image[box.slices], None if include is None else include[box.slices], counts)
    return colour_table(counts)


def sample_of(
    image: NDArray[np.uint8],
    include: NDArray[np.bool_] | None = None,
    boxes: Iterable[Box] | None = None,
    *,
    share: float = 1.0,
) -> NDArray[np.uint8]:
    """The sample of an image that is gone through in boxes."""
    parts = [
        sample_pixels(image[box.slices], None if include is None else include[box.slices], box, share)
        for box in boxes or [Box.of_shape(*image.shape[:2])]
    ]
    return ordered_sample(parts)


def estimate_of(
    image: NDArray[np.uint8],
    settings: Stain,
    *,
    background: Background = WHITE,
    include: NDArray[np.bool_] | None = None,
    boxes: Iterable[Box] | None = None,
) -> Estimate:
    """The estimate of an image that is gone through in boxes."""
    boxes = list(boxes or [Box.of_shape(*image.shape[:2])])
    table = table_of(image, include, boxes)
    share = min(1.0, settings.sample / max(table.pixels, 1))
    return estimate(table, sample_of(image, include, boxes, share=share), background=background, settings=settings)
