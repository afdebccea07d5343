"""Levels of half the size, in blocks and as a whole."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.normalized.pyramid import halve, halve_labels, level_shapes
from pipeline.seeds import stream

sides = st.integers(1, 23)


def picture(shape: tuple[int, ...], dtype: type) -> NDArray[np.generic]:
    return stream(0, "pyramid", *shape).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def eager_mean(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """Mean over the pixels that exist, cell by cell."""
    channels, height, width = image.shape
    cells = np.empty((channels, -(-height // 2), -(-width // 2)))
    for y, x in np.ndindex(*cells.shape[1:]):
        cells[:, y, x] = image[:, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean(axis=(1, 2), dtype=np.float64)
    return cells


@settings(deadline=None, max_examples=30)
@given(height=sides, width=sides, dtype=st.sampled_from((np.uint8, np.uint16)))
def test_whole_numbers_are_averaged_and_rounded_half_up(height: int, width: int, dtype: type) -> None:
    image = picture((2, height, width), dtype)
    np.testing.assert_array_equal(halve(image), np.floor(eager_mean(image) + 0.5))
    assert halve(image).dtype == dtype


def test_every_sum_of_four_bytes_is_rounded_half_up() -> None:
    pairs = np.indices((256, 256), np.uint8)
    image = np.stack([pairs, pairs[::-1]], axis=-1).reshape(2 * 256, 2 * 256)
    for move in (0, 1):
        rows = np.roll(image, move, axis=0)
        expected = (rows.reshape(256, 2, 256, 2).sum(axis=(1, 3), dtype=np.int64) + 2) // 4
        np.testing.assert_array_equal(halve(rows), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [0, 1, 255])
def test_a_constant_image_stays_constant(value: int, dtype: type) -> None:
    assert (halve(np.full((1, 7, 9), value, dtype)) == value).all()


@settings(deadline=None, max_examples=40)
@given(height=sides, width=sides, rows=st.integers(0, 11), columns=st.integers(0, 11), labels=st.booleans())
def test_blocks_that_start_at_even_coordinates_give_the_whole_image(
    height: int, width: int, rows: int, columns: int, labels: bool
) -> None:
    image, change = picture((height, width), np.uint8), halve
    if labels:
        image, change = image % 4, partial(halve_labels, winners=(1, 2, 0))
    cut_y, cut_x = min(2 * rows, height), min(2 * columns, width)
    parts = [[image[:cut_y, :cut_x], image[:cut_y, cut_x:]], [image[cut_y:, :cut_x], image[cut_y:, cut_x:]]]
    np.testing.assert_array_equal(np.block([[change(part) for part in row] for row in parts]), change(image))


def test_one_plane_is_halved_like_one_channel() -> None:
    image = picture((5, 6), np.uint8)
    np.testing.assert_array_equal(halve(image), halve(image[None])[0])


def test_views_of_any_stride_are_halved_like_copies() -> None:
    image = picture((9, 8, 3), np.uint8).transpose(2, 0, 1)
    np.testing.assert_array_equal(halve(image), halve(image.copy()))


@settings(deadline=None, max_examples=40)
@given(height=sides, width=sides, winners=st.permutations([0, 1, 2]))
def test_a_class_keeps_each_coarser_pixel_in_which_no_winner_has_one(
    height: int, width: int, winners: list[int]
) -> None:
    labels = picture((height, width), np.uint8) % 4
    half = halve_labels(labels, winners=winners)
    assert half.flags.c_contiguous
    assert half.shape == (-(-height // 2), -(-width // 2))
    for (y, x), found in np.ndenumerate(half):
        under = set(labels[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel().tolist())
        assert found == next((plane + 1 for plane in winners if plane + 1 in under), 0)


@settings(deadline=None, max_examples=30)
@given(height=sides, width=sides)
def test_levels_are_the_shapes_that_halving_gives(height: int, width: int) -> None:
    image = np.zeros((1, height, width), np.uint8)
    for shape in level_shapes(height, width, smallest=1, most=6):
        assert image.shape[1:] == shape
        image = halve(image)


@pytest.mark.parametrize(
    ("height", "width", "limits", "count"),
    [
        (2848, 4288, {"smallest": 1024, "most": 8}, 4),
        (2848, 4288, {"smallest": 1024, "most": 3}, 3),
        (100, 100, {"smallest": 1024, "most": 8}, 2),
        (1, 1, {"smallest": 1, "most": 8}, 2),
        (1025, 7, {"smallest": 512, "most": 8, "least": 1}, 3),
    ],
)
def test_levels_are_added_until_small_enough_within_the_limits(
    height: int, width: int, limits: dict[str, int], count: int
) -> None:
    shapes = level_shapes(height, width, **limits)
    assert len(shapes) == count
    assert shapes[0] == (height, width)


def test_what_cannot_be_halved_is_refused() -> None:
    with pytest.raises(GeometryError, match="halve_labels"):
        halve(np.zeros((4, 4), np.bool_))
    with pytest.raises(GeometryError, match="float32"):
        halve(np.zeros((4, 4), np.float32))
    with pytest.raises(GeometryError, match="axes"):
        halve(np.zeros(4, np.uint8))
    with pytest.raises(ConfigurationError, match="pyramid"):
        level_shapes(10, 10, smallest=4, most=1)
