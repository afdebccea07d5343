"""Smoothed maps are what the definitions say, whatever boxes are read; thresholds and masks are of smoothed maps."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from pipeline.config import Smoothing, Storage
from pipeline.geometry import Box
from pipeline.segmentation import smoothing as module
from pipeline.segmentation.smoothing import guided_filter, smoothed_map
from pipeline.stores import create_pyramid, open_array, write_box
from pipeline.stores.probability_store import ProbabilityMap, open_probability
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

SIZE = (45, 70)
METHODS = [Smoothing(method="gaussian", sigma=1.7), Smoothing(method="guided", radius=4, epsilon=0.01)]
STORAGE = Storage(chunk=16, shard=32)


def planes(count: int, *, seed: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(seed))
    return random.random((count, *size)) ** 3


def written(path: Path, values: np.ndarray) -> Path:
    """A store of one level, as the stages normalized and probability write them."""
    origin = Provenance("probability", {}, "code").as_attributes()
    group = create_pyramid(
        path,
        channels=tuple("abc"[: len(values)]),
        shapes=[values.shape[1:]],
        dtype=values.dtype,
        storage=STORAGE,
        provenance=origin,
    )
    for y0 in range(0, values.shape[1], 32):
        for x0 in range(0, values.shape[2], 32):
            write_box(group["0"], values[:, y0 : y0 + 32, x0 : x0 + 32], y0=y0, x0=x0)
    seal(path)
    return path


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> tuple[Path, Path]:
    """Maps of two classes, and their image."""
    root = tmp_path_factory.mktemp("smoothing")
    maps = planes(2, seed=1).astype(np.float16)
    image = (255 * planes(3, seed=2)).astype(np.uint8)
    return written(root / "maps.zarr", maps), written(root / "image.zarr", image)


def opened(stores: tuple[Path, Path], smoothing: Smoothing) -> ProbabilityMap:
    return smoothed_map(open_probability(stores[0]), normalized=stores[1], smoothing=smoothing)


def eager_guided(values: np.ndarray, guide: np.ndarray, *, radius: int, epsilon: float) -> np.ndarray:
    """He et al. 2013, equations 5, 6 and 8, one window after the other."""
    height, width = values.shape
    slope, offset = np.zeros(values.shape), np.zeros(values.shape)

    def window(y: int, x: int) -> tuple[slice, slice]:
        return slice(max(y - radius, 0), y + radius + 1), slice(max(x - radius, 0), x + radius + 1)

    for y in range(height):
        for x in range(width):
            p, i = values[window(y, x)], guide[window(y, x)]
            slope[y, x] = np.mean((i - i.mean()) * (p - p.mean())) / (i.var() + epsilon)
            offset[y, x] = p.mean() - slope[y, x] * i.mean()
    found = np.zeros(values.shape)
    for y in range(height):
        for x in range(width):
            found[y, x] = slope[window(y, x)].mean() * guide[y, x] + offset[window(y, x)].mean()
    return np.clip(found, 0, 1)


@pytest.mark.parametrize("radius", [1, 3, 40])
@pytest.mark.parametrize("epsilon", [1e-6, 1e-2])
def test_the_guided_filter_is_its_definition(radius, epsilon):
    values = planes(1, seed=3, size=(13, 18))[0].astype(np.float16)
    guide = (255 * planes(3, seed=4, size=(13, 18))).astype(np.int64).sum(axis=0)
    expected = eager_guided(values.astype(np.float64), guide / 765, radius=radius, epsilon=epsilon)
    np.testing.assert_allclose(guided_filter(values, guide, radius=radius, epsilon=epsilon), expected, atol=1e-7)


def test_the_gaussian_is_a_mean_by_its_weights(stores):
    sigma, reach = 1.7, 7
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    expected = np.asarray(open_array(stores[0], "0")[:]).astype(np.float64)
    for axis in (1, 2):
        expected = correlate1d(expected, weights / weights.sum(), axis=axis, mode="reflect")
    found = opened(stores, METHODS[0]).read(Box.of_shape(*SIZE))
    np.testing.assert_allclose(found.astype(np.float64), expected, atol=5e-4)


@pytest.mark.parametrize("smoothing", METHODS, ids=lambda each: each.method)
@given(data=st.data())
def test_not_a_bit_depends_on_the_boxes(stores, smoothing, data):
    whole = opened(stores, smoothing).read(Box.of_shape(*SIZE))
    y0, x0 = data.draw(st.integers(0, SIZE[0] - 1)), data.draw(st.integers(0, SIZE[1] - 1))
    box = Box(y0, x0, data.draw(st.integers(y0 + 1, SIZE[0])), data.draw(st.integers(x0 + 1, SIZE[1])))
    side, kept = data.draw(st.integers(5, 80)), module.SIDE
    module.SIDE = side
    try:
        maps = opened(stores, smoothing)
        np.testing.assert_array_equal(maps.read(box), whole[(..., *box.slices)])
        np.testing.assert_array_equal(maps.plane(box, number=1), whole[(1, *box.slices)])
    finally:
        module.SIDE = kept


@pytest.mark.parametrize("smoothing", METHODS, ids=lambda each: each.method)
@pytest.mark.parametrize("level", [0.0, 0.25, 1.0])
def test_an_even_map_stays_as_it_is(tmp_path, stores, smoothing, level):
    maps = written(tmp_path / "even.zarr", np.full((2, *SIZE), level, np.float16))
    found = opened((maps, stores[1]), smoothing).read(Box.of_shape(*SIZE))
    np.testing.assert_array_equal(found, np.float16(level))


def test_the_edge_of_the_image_stays_where_it_guides(tmp_path):
    edge = np.where(np.arange(64) < 32, 0, 200)[None, None].repeat(3, axis=0).repeat(64, axis=1).astype(np.uint8)
    noise = np.random.Generator(np.random.PCG64(5)).normal(0, 0.1, (1, 64, 64))
    maps = np.clip((edge[:1] > 0) * 0.6 + 0.2 + noise, 0, 1).astype(np.float16)
    pair = written(tmp_path / "maps.zarr", maps), written(tmp_path / "image.zarr", edge)
    found = opened(pair, Smoothing(method="guided", radius=4)).read(Box.of_shape(64, 64))[0].astype(np.float64)
    blurred = opened(pair, Smoothing(method="gaussian", sigma=2.0)).read(Box.of_shape(64, 64))[0].astype(np.float64)
    step, soft = (np.diff(each[8:-8].mean(axis=0))[31] for each in (found, blurred))
    assert step > 0.5 > soft
    assert found[:, :28].std() < 0.5 * maps[0, :, :28].astype(np.float64).std()


def test_without_smoothing_the_map_is_the_stored_one(stores):
    maps = open_probability(stores[0])
    assert smoothed_map(maps, normalized=stores[1], smoothing=Smoothing()) is maps
