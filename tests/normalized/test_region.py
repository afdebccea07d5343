"""A region found in a thumbnail is the same for any partition, and counts its own pixels."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.geometry import Box, strips
from pipeline.normalized import thumbnail as module
from pipeline.normalized.region import Region
from pipeline.normalized.thumbnail import read_thumbnail
from pipeline.raw.formats.source import ArraySource
from pipeline.seeds import stream


def noise(height, width):
    return stream(0, "test", "region").integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(4, 60))
def test_a_mask_read_in_strips_is_the_mask_read_whole(height, width, rows, side):
    image = noise(height, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIDE", side)
        thumbnail = read_thumbnail(ArraySource(image, stored="test"))
    assert max(thumbnail.pixels.shape[:2]) <= side
    found = Region.found(lambda small: small[:, :, 0] > 127, thumbnail, height=height, width=width)
    whole = found.read(Box.of_shape(height, width))
    assert np.array_equal(np.concatenate([found.read(box) for box in strips(height, width, rows)]), whole)
    assert found.pixels == np.count_nonzero(whole)
    cells = np.kron(found.mask, np.ones((thumbnail.factor,) * 2, bool))[:height, :width]
    assert np.array_equal(whole, cells)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 90), st.integers(1, 90))
def test_on_another_grid_a_pixel_takes_the_cell_of_its_centre(rows, columns, height, width):
    mask = noise(rows, columns)[:, :, 0] > 127
    found = Region(mask, height, width).read(Box.of_shape(height, width))
    y = ((np.arange(height) + 0.5) * rows / height).astype(int)
    x = ((np.arange(width) + 0.5) * columns / width).astype(int)
    assert np.array_equal(found, mask[y][:, x])


@given(st.integers(1, 300), st.integers(1, 7))
def test_the_strips_of_a_thumbnail_leave_no_trace(width, pixels):
    image = noise(130, width)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIDE", 50)
        one = read_thumbnail(ArraySource(image, stored="test"))
        patch.setattr(module, "STRIP_PIXELS", pixels * 1000)
        other = read_thumbnail(ArraySource(image, stored="test"))
    assert np.array_equal(one.pixels, other.pixels)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 9))
def test_a_region_that_was_written_is_read_as_it_was(rows, columns, height, factor):
    mask = noise(rows, columns)[:, :, 1] > 127
    region = Region(mask, height, 33, (rows * factor, columns * factor), factor)
    found = Region.from_json(json.loads(json.dumps(region.to_json())), height=height, width=33)
    assert np.array_equal(found.mask, mask)
    whole = Box.of_shape(height, 33)
    assert np.array_equal(found.read(whole), region.read(whole))


@pytest.mark.parametrize(
    "change", [{"cells": "AAAA"}, {"rows": "many"}, {"of": [7]}, {"factor": None}, {"columns": 999}]
)
def test_a_region_that_is_not_whole_is_refused(change):
    content = Region(noise(7, 9)[:, :, 0] > 127, 7, 9).to_json()
    with pytest.raises(StoreError, match="region"):
        Region.from_json({**content, **change}, height=7, width=9)
