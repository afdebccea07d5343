"""Polygons fill the pixels whose centres lie inside, holes left out, however the image is cut."""

import contextlib
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
    (outline, near), (holes, near_holes) = by_definition(polygon[:1]), by_definition(polygon[1:])
    inside, near = outline & ~holes, near | near_holes
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


def test_a_hole_beyond_its_outline_adds_nothing():
    rings = [np.array(each, float) for each in (square(2, 2, 20, 20), square(25, 25, 30, 30), square(15, 15, 24, 24))]
    found = Polygons.of_rings([rings]).read(Box.of_shape(HEIGHT, WIDTH))
    assert np.count_nonzero(found) == 18 * 18 - 5 * 5
    assert not found[20:].any()


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


def read(path, classes=CLASSES, **options):
    return read_annotations(path, classes=classes, size=(HEIGHT, WIDTH), **options)


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
    found = read(write(tmp_path / "a.geojson", feature(square(0, 0, 5, 6), **properties))).polygons
    assert (count(found["TU"]), count(found["NE"])) == (30, 0)


def test_several_pieces_of_one_feature_count(tmp_path):
    geometry = {"type": "MultiPolygon", "coordinates": [[square(0, 0, 2, 2)], [square(5, 5, 8, 8), square(6, 6, 7, 7)]]}
    path = write(tmp_path / "a.geojson", {"type": "Feature", "geometry": geometry, "properties": {"class": "NE"}})
    assert count(read(path).polygons["NE"]) == 4 + 8


FRAME = square(0, 20, 40, 50)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"name": "scan area"},
        {"classification": None},
        {"classification": {}},
        {"objectType": "tmaCore", "name": "A-1"},
        {"objectType": "cell"},
        {"classification": "Stroma"},
        {"classification": {"name": "Stroma: Tumour", "colorRGB": -1}},
        {"classification": {"names": ["Stroma", "Tumour"], "color": [0, 1, 2]}},
    ],
)
def test_a_feature_of_no_class_or_another_is_never_the_only_class(tmp_path, properties):
    own, frame = feature(square(0, 0, 5, 6), classification={"name": "Tumour"}), feature(FRAME, **properties)
    found = read(write(tmp_path / "a.geojson", own, frame), CLASSES[:1])
    assert count(found.polygons["TU"]) == 30
    assert sum(found.notes["other"].values()) == 1
    with pytest.raises(ImageRejected, match="unclassified"):
        read(write(tmp_path / "a.geojson", frame), CLASSES[:1])


@pytest.mark.parametrize(("properties", "expected"), [({}, 30), ({"name": "x"}, 30), ({"classification": "Fat"}, 0)])
def test_features_without_classification_are_of_the_class_that_the_manifest_says(tmp_path, properties, expected):
    path = write(tmp_path / "a.geojson", feature(square(0, 0, 5, 6), **properties), feature(FRAME, **{"class": "TU"}))
    found = read(path, unclassified="NE").polygons
    assert (count(found["NE"]), count(found["TU"])) == (expected, 1200)


def test_a_core_of_a_microarray_is_no_lesion_even_where_features_need_no_class(tmp_path):
    path = write(tmp_path / "a.geojson", feature(square(0, 0, 5, 6)), feature(FRAME, objectType="tmaCore"))
    assert count(read(path, CLASSES[:1], unclassified="TU").polygons["TU"]) == 30


@pytest.mark.parametrize(
    "classification",
    [
        {"names": ["Tumour", "Positive"]},
        {"name": "Tumour: Positive", "colorRGB": -377282},
        {"name": None, "names": ["tumour"]},
        "Tumour: Positive",
        ["Tumour", "Positive"],
    ],
)
def test_a_class_of_several_parts_is_its_first_unless_the_whole_is_a_class(tmp_path, classification):
    path = write(tmp_path / "a.geojson", feature(square(0, 0, 5, 6), classification=classification))
    assert count(read(path).polygons["TU"]) == 30
    finer = [*CLASSES, ClassRecord(code="TP", name="Tumour: Positive")]
    found = read(path, finer).polygons
    whole = classification != {"name": None, "names": ["tumour"]}
    assert (count(found["TP"]), count(found["TU"])) == ((30, 0) if whole else (0, 30))


