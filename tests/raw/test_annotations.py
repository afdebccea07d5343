"""Polygons fill the pixels whose centres lie inside, holes left out, however the image is cut."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.config.manifest import ClassRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.annotations import Polygons, read_annotations
from pipeline.seeds import stream

HEIGHT, WIDTH = 40, 50
CLASSES = (ClassRecord(code="TU", name="Tumour"), ClassRecord(code="NE", name="Necrosis"))


def by_definition(rings, height=HEIGHT, width=WIDTH):
    """Even-odd rule, pixel by pixel: how many edges cross the ray from the centre to the left.

    Also where a centre lies so near an edge that rounding decides: there both answers are right.
    """
    inside, near = np.zeros((height, width), bool), np.zeros((height, width), bool)
    centres = np.arange(width) + 0.5
    for y in range(height):
        for ring in rings:
            for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
                if (y0 <= y + 0.5) != (y1 <= y + 0.5):
                    slope = (x1 - x0) / (y1 - y0)
                    crossing = x0 + (y + 0.5 - y0) * slope
                    inside[y] ^= crossing <= centres
                    near[y] |= np.abs(crossing - centres) <= 1e-9 * (1 + abs(slope))
    return inside, near


points = st.tuples(st.floats(-8, WIDTH + 8), st.floats(-8, HEIGHT + 8))
rings = st.lists(points, min_size=3, max_size=9)


def arrays(polygon):
    return [np.array(ring, float) for ring in polygon]


@example([[(0.0, 0.0), (0.0, 0.0), (36.835394159450736, 36.835394159450736)]])
@given(st.lists(rings, min_size=1, max_size=3))
def test_pixels_are_inside_by_the_even_odd_rule(polygon):
    found = Polygons.of_rings([arrays(polygon)]).read(Box.of_shape(HEIGHT, WIDTH))
    inside, near = by_definition(polygon)
    assert np.array_equal(found[~near], inside[~near])


def test_a_large_polygon_is_filled_as_another_library_fills_it():
    polygon2mask = pytest.importorskip("skimage.draw").polygon2mask
    rng = stream(0, "test", "annotations")
    angles = np.sort(rng.uniform(0, 2 * np.pi, 200))
    radii = rng.uniform(80, 190, 200)
    ring = np.stack([200 + radii * np.cos(angles), 200 + radii * np.sin(angles)], axis=1)
    found = Polygons.of_rings([[ring]]).read(Box.of_shape(400, 400))
    # Pixel centres lie at whole numbers there.
    expected = polygon2mask((400, 400), ring[:, ::-1] - 0.5)
    assert (found != expected).sum() <= 2
    assert found.sum() > 10_000


@given(
    st.lists(st.lists(rings, min_size=1, max_size=2), min_size=1, max_size=4), st.integers(1, 60), st.integers(1, 60)
)
def test_any_partition_gives_the_same_pixels(polygons, rows, columns):
    read = Polygons.of_rings([arrays(polygon) for polygon in polygons]).read
    whole = read(Box.of_shape(HEIGHT, WIDTH))
    for y0 in range(0, HEIGHT, rows):
        for x0 in range(0, WIDTH, columns):
            box = Box(y0, x0, min(y0 + rows, HEIGHT), min(x0 + columns, WIDTH))
            assert np.array_equal(read(box), whole[box.slices])


def square(y0, x0, y1, x1):
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]


def test_holes_are_empty_and_overlapping_polygons_are_united():
    outline, hole, other = (
        np.array(each, float) for each in (square(2, 2, 20, 20), square(5, 5, 10, 10), square(8, 8, 30, 30))
    )
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[2:20, 2:20] = True
    expected[5:10, 5:10] = False
    expected[8:30, 8:30] = True
    found = Polygons.of_rings([[outline, hole], [other]]).read(Box.of_shape(HEIGHT, WIDTH))
    assert np.array_equal(found, expected)


@given(st.floats(3.0, 37.0), st.floats(3.0, 47.0))
def test_two_polygons_that_share_an_edge_leave_no_gap_and_do_not_overlap(y, x):
    corners = [(0.0, 0.0), (50.0, 0.0), (50.0, 40.0), (0.0, 40.0)]
    fans = [np.array([(x, y), a, b]) for a, b in zip(corners, [*corners[1:], corners[0]], strict=True)]
    parts = [Polygons.of_rings([[fan]]).read(Box.of_shape(HEIGHT, WIDTH)).astype(int) for fan in fans]
    assert (sum(parts) == 1).all()


def feature(ring, **properties):
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}


def write(path, *features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def count(polygons):
    return int(polygons.read(Box.of_shape(HEIGHT, WIDTH)).sum())


@pytest.mark.parametrize(
    "properties",
    [
        {"classification": {"name": "tumour"}, "name": "x"},
        {"class": "TU"},
        {"name": "Tumour "},
        {"classification": "tu"},
    ],
)
def test_a_class_is_named_in_any_of_the_usual_ways(tmp_path, properties):
    found = read_annotations(write(tmp_path / "a.geojson", feature(square(0, 0, 5, 6), **properties)), classes=CLASSES)
    assert (count(found["TU"]), count(found["NE"])) == (30, 0)


def test_several_pieces_of_one_feature_count(tmp_path):
    geometry = {"type": "MultiPolygon", "coordinates": [[square(0, 0, 2, 2)], [square(5, 5, 8, 8), square(6, 6, 7, 7)]]}
    path = write(tmp_path / "a.geojson", {"type": "Feature", "geometry": geometry, "properties": {"class": "NE"}})
    assert count(read_annotations(path, classes=CLASSES)["NE"]) == 4 + 8


def test_where_there_is_one_class_a_feature_needs_none(tmp_path):
    path = write(
        tmp_path / "a.geojson", feature(square(0, 0, 5, 6)), {**feature(square(9, 9, 10, 10)), "properties": None}
    )
    assert count(read_annotations(path, classes=CLASSES[:1])["TU"]) == 31
    with pytest.raises(ImageRejected, match="no class"):
        read_annotations(path, classes=CLASSES)


def test_unknown_classes_are_all_named(tmp_path):
    path = write(
        tmp_path / "a.geojson", feature(square(0, 0, 5, 6), name="Stroma"), feature(square(0, 0, 1, 1), name="Fat")
    )
    with pytest.raises(ImageRejected, match=r"Fat, Stroma(.|\n)*tumour"):
        read_annotations(path, classes=CLASSES[:1])


def test_no_feature_means_no_lesion(tmp_path):
    assert count(read_annotations(write(tmp_path / "a.geojson"), classes=CLASSES)["TU"]) == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "{}",
        '{"type": "FeatureCollection"}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"}]}',
        json.dumps([{"geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {"class": "TU"}}]),
        json.dumps([feature([[0, 0], [1, "a"], [1, 1]], name="TU")]),
        json.dumps([feature([[0, 0], [1, float("nan")]], name="TU")]),
    ],
)
def test_what_is_no_such_file_is_rejected_and_named(tmp_path, text):
    (tmp_path / "bad.geojson").write_text(text)
    with pytest.raises(ImageRejected, match=r"bad\.geojson"):
        read_annotations(tmp_path / "bad.geojson", classes=CLASSES)
