"""Windows hold the pixels of the image, and padding where it ends too early."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.probability.plan import WindowPlan
from pipeline.probability.window import evaluated_windows, read_windows
from tests.probability.eager import windows_of


def test_a_small_image_is_mirrored_below_and_to_the_right_without_repeating_the_last_pixel() -> None:
    image = np.array([[[1, 2, 3]]] * 3, np.uint8)
    plan = WindowPlan(1, 3, 7, 5, 8)
    ((_, tiles),) = read_windows(Raster.of(image), plan, plan.touching(Box(0, 0, 1, 3)))
    assert (tiles == np.uint8([1, 2, 3, 2, 1, 2, 3])).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 12), st.data())
def test_windows_read_block_by_block_are_those_of_the_whole_image(
    height: int, width: int, window: int, data: st.DataObject
) -> None:
    plan = WindowPlan(height, width, window, data.draw(st.integers(1, window)), 16, data.draw(st.integers(1, 4)))
    image = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (3, height, width), dtype=np.uint8)
    found = {}
    for block in plan.blocks:
        if windows := plan.windows(block):
            for batch, tiles in read_windows(Raster.of(image), plan, windows):
                found |= {(w.y, w.x): tile for w, tile in zip(batch, tiles, strict=True)}
    expected = windows_of(image, plan)
    assert len(found) == len(expected)
    for y, x, tile in expected:
        np.testing.assert_array_equal(found[y, x], tile)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 12), st.data())
def test_a_window_is_evaluated_where_it_holds_a_pixel_of_the_roi(
    height: int, width: int, window: int, data: st.DataObject
) -> None:
    plan = WindowPlan(height, width, window, data.draw(st.integers(1, window)), 16)
    roi = np.zeros((height, width), np.uint8)
    for _ in range(data.draw(st.integers(0, 3))):
        roi[data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))] = 1
    evaluated = evaluated_windows(Raster.of(roi), plan)
    for row, y in enumerate(plan.starts_y):
        for column, x in enumerate(plan.starts_x):
            assert evaluated[row, column] == roi[y : y + window, x : x + window].any()