def test_unknown_classes_are_all_named(tmp_path):
    path = write(
        tmp_path / "a.geojson", feature(square(0, 0, 5, 6), name="Stroma"), feature(square(0, 0, 1, 1), name="Fat")
    )
    with pytest.raises(ImageRejected, match=r"Fat, Stroma(.|\n)*TU \(Tumour\)"):
        read(path, CLASSES[:1])


def test_no_feature_means_no_lesion(tmp_path):
    assert count(read(write(tmp_path / "a.geojson")).polygons["TU"]) == 0


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


NO_AREAS = [
    (None, "null"),
    ({"type": "Point", "coordinates": [1, 2]}, "Point"),
    ({"type": "LineString", "coordinates": [[0, 0], [9, 9]]}, "LineString"),
    ({"type": "MultiPoint", "coordinates": [[0, 0]]}, "MultiPoint"),
    (polygon(), "empty"),
    (polygon([]), "empty"),
    (polygon([[2, 2], [2, 2], [2, 2]]), "flat"),
    (polygon([[0, 0], [3, 9], [6, 18], [0, 0]]), "flat"),
    ({"type": "MultiPolygon", "coordinates": []}, "empty"),
    ({"type": "GeometryCollection", "geometries": []}, "empty"),
]


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize(("geometry", "what"), NO_AREAS)
def test_what_is_no_area_is_passed_over_and_counted(tmp_path, geometry, what, within):
    area = polygon(square(0, 0, 5, 6))
    collection = {"type": "GeometryCollection", "geometries": [geometry, {**area}]}
    both = [{"type": "GeometryCollection", "geometries": [collection]}] if within else [area, geometry]
    features = [{"type": "Feature", "geometry": each, "properties": {"class": "TU"}} for each in both]
    found = read(write(tmp_path / "a.geojson", *features))
    assert count(found.polygons["TU"]) == 30
    assert found.notes["no_area"] == {what: 1}
    assert found.notes["used"] == {"TU": {"TU": 1}, "NE": {}}


def test_polygons_that_all_lie_outside_are_refused_and_some_are_counted(tmp_path):
    beyond = feature(square(HEIGHT, 0, HEIGHT + 9, 9), name="TU")
    found = read(write(tmp_path / "a.geojson", beyond, feature(square(0, 0, 5, 6), name="TU")))
    assert (found.notes["outside"], count(found.polygons["TU"])) == (1, 30)
    with pytest.raises(ImageRejected, match="outside"):
        read(write(tmp_path / "a.geojson", beyond))


def test_polygons_of_which_most_lies_outside_are_counted(tmp_path):
    within, across = feature(square(-5, 0, 6, 6), name="TU"), feature(square(-30, 0, 6, 6), name="TU")
    found = read(write(tmp_path / "a.geojson", within, across))
    assert (found.notes["outside"], found.notes["mostly_outside"], count(found.polygons["TU"])) == (0, 1, 36)


