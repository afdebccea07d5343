"""A changed value changes its own line and no other; nothing that differs records the same lines."""

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.recorded import LONGEST, parameters, recorded_lines

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=60)
NAMES = st.text(alphabet="abc_", min_size=1, max_size=30)
TREES = st.dictionaries(
    NAMES,
    st.recursive(LEAVES, lambda each: st.lists(each, max_size=3) | st.dictionaries(NAMES, each, max_size=4)),
    max_size=6,
)


def text(tree):
    return json.dumps(tree, sort_keys=True)


@given(TREES, TREES, st.integers(1, 40))
def test_trees_that_differ_record_different_sets_of_lines(first, second, slots):
    one, other = (set(recorded_lines(each, slots=slots)) for each in (first, second))
    assert len(one) <= slots
    # Snakemake compares sets, so the order of keys must not matter only where every value has its line.
    if text(first) == text(second) and len(one) < slots:
        assert one == other
    if text(first) != text(second):
        assert one != other


@given(TREES, st.integers(1, 40))
def test_there_are_as_many_short_lines_as_slots(tree, slots):
    lines = recorded_lines(tree, slots=slots)
    assert len(lines) == slots
    assert max(map(len, lines)) <= LONGEST


@given(st.dictionaries(NAMES, st.integers(0, 9), min_size=2, max_size=8), st.data())
def test_a_changed_value_changes_one_line_and_two_that_swap_change_two(tree, data):
    name, other = data.draw(st.permutations(sorted(tree)))[:2]
    before = set(recorded_lines({"block": tree}, slots=40))
    after = set(recorded_lines({"block": {**tree, name: tree[name] + 1}}, slots=40))
    assert len(before - after) == len(after - before) == 1
    swapped = set(recorded_lines({"block": {**tree, name: tree[other], other: tree[name]}}, slots=40))
    assert len(before - swapped) == (2 if tree[name] != tree[other] else 0)


def test_a_long_line_keeps_the_end_of_its_name_and_a_short_value():
    (line,) = recorded_lines({"index": {"samplings": {"guided": {"background_share": 0.25}}}}, slots=1)
    assert line.startswith("…background_share: 0.25 ")


def test_what_the_script_reads_asks_for_the_inputs_and_the_lines_do_not():
    import inspect

    made = parameters(lambda wildcards: {"a": wildcards[0], "record": {"b": 1}}, code=lambda _: "12ab", slots=4)
    assert made["config"](("x",), None) == {"a": "x", "record": {"b": 1}}
    assert made["code"](("x",), None) == "12ab"
    for name, function in made.items():
        assert ("input" in inspect.signature(function).parameters) == (name in ("config", "code"))
    lines = [made[f"value_{slot}"](("x",)) for slot in range(4)]
    assert lines == ['code: "12ab"', 'a: "x"', "record.b: 1", "record.b: 1"]
    assert made["value_1"](("y",)) == 'a: "y"'
