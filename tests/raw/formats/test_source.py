"""Any source can be read in boxes that cover it; a picture in memory is one of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import GeometryError, ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.source import ArraySource, blocks, to_eight_bit
from pipeline.seeds import stream

RGB = stream(0, "test", "source").integers(0, 256, (30, 40, 4), dtype=np.uint8)


@pytest.mark.parametrize(("channels", "shown"), [(1, (0, 0, 0)), (2, (0, 0, 0)), (3, (0, 1, 2)), (4, (0, 1, 2))])
def test_any_number_of_channels_becomes_rgb_without_alpha(channels, shown):
    source = ArraySource(RGB[:, :, :channels], stored="test")
    assert np.array_equal(source.read(Box(3, 4, 20, 33)), RGB[3:20, 4:33, list(shown)])


def test_what_is_read_may_be_changed_without_changing_the_image():
    pixels = RGB[:, :, :3].copy()
    source = ArraySource(pixels, stored="test")
    source.read(Box.of_shape(30, 40))[:] = 0
    assert np.array_equal(pixels, RGB[:, :, :3])


@pytest.mark.parametrize(("box", "level"), [(Box(0, 0, 31, 40), 0), (Box(-1, 0, 3, 4), 0), (Box(0, 0, 1, 1), 1)])
def test_a_box_outside_is_refused(box, level):
    with pytest.raises(GeometryError, match="inside"):
        ArraySource(RGB, stored="test").read(box, level=level)


@pytest.mark.parametrize("shape", [(4, 5, 6), (0, 5, 3), (4, 5, 3, 2)])
def test_an_array_that_is_no_picture_is_rejected(shape):
    with pytest.raises(ImageRejected, match="picture"):
        ArraySource(np.zeros(shape, np.uint8), stored="test")


@given(st.integers(0, 65535))
def test_sixteen_bit_becomes_the_nearest_of_256(value):
    found = to_eight_bit(np.full((1, 1, 3), value, np.uint16))
    assert found.dtype == np.uint8
    assert abs(int(found[0, 0, 0]) - value * 255 / 65535) <= 0.5


class Sized:
    """A source of which only the sizes are asked for."""

    def __init__(self, height, width, tile):
        self.levels, self.tile = ((height, width),), tile


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 80), st.integers(1, 80), st.integers(1, 20_000))
def test_blocks_cover_each_pixel_once_along_the_pieces(height, width, rows, columns, most):
    rows, columns = min(rows, height), min(columns, width)
    seen = np.zeros((height, width), np.uint8)
    for box in blocks(Sized(height, width, (rows, columns)), most=most):
        assert box.area <= max(most, rows * columns, width)
        if rows * columns <= most:
            assert box.y0 % rows == 0
            assert box.x0 % columns == 0
        seen[box.slices] += 1
    assert (seen == 1).all()
