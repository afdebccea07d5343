"""Windows cover every pixel, belong to one block each, and reach no further than the next block."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.probability.plan import Block, WindowPlan, stride_of


@st.composite
def plans(draw: st.DrawFn) -> WindowPlan:
    window = draw(st.integers(1, 24))
    block = draw(st.integers(window, 40))
    size = st.integers(1, 90)
    return WindowPlan(draw(size), draw(size), window, draw(st.integers(1, window)), block, draw(st.integers(1, 5)))


@settings(deadline=None, max_examples=50)
@given(plans())
def test_every_pixel_is_covered_and_every_window_inside_unless_the_image_is_smaller(plan: WindowPlan) -> None:
    covered = np.zeros((plan.height, plan.width), dtype=bool)
    for block in plan.blocks:
        for window in plan.windows(block):
            assert window.y + plan.window <= max(plan.height, plan.window)
            assert window.x + plan.window <= max(plan.width, plan.window)
            covered[window.y : window.y + plan.window, window.x : window.x + plan.window] = True
    assert covered.all()


@settings(deadline=None, max_examples=50)
@given(plans())
def test_every_window_belongs_to_the_one_block_in_which_it_starts(plan: WindowPlan) -> None:
    owners = Counter(window for block in plan.blocks for window in plan.windows(block))
    assert set(owners.values()) == {1}
    assert len(owners) == plan.grid[0] * plan.grid[1]
    for block in plan.blocks:
        for window in plan.windows(block):
            assert block == Block(window.y // plan.block, window.x // plan.block)


@settings(deadline=None, max_examples=50)
@given(plans())
def test_a_block_reaches_over_its_border_by_less_than_a_window_and_not_past_the_next_block(plan: WindowPlan) -> None:
    for block in plan.blocks:
        core, reach = plan.core(block), plan.reach(block)
        assert reach.contains(core)
        assert (reach.y0, reach.x0) == (core.y0, core.x0)
        assert reach.y1 - core.y1 < plan.window
        assert reach.x1 - core.x1 < plan.window
        assert max(reach.y1 - core.y1, reach.x1 - core.x1) <= plan.block


@settings(deadline=None, max_examples=50)
@given(plans())
def test_what_the_windows_own_covers_every_pixel_exactly_once(plan: WindowPlan) -> None:
    owners = np.zeros((plan.height, plan.width), dtype=int)
    for block in plan.blocks:
        for window in plan.windows(block):
            rows, columns = plan.owned(window)
            owners[window.y : window.y + rows, window.x : window.x + columns] += 1
    assert (owners == 1).all()


@settings(deadline=None, max_examples=50)
@given(plans(), st.data())
def test_the_windows_that_touch_a_box_are_those_that_share_a_pixel_with_it(
    plan: WindowPlan, data: st.DataObject
) -> None:
    block = data.draw(st.sampled_from(plan.blocks))
    core, side = plan.core(block), plan.window
    everyone = [window for each in plan.blocks for window in plan.windows(each)]
    touching = [
        w for w in everyone if w.y < core.y1 and core.y0 < w.y + side and w.x < core.x1 and core.x0 < w.x + side
    ]
    assert list(plan.touching(core)) == sorted(touching)


@settings(deadline=None, max_examples=50)
@given(plans())
def test_a_plan_can_be_walked_again_and_its_batches_hold_the_windows_in_order(plan: WindowPlan) -> None:
    for block in plan.blocks:
        windows = plan.windows(block)
        assert windows == plan.windows(block) == tuple(sorted(windows))
        batches = list(plan.batches(windows))
        assert tuple(window for batch in batches for window in batch) == windows
        assert all(len(batch) == plan.batch for batch in batches[:-1])


def test_the_windows_of_a_fundus_image_are_these() -> None:
    plan = WindowPlan(2848, 4288, 512, stride_of(512, overlap=0.25), 2048, 4)
    assert plan.starts_y == (0, 384, 768, 1152, 1536, 1920, 2304, 2336)
    assert plan.starts_x == (0, 384, 768, 1152, 1536, 1920, 2304, 2688, 3072, 3456, 3776)
    assert [len(plan.windows(block)) for block in plan.blocks] == [36, 30, 0, 12, 10, 0]


def test_a_shard_smaller_than_the_window_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"probability.*\n.*window 512, shard 256"):
        WindowPlan(1000, 1000, 512, 384, 256)


@pytest.mark.parametrize("stride", [0, 9])
def test_a_stride_that_leaves_gaps_is_refused(stride: int) -> None:
    with pytest.raises(GeometryError):
        WindowPlan(100, 100, 8, stride, 16)


def test_the_stride_is_never_zero() -> None:
    assert stride_of(8, overlap=0.99) == 1
