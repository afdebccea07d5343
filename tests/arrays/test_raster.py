"""Raster: boxes, parts and mapped rasters of an array are those of the array."""

import numpy as np

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.seeds import stream

ARRAY = stream(0, "test", "raster").integers(0, 256, (2, 7, 9), dtype=np.uint8)


def test_a_box_of_a_raster_is_that_box_of_the_array():
    raster, box = Raster.of(ARRAY), Box(1, 2, 6, 9)
    assert (raster.shape, raster.height, raster.width, raster.box) == ((7, 9), 7, 9, Box(0, 0, 7, 9))
    assert np.array_equal(raster.read(box), ARRAY[:, 1:6, 2:9])


def test_a_part_has_its_first_pixel_at_the_origin():
    part = Raster.of(ARRAY).part(Box(1, 2, 6, 9))
    assert part.shape == (5, 7)
    assert np.array_equal(part.read(Box(1, 1, 3, 5)), ARRAY[:, 2:4, 3:7])


def test_a_mapped_raster_reads_only_the_box_that_is_asked_for():
    asked = []

    def read(box):
        asked.append(box)
        return ARRAY[0][box.slices]

    bright = Raster((7, 9), read).map(lambda pixels: pixels > 100)
    assert not asked
    assert np.array_equal(bright.read(Box(2, 3, 5, 6)), ARRAY[0, 2:5, 3:6] > 100)
    assert asked == [Box(2, 3, 5, 6)]
