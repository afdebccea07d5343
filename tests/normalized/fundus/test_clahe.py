"""Blockwise CLAHE against OpenCV on the whole image."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import ConfigurationError, GeometryError
from pipeline.geometry import Box
from pipeline.normalized.fundus.clahe import Grey, TileGrid, interpolate, tile_histograms, tile_tables
from pipeline.seeds import stream

SIZES = ((1, 1), (2, 9), (7, 300), (64, 64), (64, 67), (67, 64), (100, 3), (333, 257))
TILES = ((8, 8), (3, 5), (1, 1))


def pictures(height: int, width: int, dtype: type) -> dict[str, Grey]:
    """Noise, one grey value, a narrow range (heavy clipping), half dark border."""
    rng = stream(0, "clahe", height, width, np.dtype(dtype).name)
    top = int(np.iinfo(dtype).max)
    noise = rng.integers(0, top + 1, (height, width), dtype=dtype)
    border = noise.copy()
    border[:, : width // 2] = 0
    narrow = rng.normal(0.3 * top, 0.03 * top, (height, width)).clip(0, top).astype(dtype)
    return {"noise": noise, "constant": np.full_like(noise, top // 3), "narrow": narrow, "border": border}


def equalise(
    image: Grey, *, clip_limit: float, tiles: tuple[int, int], include: NDArray[np.bool_] | None = None
) -> Grey:
    """The whole image as one block."""
    grid, box = TileGrid(*image.shape, *tiles), Box.of_shape(*image.shape)
    histograms = tile_histograms(image, box=box, grid=grid, include=include)
    return interpolate(image, box=box, grid=grid, tables=tile_tables(histograms, clip_limit=clip_limit, grid=grid))


def opencv(image: Grey, *, clip_limit: float, tiles: tuple[int, int]) -> Grey:
    return cv2.createCLAHE(clip_limit, (tiles[1], tiles[0])).apply(image)


def partition(height: int, width: int, *, rows: list[int], columns: list[int]) -> list[Box]:
    """Boxes between the given cuts, last first, so that order cannot matter."""
    ys, xs = ([0, *sorted({cut % (n + 1) for cut in cuts}), n] for cuts, n in ((rows, height), (columns, width)))
    boxes = [Box(y0, x0, y1, x1) for y0, y1 in pairwise(ys) for x0, x1 in pairwise(xs)]
    return boxes[::-1]


def assert_as_opencv(image: Grey, *, clip_limit: float, tiles: tuple[int, int]) -> None:
    ours = equalise(image, clip_limit=clip_limit, tiles=tiles)
    np.testing.assert_array_equal(ours, opencv(image, clip_limit=clip_limit, tiles=tiles))
    assert ours.dtype == image.dtype


@pytest.mark.parametrize("tiles", TILES)
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_equalised_image_is_that_of_opencv_pixel_for_pixel(height: int, width: int, tiles: tuple[int, int]) -> None:
    for image in pictures(height, width, np.uint8).values():
        for clip_limit in (0.0, 0.5, 2.0, 40.0):
            assert_as_opencv(image, clip_limit=clip_limit, tiles=tiles)


@pytest.mark.parametrize("tiles", [(2, 3), (1, 1)])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_equalised_16_bit_image_is_that_of_opencv_pixel_for_pixel(
    height: int, width: int, tiles: tuple[int, int]
) -> None:
    for image in pictures(height, width, np.uint16).values():
        for clip_limit in (0.5, 40.0):
            assert_as_opencv(image, clip_limit=clip_limit, tiles=tiles)


def test_millions_of_random_pixels_are_equal_to_opencv() -> None:
    image = stream(0, "large").integers(0, 256, (1531, 2047), dtype=np.uint8)
    ours = equalise(image, clip_limit=3.0, tiles=(8, 8))
    np.testing.assert_array_equal(ours, opencv(image, clip_limit=3.0, tiles=(8, 8)))


@settings(deadline=None, max_examples=40)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    tiles=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    rows=st.lists(st.integers(0, 70), max_size=4),
    columns=st.lists(st.integers(0, 70), max_size=4),
)
def test_any_partition_gives_the_whole_image(
    size: tuple[int, int], tiles: tuple[int, int], rows: list[int], columns: list[int]
) -> None:
    """Also where the image is smaller than the mirrored margin, and where boxes are empty."""
    image = pictures(*size, np.uint8)["noise"]
    grid = TileGrid(*size, *tiles)
    boxes = partition(*size, rows=rows, columns=columns)
    histograms = sum(tile_histograms(image[box.slices], box=box, grid=grid) for box in boxes)
    tables = tile_tables(np.asarray(histograms), clip_limit=2.0, grid=grid)
    result = np.empty_like(image)
    for box in boxes:
        result[box.slices] = interpolate(image[box.slices], box=box, grid=grid, tables=tables)
    np.testing.assert_array_equal(result, opencv(image, clip_limit=2.0, tiles=tiles))


def test_every_pixel_of_the_extended_image_is_counted_once() -> None:
    grid = TileGrid(64, 67, 8, 8)
    histograms = tile_histograms(np.zeros((64, 67), np.uint8), box=Box.of_shape(64, 67), grid=grid)
    assert (grid.extended_height, grid.extended_width) == (72, 72)
    assert (histograms[:, :, 0] == grid.tile_height * grid.tile_width).all()


def test_pixels_outside_the_mask_change_nothing_inside() -> None:
    image = pictures(96, 80, np.uint8)["noise"]
    mask = np.zeros(image.shape, np.bool_)
    mask[8:90, 4:70] = True
    other = np.where(mask, image, 7).astype(np.uint8)
    first, second = (equalise(each, clip_limit=2.0, tiles=(4, 4), include=mask) for each in (image, other))
    np.testing.assert_array_equal(first[mask], second[mask])


def test_full_mask_is_the_same_as_none() -> None:
    image = pictures(67, 64, np.uint8)["noise"]
    masked = equalise(image, clip_limit=2.0, tiles=(8, 8), include=np.ones(image.shape, np.bool_))
    np.testing.assert_array_equal(masked, equalise(image, clip_limit=2.0, tiles=(8, 8)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiles_without_counted_pixels_keep_their_grey_values(dtype: type) -> None:
    image = pictures(64, 64, dtype)["noise"]
    nothing = np.zeros(image.shape, np.bool_)
    np.testing.assert_array_equal(equalise(image, clip_limit=2.0, tiles=(4, 4), include=nothing), image)


def test_blocks_may_be_views_of_any_stride() -> None:
    rgb: NDArray[np.uint8] = stream(0, "strides").integers(0, 256, (50, 60, 3), dtype=np.uint8)
    expected = opencv(np.ascontiguousarray(rgb[:, :, 1]), clip_limit=2.0, tiles=(8, 8))
    np.testing.assert_array_equal(equalise(rgb[:, :, 1], clip_limit=2.0, tiles=(8, 8)), expected)


def test_blocks_masks_and_tables_of_another_image_are_refused() -> None:
    block, box, grid = np.zeros((4, 4), np.uint8), Box(0, 0, 4, 4), TileGrid(8, 8, 2, 2)
    tables = tile_tables(np.zeros((2, 2, 256), np.int64), clip_limit=2.0, grid=grid)
    with pytest.raises(GeometryError, match="size of its box"):
        tile_histograms(block, box=Box(0, 0, 4, 5), grid=grid)
    with pytest.raises(GeometryError, match="leaves the image"):
        tile_histograms(block, box=box.shift(6, 0), grid=grid)
    with pytest.raises(GeometryError, match="mask"):
        tile_histograms(block, box=box, grid=grid, include=np.ones((3, 4), np.bool_))
    with pytest.raises(GeometryError, match="uint8 or uint16"):
        tile_histograms(block.astype(np.int32), box=box, grid=grid)  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match="tables do not fit"):
        interpolate(block.astype(np.uint16), box=box, grid=grid, tables=tables)
    with pytest.raises(GeometryError, match="histograms do not fit"):
        tile_tables(np.zeros((2, 3, 256), np.int64), clip_limit=2.0, grid=grid)


@pytest.mark.parametrize("clip_limit", [-1.0, float("nan"), float("inf")])
def test_clip_limits_that_cannot_be_meant_are_refused(clip_limit: float) -> None:
    with pytest.raises(ConfigurationError, match="clip limit"):
        equalise(np.zeros((8, 8), np.uint8), clip_limit=clip_limit, tiles=(2, 2))


def test_a_grid_without_tiles_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="tiled"):
        TileGrid(8, 8, 0, 2)
