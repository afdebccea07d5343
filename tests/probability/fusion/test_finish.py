"""What is stored is the divided map, rounded as NumPy rounds, and each level the mean of the one before."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.probability.fusion.finish import Fused, reciprocals
from pipeline.stores.probability_store import SCALE
from tests.probability.half_map import half_map


def _stored(values: NDArray[np.float32]) -> NDArray[np.float16]:
    codes = np.empty((1, 1, values.size), np.float16)
    Fused(values[None, None], None).store(Box(0, 0, 1, values.size), codes=codes, half=None)
    return codes.reshape(-1)


def test_rounding_to_float16_is_that_of_numpy_at_every_float16_and_between_them() -> None:
    exact = np.arange(0x7C01, dtype=np.uint16).view(np.float16).astype(np.float32)  # 0, subnormals, …, infinity
    middles = (exact[1:-1] + exact[:-2]) / 2
    around = [np.nextafter(each, np.float32(to)) for each in (exact, middles) for to in (0, np.inf)]
    tiny = (10.0 ** -np.linspace(0, 44, 10_000)).astype(np.float32)
    beyond = np.array([65519.996, 65520, 1e5, np.finfo(np.float32).max], np.float32)
    values = np.concatenate([exact, middles, *around, tiny, beyond])
    values = np.concatenate([values, -values])
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16)
    np.testing.assert_array_equal(_stored(values).view(np.uint16), expected.view(np.uint16))


def test_what_sums_are_multiplied_with_is_one_over_the_weights_and_nothing_where_there_are_none() -> None:
    found = reciprocals(np.array([[0, 1e-3, 0.5, 1, 3]], np.float32))
    np.testing.assert_allclose(found, [[0, 1000, 2, 1, 1 / 3]], rtol=1e-7)


def test_a_part_of_larger_sums_is_stored_as_it_is() -> None:
    sums = np.random.Generator(np.random.PCG64(0)).random((2, 90, 11), dtype=np.float32)
    codes = np.zeros((2, 80, 8), np.float16)
    Fused(sums, None, (76, 10)).store(Box(2, 4, 76, 10), codes=codes, half=None)
    np.testing.assert_array_equal(codes[:, :74, :6], sums[:, 2:76, 4:10].astype(np.float16))


@st.composite
def fused_maps(draw: st.DrawFn) -> tuple[Fused, int]:
    height, width, chunk = draw(st.integers(1, 90)), draw(st.integers(1, 40)), 2 * draw(st.integers(1, 40))
    rng = np.random.Generator(np.random.PCG64([height, width, chunk]))
    weights = rng.integers(0, 4, (height, width)).astype(np.float32) if draw(st.booleans()) else None
    values = rng.random((2, height, width), dtype=np.float32)
    return Fused(
        values if weights is None else values * weights, None if weights is None else reciprocals(weights)
    ), chunk


@settings(deadline=None, max_examples=60)
@given(fused_maps(), st.sampled_from(["float16", "uint8"]))
def test_chunks_hold_the_rounded_quotients_and_together_they_halve_the_map(case: tuple[Fused, int], dtype: str) -> None:
    fused, chunk = case
    half, (_, height, width) = fused.empty_half(), fused.sums.shape
    values = fused.values()
    if fused.factors is not None:
        weights = np.divide(1, fused.factors, out=np.zeros_like(fused.factors), where=fused.factors > 0)
        expected = np.where(weights > 0, fused.sums / np.maximum(weights, 1), np.float32(0))
        np.testing.assert_allclose(values, expected, rtol=1e-6)
    for y in range(0, height, chunk):
        for x in range(0, width, chunk):
            box = Box(y, x, min(y + chunk, height), min(x + chunk, width))
            codes = np.full((2, chunk, chunk), 9, dtype)
            fused.store(box, codes=codes, half=half)
            wanted = values[(slice(None), *box.slices)]
            rounded = (
                wanted.astype(np.float16)
                if dtype == "float16"
                else np.floor(wanted * np.float32(255) + np.float32(0.5)).astype(np.uint8)
            )
            np.testing.assert_array_equal(codes[:, : box.height, : box.width], rounded)
            assert (codes[:, box.height :] == 9).all()
            assert (codes[:, :, box.width :] == 9).all()
    np.testing.assert_array_equal(half, half_map(values))


def test_a_byte_times_its_scale_is_the_probability_to_half_a_step() -> None:
    values = np.linspace(0, 1, 9999, dtype=np.float32)[None, None]
    codes = np.empty(values.shape, np.uint8)
    Fused(values, None).store(Box(0, 0, 1, 9999), codes=codes, half=None)
    assert np.abs(codes * SCALE["uint8"] - values).max() <= 0.5 / 255 + 1e-6
