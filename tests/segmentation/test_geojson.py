"""Features are what QuPath reads, strict JSON, in pixels of the original image."""

import json
from typing import SupportsFloat

import numpy as np
from numpy.typing import NDArray

from pipeline.segmentation.geojson import feature, feature_collection
from pipeline.segmentation.polygons import trace

Mask = NDArray[np.bool_]


def described(mask: Mask, **scale: float) -> dict[str, object]:
    properties: dict[str, SupportsFloat | str] = {
        "area": np.int64(3),
        "cy": np.float64(0.5),
        "dice": float("nan"),
        "image_id": "A_01",
    }
    return feature(
        trace(mask), class_code="MA", name="Microaneurysm", colour=(255, 0, 0), properties=properties, **scale
    )


def test_a_feature_has_the_members_that_qupath_reads_and_is_strict_json() -> None:
    document = feature_collection([described(np.ones((1, 3), dtype=bool))])
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [3, 0], [3, 1], [0, 1], [0, 0]]]},
                "properties": {
                    "objectType": "annotation",
                    "classification": {"name": "Microaneurysm", "color": [255, 0, 0]},
                    "measurements": {"area": 3, "cy": 0.5},
                    "metadata": {"class_code": "MA", "image_id": "A_01"},
                },
            }
        ],
    }


def test_coordinates_are_scaled_to_the_original_image() -> None:
    document = json.loads(json.dumps(described(np.ones((1, 3), dtype=bool), scale_y=4.0, scale_x=1.3)))
    assert document["geometry"]["coordinates"] == [[[0, 0], [3.9, 0], [3.9, 4], [0, 4], [0, 0]]]


def test_coordinates_count_from_the_origin() -> None:
    polygons = trace(np.ones((1, 3), dtype=bool))
    found = [
        feature(polygons, class_code="MA", name="M", colour=(0, 0, 0), properties={}, origin=(7, 2), **scale)
        for scale in ({}, {"scale_y": 4.0, "scale_x": 1.3})
    ]
    corners = [json.loads(json.dumps(each))["geometry"]["coordinates"] for each in found]
    assert corners[0] == [[[-2, -7], [1, -7], [1, -6], [-2, -6], [-2, -7]]]
    assert corners[1] == [[[-2, -7], [1.9, -7], [1.9, -3], [-2, -3], [-2, -7]]]


def test_several_polygons_become_a_multipolygon() -> None:
    document = json.loads(json.dumps(described(np.eye(2, dtype=bool))))
    assert document["geometry"]["type"] == "MultiPolygon"
    assert [len(polygon) for polygon in document["geometry"]["coordinates"]] == [1, 1]
