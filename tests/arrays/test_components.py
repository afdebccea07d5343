"""Components found strip by strip are those of the whole image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.arrays.components import ComponentTable, component_table, relabel, select, whole_components
from pipeline.arrays.raster import Raster
from pipeline.errors import GeometryError
from pipeline.geometry import Box
from pipeline.seeds import stream

Mask = NDArray[np.bool_]
STRUCTURE = {4: ndimage.generate_binary_structure(2, 1), 8: ndimage.generate_binary_structure(2, 2)}
COLUMNS = ("area", "y0", "x0", "y1", "x1", "first_y", "first_x", "cy", "cx")


def striped(mask: Mask, *, rows: int, connectivity: int = 8) -> tuple[NDArray[np.int32], ComponentTable]:
    table = component_table(Raster.of(mask), rows=rows, connectivity=connectivity)
    parts = [relabel(table, index, mask[box.slices]) for index, box in enumerate(table.boxes)]
    return np.concatenate([np.zeros((0, mask.shape[1]), np.int32), *parts]), table


def reference(mask: Mask, *, connectivity: int) -> tuple[NDArray[np.int32], dict[str, list[float]]]:
    """Labels (−1 outside) in raster order of first pixels, and the table, from SciPy on the whole mask."""
    labels, count = ndimage.label(mask, STRUCTURE[connectivity])
    order = [int(label) for label in dict.fromkeys(labels[mask].tolist())]
    ordered = np.full(mask.shape, -1, dtype=np.int32)
    columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
    assert len(order) == count
    for number, label in enumerate(order):
        y, x = np.nonzero(labels == label)
        ordered[y, x] = number
        values = (len(y), y.min(), x.min(), y.max() + 1, x.max() + 1, y[0], x[0], y.sum() / len(y), x.sum() / len(x))
        for name, value in zip(COLUMNS, values, strict=True):
            columns[name].append(value)
    return ordered, columns


def spiral(size: int) -> Mask:
    """One component, one pixel wide, that winds through every strip many times."""
    mask = np.zeros((size, size), dtype=bool)
    y, x, dy, dx = 0, 0, 0, 1
    mask[y, x] = True
    for length in [size - 1, *(n for n in range(size - 1, 1, -2) for _ in range(2))]:
        for _ in range(length):
            y, x = y + dy, x + dx
            mask[y, x] = True
        dy, dx = dx, -dy
    return mask


def comb(height: int, teeth: int) -> Mask:
    """Teeth that only the last row joins."""
    mask = np.zeros((height, 2 * teeth - 1), dtype=bool)
    mask[:, ::2] = True
    mask[-1] = True
    return mask


def assert_same(mask: Mask, *, rows: int, connectivity: int) -> None:
    labels, table = striped(mask, rows=rows, connectivity=connectivity)
    expected_labels, expected = reference(mask, connectivity=connectivity)
    np.testing.assert_array_equal(labels, expected_labels)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(table, name), expected[name], err_msg=name)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 0.5, 0.7, 0.98, 1.0])
def test_random_masks_have_the_components_that_scipy_finds(density: float, connectivity: int) -> None:
    mask = stream(3, "mask").random((37, 41)) < density
    for rows in (1, 2, 7, 36, 37, 100):
        assert_same(mask, rows=rows, connectivity=connectivity)


@pytest.mark.parametrize("shape", [spiral(25), comb(19, 8), comb(19, 8)[::-1], comb(19, 8).T, np.eye(12, dtype=bool)])
@pytest.mark.parametrize("connectivity", [4, 8])
def test_winding_shapes_are_joined_across_strips(shape: Mask, connectivity: int) -> None:
    for rows in (1, 3, 5, 11):
        assert_same(np.ascontiguousarray(shape), rows=rows, connectivity=connectivity)


@settings(deadline=None, max_examples=50)
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    rows=st.integers(1, 15),
    density=st.floats(0, 1),
    seed=st.integers(0, 2**16),
    connectivity=st.sampled_from([4, 8]),
)
def test_the_height_of_a_strip_changes_nothing(
    height: int, width: int, rows: int, density: float, seed: int, connectivity: int
) -> None:
    mask = stream(seed, "mask").random((height, width)) < density
    whole_labels, whole = whole_components(mask, connectivity=connectivity)
    labels, table = striped(mask, rows=rows, connectivity=connectivity)
    np.testing.assert_array_equal(labels, whole_labels)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(table, name), getattr(whole, name), err_msg=name)
        assert getattr(table, name).dtype == getattr(whole, name).dtype


def test_diagonal_neighbours_across_a_strip_border_are_one_object_but_two_backgrounds() -> None:
    mask = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=bool)
    assert len(striped(mask, rows=1, connectivity=8)[1]) == 1
    assert len(striped(mask, rows=1, connectivity=4)[1]) == 3


def test_neighbours_at_the_ends_of_successive_rows_do_not_touch() -> None:
    mask = np.array([[0, 0, 1], [1, 0, 0]], dtype=bool)
    assert len(whole_components(mask)[1]) == 2
    assert len(striped(mask, rows=1)[1]) == 2


@pytest.mark.parametrize("shape", [(0, 0), (0, 5), (5, 0), (1, 1)])
def test_masks_without_pixels_inside_have_no_component(shape: tuple[int, int]) -> None:
    labels, table = whole_components(np.zeros(shape, dtype=bool))
    assert len(table) == 0
    assert labels.shape == shape
    assert (labels == -1).all()


def test_sums_of_a_large_component_are_exact() -> None:
    height, width = 3, 4_000_000
    ones = Raster((height, width), lambda box: np.ones((box.height, box.width), dtype=bool))
    table = component_table(ones, rows=2)
    assert table.area.tolist() == [height * width]
    assert table.cx.tolist() == [(width - 1) / 2]
    assert table.cy.tolist() == [1.0]


def test_each_strip_is_read_once_from_the_top() -> None:
    mask = np.ones((10, 4), dtype=np.uint8) * 255
    boxes: list[Box] = []

    def read(box: Box) -> NDArray[np.uint8]:
        boxes.append(box)
        return mask[box.slices]

    table = component_table(Raster((10, 4), read), rows=4)
    assert boxes == [Box(0, 0, 4, 4), Box(4, 0, 8, 4), Box(8, 0, 10, 4)] == list(table.boxes)
    assert table.box(0) == Box(0, 0, 10, 4)


def test_select_keeps_exactly_the_flagged_components() -> None:
    mask = stream(5, "mask").random((30, 30)) < 0.4
    labels, table = striped(mask, rows=7)
    keep = np.arange(len(table)) % 3 == 0
    parts = [select(table, i, mask[box.slices], keep=keep) for i, box in enumerate(table.boxes)]
    np.testing.assert_array_equal(np.concatenate(parts), np.isin(labels, np.flatnonzero(keep)))


def test_columns_hold_one_value_for_each_component() -> None:
    _, table = whole_components(np.eye(4, dtype=bool), connectivity=4)
    assert tuple(table.columns()) == COLUMNS
    assert {len(values) for values in table.columns().values()} == {4}


def test_components_at_the_border_are_told_from_those_inside() -> None:
    mask = np.zeros((7, 9), dtype=bool)
    mask[[0, 2, 3, 4, 6], [4, 0, 4, 8, 2]] = True
    _, table = whole_components(mask)
    assert table.touches_border(7, 9).tolist() == [True, True, False, True, True]


def test_a_mask_that_changed_between_the_passes_is_refused() -> None:
    mask = np.eye(6, dtype=bool)
    table = component_table(Raster.of(mask), rows=3)
    with pytest.raises(GeometryError, match="changed since"):
        relabel(table, 0, np.array(mask[:3] * [1, 0, 1, 1, 1, 1], dtype=bool))


def test_a_strip_of_another_shape_is_refused() -> None:
    with pytest.raises(GeometryError, match="another shape"):
        component_table(Raster((6, 6), lambda box: np.zeros((1, 1), dtype=bool)))


@pytest.mark.parametrize(("rows", "connectivity"), [(0, 8), (4, 6)])
def test_impossible_parameters_are_refused(rows: int, connectivity: int) -> None:
    with pytest.raises(GeometryError, match="connectivity 4 or 8"):
        component_table(Raster.of(np.eye(3, dtype=bool)), rows=rows, connectivity=connectivity)
