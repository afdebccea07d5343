"""Polygons hold exactly the pixels that they were traced from."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.arrays.components import component_table, whole_components
from pipeline.arrays.raster import Raster
from pipeline.seeds import stream
from pipeline.segmentation.polygons import Polygon, trace, trace_components

Mask = NDArray[np.bool_]


def noise(height: int, width: int, *, density: float, seed: int) -> Mask:
    return stream(seed, "polygons").random((height, width)) < density


def shoelace(ring: NDArray[np.int64]) -> float:
    return 0.5 * float(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in pairwise(ring.tolist())))


def filled(rings: list[NDArray[np.int64]], shape: tuple[int, int]) -> NDArray[np.int64]:
    """How many rings enclose each pixel centre, by counting the vertical edges to its left."""
    crossings = np.zeros(shape, dtype=np.int64)
    for ring in rings:
        parity = np.zeros(shape, dtype=np.int64)
        for (x0, y0), (x1, y1) in pairwise(ring.tolist()):
            if x0 == x1:
                parity[min(y0, y1) : max(y0, y1), x0:] += 1
        crossings += parity % 2
    return crossings


def rasterised(polygon: Polygon, shape: tuple[int, int]) -> Mask:
    return np.asarray((filled([polygon.exterior], shape) == 1) & (filled(list(polygon.holes), shape) == 0))


def assert_ring(ring: NDArray[np.int64], *, positive: bool) -> None:
    assert (ring[0] == ring[-1]).all()
    assert (shoelace(ring) > 0) == positive
    vertices = [tuple(vertex) for vertex in ring[:-1].tolist()]
    assert len(set(vertices)) == len(vertices), "a ring touches itself"
    steps = np.diff(np.concatenate([ring, ring[1:2]]), axis=0)
    assert ((steps != 0).sum(axis=1) == 1).all(), "an edge is not along a row or column"
    assert ((steps[:-1] != 0) != (steps[1:] != 0)).all(), "three vertices lie on one line"


def assert_exact(mask: Mask, polygons: list[Polygon]) -> None:
    pieces, count = ndimage.label(mask)
    assert len(polygons) == count
    covered = np.zeros(mask.shape, dtype=np.int64)
    for polygon in polygons:
        assert_ring(polygon.exterior, positive=True)
        for hole in polygon.holes:
            assert_ring(hole, positive=False)
        raster = rasterised(polygon, mask.shape)
        assert raster.sum() == polygon.area == shoelace(polygon.exterior) + sum(map(shoelace, polygon.holes))
        assert len(np.unique(pieces[raster])) == 1
        covered += raster
    np.testing.assert_array_equal(covered, mask)


@settings(deadline=None, max_examples=50)
@given(height=st.integers(1, 12), width=st.integers(1, 12), density=st.floats(0.1, 1), seed=st.integers(0, 2**16))
def test_any_mask_is_covered_exactly_by_simple_rings(height: int, width: int, density: float, seed: int) -> None:
    mask = noise(height, width, density=density, seed=seed)
    assert_exact(mask, trace(mask))


@pytest.mark.parametrize("density", [0.3, 0.6, 0.8])
def test_larger_masks_are_covered_exactly(density: float) -> None:
    mask = noise(40, 50, density=density, seed=1)
    assert_exact(mask, trace(mask))


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    rows=st.integers(1, 15),
    density=st.floats(0.1, 1),
    seed=st.integers(0, 2**16),
)
def test_strips_of_any_height_give_the_polygons_of_each_whole_region(
    height: int, width: int, rows: int, density: float, seed: int
) -> None:
    mask = noise(height, width, density=density, seed=seed)
    traced = trace_components(Raster.of(mask), component_table(Raster.of(mask), rows=rows))
    labels, table = whole_components(mask)
    assert len(traced) == len(table)
    for number, polygons in enumerate(traced):
        expected = trace(labels == number)
        assert [p.exterior.tolist() for p in polygons] == [p.exterior.tolist() for p in expected]
        assert [[h.tolist() for h in p.holes] for p in polygons] == [[h.tolist() for h in p.holes] for p in expected]
        assert sum(polygon.area for polygon in polygons) == table.area[number]


def test_one_pixel_is_a_square_along_its_edges() -> None:
    (polygon,) = trace(np.array([[True]]), origin=(7, 4))
    assert polygon.exterior.tolist() == [[4, 7], [5, 7], [5, 8], [4, 8], [4, 7]]
    assert polygon.area == 1


def test_a_ring_of_pixels_has_one_hole() -> None:
    mask = np.ones((5, 6), dtype=bool)
    mask[2, 2:4] = False
    (polygon,) = trace(mask)
    assert len(polygon.exterior) == 5
    assert [len(hole) for hole in polygon.holes] == [5]
    assert polygon.area == 28


def test_an_island_in_a_hole_is_a_polygon_of_its_own() -> None:
    mask = np.ones((7, 7), dtype=bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    outer, island = trace(mask)
    assert (outer.area, len(outer.holes)) == (24, 1)
    assert (island.area, len(island.holes)) == (1, 0)


def test_pixels_joined_only_at_a_corner_are_two_polygons_of_one_region() -> None:
    mask = np.eye(2, dtype=bool)
    (polygons,) = trace_components(Raster.of(mask), component_table(Raster.of(mask), rows=1))
    assert [polygon.area for polygon in polygons] == [1, 1]


def test_a_hole_that_touches_the_outline_at_a_corner_is_cut_off_from_it() -> None:
    mask = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], dtype=bool)
    (polygon,) = trace(mask)
    assert polygon.area == 7
    assert [hole.tolist() for hole in polygon.holes] == [[[2, 2], [2, 1], [1, 1], [1, 2], [2, 2]]]


def test_holes_that_touch_each_other_at_a_corner_are_two() -> None:
    mask = np.ones((4, 4), dtype=bool)
    mask[[1, 2], [1, 2]] = False
    (polygon,) = trace(mask)
    assert [len(hole) for hole in polygon.holes] == [5, 5]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (4, 5)])
def test_nothing_has_no_polygon(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, dtype=bool)
    assert trace(mask) == []
    assert trace_components(Raster.of(mask), component_table(Raster.of(mask))) == []