@pytest.mark.parametrize(
    "coordinates",
    [
        "[[[0, 0], [1, null], [1, 1]]]",
        "[[[0, 0], null, [1, 1]]]",
        "[[[0, 0], [1, 1e999], [1, 1]]]",
        f"[[[0, 0], [1, {'9' * 400}], [1, 1]]]",
        f"[[[0, 0], [1, {'9' * 5000}], [1, 1]]]",
        "[[[0, 0], [1, 1e300], [1, 1]]]",
        "[[[0, 0], [1, NaN], [1, 1]]]",
        '[[[0, 0], ["1", "2"], [1, 1]]]',
        "[[[0, 0], [true, 2], [1, 1]]]",
        "[[0, 0], [1, 2], [1, 1]]",
        "[[[[0, 0], [1, 2], [1, 1]]]]",
        "[[[0], [1], [2]]]",
        "[0, 0]",
        "null",
        "{}",
    ],
)
def test_coordinates_that_no_picture_holds_refuse_the_image_with_the_number_of_the_feature(tmp_path, coordinates):
    good = json.dumps(feature(square(0, 0, 5, 6), name="TU"))
    bad = f'{{"type": "Feature", "properties": null, "geometry": {{"type": "Polygon", "coordinates": {coordinates}}}}}'
    (tmp_path / "a.geojson").write_text(f"[{good}, {bad}]")
    with pytest.raises(ImageRejected, match="feature 2"):
        read(tmp_path / "a.geojson")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["TU", "Polygon", "", "Fat: x"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "coordinates", "geometries", "classification", "names", "name", "class", "objectType"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
geometries = st.one_of(
    anything,
    st.builds(
        lambda kind, key, value: {"type": kind, key: value},
        st.sampled_from(["Polygon", "MultiPolygon", "GeometryCollection", "Point", "LineString"]),
        st.sampled_from(["coordinates", "geometries"]),
        st.one_of(anything, st.lists(st.lists(st.lists(st.floats() | st.integers(), min_size=1, max_size=3)))),
    ),
)
documents = st.lists(st.one_of(anything, st.fixed_dictionaries({"geometry": geometries, "properties": anything})))


@given(documents, st.sampled_from([None, "TU"]))
def test_any_document_is_read_or_rejected(tmp_path_factory, document, unclassified):
    path = tmp_path_factory.getbasetemp() / "any.geojson"
    path.write_text(json.dumps(document))
    try:
        found = read(path, unclassified=unclassified)
    except ImageRejected:
        return
    assert json.dumps(found.notes, allow_nan=False)
    assert all(count(each) <= HEIGHT * WIDTH for each in found.polygons.values())


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_rejected(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "bytes.geojson"
    path.write_bytes(content)
    with contextlib.suppress(ImageRejected):
        read(path)


def test_nesting_without_end_is_rejected(tmp_path):
    (tmp_path / "a.geojson").write_text("[" * 100_000)
    with pytest.raises(ImageRejected):
        read(tmp_path / "a.geojson")
    deep = '{"type": "GeometryCollection", "geometries": [' * 400 + "]}" * 400
    (tmp_path / "a.geojson").write_text(f'[{{"geometry": {deep}, "properties": null}}]')
    with contextlib.suppress(ImageRejected):
        read(tmp_path / "a.geojson")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[1]",
        "{}",
        '{"type": "FeatureCollection"}',
        '{"type": "FeatureCollection", "features": [{"type": "Feature"}]}',
        json.dumps([{"geometry": {"type": "Circle", "coordinates": [1, 2]}, "properties": {"class": "TU"}}]),
        json.dumps([feature([[0, 0], [1, "a"], [1, 1]], name="TU")]),
        json.dumps([feature([[0, 0], [1, float("nan")]], name="TU")]),
    ],
)
def test_what_is_no_such_file_is_rejected_and_named(tmp_path, text):
    (tmp_path / "bad.geojson").write_text(text)
    with pytest.raises(ImageRejected, match=r"bad\.geojson"):
        read(tmp_path / "bad.geojson")


@given(st.integers(-9, 9), st.integers(-9, 9))
def test_polygons_count_from_the_origin(tmp_path_factory, y, x):
    path = write(
        tmp_path_factory.getbasetemp() / "o.geojson", feature(square(10 - y, 12 - x, 20 - y, 25 - x), name="TU")
    )
    found = read(path, origin=(y, x))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[10:20, 12:25] = True
    assert np.array_equal(found.polygons["TU"].read(Box.of_shape(HEIGHT, WIDTH)), expected)
    assert found.notes["origin"] == {"y": y, "x": x}
