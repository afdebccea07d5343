"""Real files go through `predict`: a photograph of several thousand pixels, and a slide read tile by tile."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from pipeline.predict.new_image import predict_new_image
from pipeline.predict.options import PredictOptions
from pipeline.stores import open_array, open_group
from pipeline.stores.documents import json_text
from tests.scenes.tiny_run import tiny_run

pytestmark = pytest.mark.data
FUNDUS = "idrid/A. Segmentation/1. Original Images/b. Testing Set/IDRiD_14.jpg"
SLIDE = "wsi/CMU-1-Small-Region.svs"


@pytest.mark.parametrize(
    ("world", "file", "size"), [("fundus", FUNDUS, (2848, 4288)), ("histology", SLIDE, (2967, 2220))]
)
def test_a_real_file_gets_maps_and_outlines_in_its_own_pixels(
    real_data: Path, tmp_path: Path, world: str, file: str, size: tuple[int, int]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_run(tmp_path, world).model(), model)
    card = json.loads((model / "card.json").read_text())
    card["normalisation"] |= {"rescale": {"factor": 0.25}}
    (model / "card.json").write_text(json_text(card))
    options = PredictOptions(
        threshold=0.4,
        original_grid="tiff",
        probability={"overlap": 0.25, "batch_size": 8, "storage": {"chunk": 64, "shard": 256}},
    )
    found = predict_new_image(real_data / file, model=model, out=tmp_path / "out", options=options)[0]
    maps = np.asarray(open_array(found.probability, "0")[:], np.float32)  # sums of float16 overflow
    assert maps.shape[1:] == tuple(round(side / 4) for side in size)
    assert np.isfinite(maps).all()
    assert maps.std() > 0
    mapping = dict(open_group(found.probability).attrs)["lesionmap"]["mapping"]
    assert (mapping["source_height"], mapping["source_width"]) == size
    masks = np.stack([tifffile.imread(path) for path in found.masks])
    assert masks.shape[1:] == size
    features = json.loads(found.outlines.read_text())["features"]
    area = sum(each["properties"]["measurements"]["area_source_px"] for each in features)
    assert area == pytest.approx(np.count_nonzero(masks), rel=0.01)
    corners = [point for each in features for ring in each["geometry"]["coordinates"][0] for point in np.ravel(ring)]
    assert not features or 0 <= min(corners) <= max(corners) <= max(size)
