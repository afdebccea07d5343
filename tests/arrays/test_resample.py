"""Any box of a resampled image is that box of the whole, means are exact areas, and OpenCV agrees."""

from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.arrays import resample
from pipeline.arrays.raster import Raster
from pipeline.arrays.resample import resampled_mask, resampled_picture, resampled_probability
from pipeline.errors import GeometryError
from pipeline.geometry import Box
from pipeline.seeds import stream

sides = st.integers(1, 40)


def noise(*shape, dtype=np.uint8):
    return stream(0, "test", "resample").integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def raster(image):
    return Raster(image.shape[:2], lambda box: image[box.slices])


def whole(function, image, target):
    return function(raster(image), target).read(Box.of_shape(*target))


def covered(source, target):
    """Share of each target pixel ``(target, source)`` that each source pixel covers, in exact fractions."""
    edge = Fraction(source, target)
    return [
        [
            max(Fraction(0), min(Fraction(j + 1), (i + 1) * edge) - max(Fraction(j), i * edge)) / edge
            for j in range(source)
        ]
        for i in range(target)
    ]


@given(sides, sides, sides, sides, st.data())
def test_any_box_of_a_picture_is_that_box_of_the_whole(height, width, rows, columns, data):
    image = noise(height, width, 3)
    y0, x0 = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, rows)), data.draw(st.integers(x0 + 1, columns)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resample, "_BAND", data.draw(st.sampled_from([1, 50, 2**23])))
        part = resampled_picture(raster(image), (rows, columns)).read(box)
    assert np.array_equal(part, whole(resampled_picture, image, (rows, columns))[box.slices])


@given(sides, sides, sides, sides, st.data())
def test_any_box_of_a_mask_is_that_box_of_the_whole(height, width, rows, columns, data):
    mask = noise(height, width) > 100
    y0, x0 = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, rows)), data.draw(st.integers(x0 + 1, columns)))
    part = resampled_mask(raster(mask), (rows, columns)).read(box)
    assert np.array_equal(part, whole(resampled_mask, mask, (rows, columns))[box.slices])


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_a_mask_is_set_where_at_least_half_is_covered(height, width, data):
    rows, columns = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20))
    mask = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    image = np.array(mask).reshape(height, width)
    down, across = covered(height, rows), covered(width, columns)
    expected = [
        [sum(d * a * int(image[j, i]) for j, d in enumerate(dy) for i, a in enumerate(ax)) * 2 >= 1 for ax in across]
        for dy in down
    ]
    assert np.array_equal(whole(resampled_mask, image, (rows, columns)), np.array(expected))


@given(sides, sides, st.integers(1, 4), st.integers(1, 4))
def test_a_mask_made_larger_and_small_again_is_itself(height, width, by_y, by_x):
    mask = noise(height, width) > 100
    large = whole(resampled_mask, mask, (height * by_y, width * by_x))
    assert np.array_equal(large, np.kron(mask, np.ones((by_y, by_x), bool)))
    assert np.array_equal(whole(resampled_mask, large, (height, width)), mask)


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.05, 1.0))
def test_a_smaller_picture_is_the_mean_over_areas(height, width, factor):
    image = noise(height, width, 3)
    target = max(1, round(height * factor)), max(1, round(width * factor))
    down = np.array(covered(height, target[0]), float)
    across = np.array(covered(width, target[1]), float)
    exact = np.einsum("yj,xi,jic->yxc", down, across, image.astype(float))
    assert np.abs(whole(resampled_picture, image, target) - exact).max() <= 0.5 + 1e-3


@pytest.mark.parametrize("factor", [0.25, 0.4, 0.5, 0.77, 1.6, 3.0])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_opencv_gives_the_same_to_one_grey_level(factor, dtype):
    image = cv2.GaussianBlur(noise(173, 211, 3, dtype=dtype), (0, 0), 1.5)
    target = round(173 * factor), round(211 * factor)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    expected = cv2.resize(image, target[::-1], interpolation=method).astype(float)
    found = whole(resampled_picture, image, target)
    assert found.dtype == dtype
    # OpenCV interpolates 8 bit with weights of 11 bit.
    assert np.abs(found - expected).max() <= (1 if dtype == np.uint8 else 2)


@given(sides, sides, sides, sides, st.integers(0, 255))
def test_a_constant_stays_that_constant(height, width, rows, columns, level):
    image = np.full((height, width), level, np.uint8)
    assert (whole(resampled_picture, image, (rows, columns)) == level).all()


@given(sides, sides)
def test_the_same_size_gives_the_same_pixels(height, width):
    image = noise(height, width, 3)
    assert np.array_equal(whole(resampled_picture, image, (height, width)), image)
    mask = image[:, :, 0] > 100
    assert np.array_equal(whole(resampled_mask, mask, (height, width)), mask)


def test_only_what_is_needed_is_read():
    asked = []

    def read(box):
        asked.append(box)
        return np.zeros((box.height, box.width), np.uint8)

    resampled_picture(Raster((1000, 1000), read), (250, 250)).read(Box(10, 20, 30, 40))
    assert all(Box(36, 76, 126, 166).contains(box) for box in asked)


@pytest.mark.parametrize(
    ("target", "box"), [((4, 4), Box(0, 0, 5, 4)), ((0, 4), Box(0, 0, 0, 4)), ((4, 4), Box(1, 1, 1, 3))]
)
def test_a_box_outside_the_grid_is_refused(target, box):
    with pytest.raises(GeometryError, match="resampled"):
        resampled_picture(raster(np.zeros((8, 8), np.uint8)), target).read(box)


def probabilities(*shape):
    return stream(0, "test", "resample", "probability").random(shape).astype(np.float16)


@given(sides, sides, sides, sides, st.data())
def test_any_box_of_a_probability_map_is_that_box_of_the_whole(height, width, rows, columns, data):
    source = Raster.of(probabilities(2, height, width))
    y0, x0 = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, columns - 1))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, rows)), data.draw(st.integers(x0 + 1, columns)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resample, "_BAND", data.draw(st.sampled_from([1, 50, 2**23])))
        part = resampled_probability(source, (rows, columns)).read(box)
    whole_map = resampled_probability(source, (rows, columns)).read(Box.of_shape(rows, columns))
    assert np.array_equal(part, whole_map[(..., *box.slices)])
    assert part.dtype == np.float16
    assert 0 <= part.min() <= part.max() <= 1


@pytest.mark.parametrize("target", [(34, 58), (51, 44), (18, 91), (17, 29)])
def test_probabilities_are_interpolated_as_opencv_does_between_pixels(target):
    maps = probabilities(3, 17, 29)
    found = resampled_probability(Raster.of(maps), target).read(Box.of_shape(*target))
    expected = [cv2.resize(plane.astype(np.float32), target[::-1], interpolation=cv2.INTER_LINEAR) for plane in maps]
    np.testing.assert_allclose(found.astype(np.float32), np.stack(expected), atol=1e-3)


def test_a_smaller_probability_map_holds_means_of_areas():
    maps = probabilities(2, 12, 18)
    found = resampled_probability(Raster.of(maps), (4, 6)).read(Box.of_shape(4, 6))
    means = maps.astype(np.float64).reshape(2, 4, 3, 6, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(found.astype(np.float64), means, atol=6e-4)
