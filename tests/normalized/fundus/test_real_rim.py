"""The rim of real fields of view is neither brighter nor more saturated than the inside, with the default chain."""

import cv2
import numpy as np
import pytest

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import load_manifest
from pipeline.geometry import Box
from pipeline.normalized.fundus.chain import block_chain
from pipeline.normalized.opened import open_view
from pipeline.normalized.region import Region
from pipeline.normalized.roi import field_of_view
from pipeline.raw.datasets.listing import list_images
from tests.workflow.project import PROJECT

pytestmark = pytest.mark.data
RIM = 80


@pytest.mark.parametrize("at", range(12))
def test_no_ring_lies_along_the_rim_of_a_real_field_of_view(real_data, at):
    record = load_manifest(PROJECT / "datasets_manifest.yaml").datasets["idrid"]
    entry = list_images(record, dataset="idrid", root=real_data / "idrid")[at]
    with open_view(entry, record=record, config=NormalizedConfig(), workers=1) as opened:
        box = Box.of_shape(opened.height, opened.width)
        region = Region.found(field_of_view, opened.thumbnail(), height=opened.height, width=opened.width)
        pixels = block_chain(opened.view.raster, region=region, config=NormalizedConfig()).read(box)
        inside = region.read(box)
    depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rim, middle = pixels[inside & (depth <= RIM)], pixels[depth > RIM]
    assert abs(rim.mean() - middle.mean()) < 15
    assert np.isin(rim, (0, 255)).mean() <= 2.5 * np.isin(middle, (0, 255)).mean()
