"""An image is read from the right level of its file, at the size that was asked for, the same for any partition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Rescale
from pipeline.errors import ConfigurationError
from pipeline.geometry import Box, strips
from pipeline.normalized.rescale import Rescaling
from pipeline.normalized.thumbnail import Thumbnail
from pipeline.normalized.view import View, rescaling_of
from pipeline.raw.formats.source import ArraySource
from pipeline.seeds import stream

LEVELS = [(400, 600), (200, 300), (50, 75)]


class Slide:
    """Three levels, each of one grey value, so that what was read can be told."""

    whole = False
    stored = "test"
    dtype = np.dtype(np.uint8)
    pixel_size_um = 0.25
    tile = (64, 64)
    levels = tuple(LEVELS)

    def read(self, box, *, level=0):
        return np.full((box.height, box.width, 3), 10 * level, np.uint8)


def wanted(pixel_size_um=0.25, **rescale):
    blank = Thumbnail(np.zeros((4, 6, 3), np.uint8), 100, *LEVELS[0])
    return rescaling_of(
        LEVELS, rescale=Rescale(**rescale), pixel_size_um=pixel_size_um, thumbnail=lambda: blank, name="slide 7"
    )


def test_a_level_is_taken_as_it_is():
    rescaling = wanted(level=1)
    view = View(Slide(), rescaling)
    assert (rescaling.height, rescaling.width) == LEVELS[1]
    assert view.level == 1
    assert (view.read(Box(3, 4, 9, 9)) == 10).all()


@pytest.mark.parametrize(("um", "level"), [(0.25, 0), (0.4, 0), (0.5, 1), (1.0, 1), (2.0, 2), (4.0, 2), (0.125, 0)])
def test_micrometres_are_reached_from_the_coarsest_level_that_is_fine_enough(um, level):
    rescaling = wanted(um_per_pixel=um)
    view = View(Slide(), rescaling)
    assert view.level == level
    assert rescaling.height == round(400 * 0.25 / um)
    assert (view.read(Box(0, 0, rescaling.height, 5)) == 10 * level).all()


def test_a_pixel_size_that_cannot_be_is_named_where_one_is_needed():
    blank = Thumbnail(np.zeros((4, 6, 3), np.uint8), 100, *LEVELS[0])
    wish, said = Rescale(um_per_pixel=0.5), "pixel size 499 × 499 µm"
    with pytest.raises(ConfigurationError, match=said):
        rescaling_of(LEVELS, rescale=wish, pixel_size_um=None, thumbnail=lambda: blank, name="slide 7", said=said)


def test_micrometres_without_a_pixel_size_are_asked_for():
    with pytest.raises(ConfigurationError, match=r"(?s)slide 7.*pixel_size_um"):
        wanted(pixel_size_um=None, um_per_pixel=0.5)


def test_a_level_that_is_missing_is_named_with_those_there_are():
    with pytest.raises(ConfigurationError, match=r"(?s)slide 7.*2: 75×50"):
        wanted(level=3)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 2.5), st.integers(1, 30))
def test_strips_of_a_resampled_image_are_the_image_resampled(height, width, factor, rows):
    image = stream(0, "test", "view").integers(0, 256, (height, width, 3), dtype=np.uint8)
    view = View(ArraySource(image, stored="test"), Rescaling.of_factor(height, width, factor))
    size = (view.rescaling.height, view.rescaling.width)
    whole = view.read(Box.of_shape(*size))
    assert np.array_equal(np.concatenate([view.read(box) for box in strips(*size, rows)]), whole)
