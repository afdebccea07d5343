"""Halo exchange: all that windows reach beyond a block goes to exactly one neighbour, which expects it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.probability.fusion.halo import halo_box, received_halos, sent_halos
from pipeline.probability.plan import WindowPlan


@st.composite
def plans(draw: st.DrawFn) -> WindowPlan:
    window = draw(st.integers(1, 12))
    stride, block = draw(st.integers(1, window)), draw(st.integers(window, 20))
    return WindowPlan(draw(st.integers(1, 60)), draw(st.integers(1, 60)), window, stride, block)


@settings(deadline=None, max_examples=60)
@given(plans())
def test_the_halos_of_a_block_are_its_reach_without_its_core_and_lie_in_their_receivers(plan: WindowPlan) -> None:
    for block in plan.blocks:
        times = np.zeros((plan.height, plan.width), int)
        for side, receiver in sent_halos(plan, block, evaluated=plan.all_evaluated()):
            box = halo_box(plan, block, side)
            assert plan.core(receiver).contains(box)
            assert (box.y0, box.x0) == (plan.core(receiver).y0, plan.core(receiver).x0)
            times[box.slices] += 1
        expected = np.zeros_like(times)
        if plan.windows(block):
            expected[plan.reach(block).slices] = 1
            expected[plan.core(block).slices] = 0
        assert np.array_equal(times, expected)


@settings(deadline=None, max_examples=60)
@given(plans(), st.data())
def test_every_sent_halo_is_received_and_none_where_all_windows_are_skipped(
    plan: WindowPlan, data: st.DataObject
) -> None:
    flags = data.draw(st.lists(st.booleans(), min_size=int(np.prod(plan.grid)), max_size=int(np.prod(plan.grid))))
    evaluated = np.array(flags).reshape(plan.grid)
    sent = {(block, *each) for block in plan.blocks for each in sent_halos(plan, block, evaluated=evaluated)}
    received = {
        (source, side, block)
        for block in plan.blocks
        for side, source in received_halos(plan, block, evaluated=evaluated)
    }
    assert sent == received
    for block, _, _ in sent:
        assert any(evaluated[each.row, each.column] for each in plan.windows(block))
