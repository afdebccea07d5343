"""Outlines of the truth of an image are that truth again, when they come back as a correction."""

import json

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.config.manifest import ClassRecord
from pipeline.geometry import Box
from pipeline.raw.annotations import read_annotations
from pipeline.stores import open_array
from pipeline.stores.image_store import image_notes


@pytest.mark.parametrize("world", ["fundus", "histology"])
def test_outlines_read_again_give_the_truth(finished_run, tmp_path, capsys, world):
    run = finished_run(world)
    store, path = run.store("tiny_0"), tmp_path / "a.geojson"
    assert main(["export", str(store), "--format", "geojson", "--out", str(path)]) == 0
    truth, mapping = np.asarray(open_array(store, "truth")[:]), image_notes(store)["mapping"]
    features = json.loads(path.read_text())["features"]
    # One form in all files: as the outlines of a segmentation name classes.
    kinds = {each.name: {"name": each.name, "color": list(each.rgb)} for each in run.record.classes}
    outlined = json.loads(run.regions("tiny_3", "gaussian", ".geojson").read_text())["features"]
    assert all(each["properties"]["classification"] in kinds.values() for each in [*features, *outlined])
    # On the grid of the store, so that rescaling does not blur the comparison.
    for ring in (ring for each in features for ring in _rings(each["geometry"])):
        for point in ring:
            point[:] = [round(point[0] * mapping["factor_x"]), round(point[1] * mapping["factor_y"])]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    classes = [ClassRecord(code=code, name=f"class {code}") for code in run.record.codes]
    found = read_annotations(path, classes=classes, size=truth.shape[1:], correction=True)
    box = Box.of_shape(*truth.shape[1:])
    for at, code in enumerate(run.record.codes):
        assert np.array_equal(found.read(code, box), truth[at].astype(bool))
    assert truth.any()
    said = capsys.readouterr().out
    assert "truth in pixels of the original" in said
    assert ("become that coarse" in said) == (mapping["factor_y"] < 1)


def _rings(geometry):
    several = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    return [ring for polygon in several for ring in polygon]
