"""The colour table and the sample: exact, and the same for every way in which an image is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.errors import GeometryError
from pipeline.geometry import Box
from pipeline.normalized.stain.colour_table import (
    COLOURS,
    ColourTable,
    colour_table,
    count_colours,
    ordered_sample,
    percentile,
    sample_pixels,
)
from pipeline.seeds import stream
from tests.normalized.slides import partitions, sample_of, table_of


def pixels(height, width, *, levels=256):
    return stream(0, "colours", height, width).integers(0, levels, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("masked", [False, True])
def test_the_table_holds_each_colour_once_with_its_pixels(masked):
    image = pixels(60, 50, levels=6)
    include = stream(0, "mask").random((60, 50)) < 0.5 if masked else None
    table = table_of(image, include)
    colours, counts = np.unique(image[include] if masked else image.reshape(-1, 3), axis=0, return_counts=True)
    np.testing.assert_array_equal(table.colours, colours)
    np.testing.assert_array_equal(table.counts, counts)
    assert table.pixels == counts.sum()
    assert table.colours.dtype == np.uint8
    assert table.counts.dtype == np.int64


def test_the_corners_of_the_cube_are_told_apart():
    corners = np.array(np.meshgrid([0, 255], [0, 255], [0, 255], indexing="ij"), np.uint8).reshape(3, -1).T
    table = table_of(np.repeat(corners, 3, axis=0)[None])
    np.testing.assert_array_equal(table.colours, corners)
    assert (table.counts == 3).all()


@given(st.data())
def test_table_and_sample_do_not_depend_on_how_the_image_is_cut(data):
    image = pixels(23, 31, levels=5)
    include = stream(0, "mask").random((23, 31)) < 0.7
    boxes = data.draw(partitions(23, 31))
    whole, cut = table_of(image, include), table_of(image, include, boxes)
    np.testing.assert_array_equal(cut.colours, whole.colours)
    np.testing.assert_array_equal(cut.counts, whole.counts)
    np.testing.assert_array_equal(
        sample_of(image, include, boxes, share=0.4), sample_of(image, include, share=0.4), strict=True
    )


def test_views_count_like_copies():
    image = pixels(40, 40)
    view = image[::2, 5:33][:, ::-1]
    expected = table_of(view.copy())
    np.testing.assert_array_equal(table_of(view).colours, expected.colours)
    np.testing.assert_array_equal(table_of(view).counts, expected.counts)


@pytest.mark.parametrize("pieces", [0, 1, 2, 5])
def test_counts_of_pieces_add_up_to_the_table_of_all(pieces):
    images = [pixels(20, 10 + number, levels=7) for number in range(pieces)]
    counts = np.zeros(COLOURS, np.int64)
    for image in images[::-1]:
        count_colours(image, None, counts)
    merged = colour_table(counts)
    together = table_of(np.concatenate(images, axis=1) if images else np.empty((0, 0, 3), np.uint8))
    np.testing.assert_array_equal(merged.colours, together.colours, strict=True)
    np.testing.assert_array_equal(merged.counts, together.counts, strict=True)


def test_an_empty_image_gives_an_empty_table():
    table = table_of(np.empty((0, 7, 3), np.uint8))
    assert (table.pixels, table.colours.shape) == (0, (0, 3))


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False)
VALUES = hnp.arrays(np.float64, st.integers(1, 60), elements=st.one_of(FINITE, st.sampled_from([0.0, 1.0, 1.5])))


@given(VALUES, st.data())
def test_percentiles_are_those_of_the_values_written_out(values, data):
    counts = data.draw(hnp.arrays(np.int64, values.size, elements=st.integers(1, 50)))
    q = data.draw(st.one_of(st.floats(0, 100), st.sampled_from([0, 1.0, 50, 99.0, 100])))
    assert percentile(values, counts, q) == np.percentile(np.repeat(values, counts), q)


@pytest.mark.parametrize("q", [0.1, 1.0, 50.0, 99.0, 99.99])
def test_percentiles_of_many_values_are_exact(q):
    rng = stream(0, "percentile")
    values, counts = rng.gamma(0.5, 1.0, 20_000), rng.integers(1, 40, 20_000)
    assert percentile(values, counts, q) == np.percentile(np.repeat(values, counts), q)


def test_counts_beyond_memory_are_no_matter():
    counts = np.array([10**12, 1, 10**12])
    assert percentile(np.array([3.0, 2.0, 1.0]), counts, 50) == 2.0
    assert percentile(np.array([3.0, 2.0, 1.0]), counts, 25) == 1.0


@given(st.integers(0, 2**31 - 50), st.integers(0, 2**31 - 50), st.floats(0, 1))
def test_whether_a_pixel_is_sampled_depends_on_its_place_in_the_slide_only(y, x, share):
    block = np.zeros((6, 9, 3), np.uint8)
    keys, _ = sample_pixels(block, None, Box(y, x, y + 6, x + 9), 1.0)
    assert np.unique(keys).size == 54
    part, _ = sample_pixels(block[2:4, 3:], None, Box(y + 2, x + 3, y + 4, x + 9), share)
    inside = keys.reshape(6, 9)[2:4, 3:].ravel()
    np.testing.assert_array_equal(part, [key for key in inside if int(key) < int(share * 2**64)])


@pytest.mark.parametrize("share", [0.01, 0.3, 0.8])
def test_the_sample_is_of_its_size_and_even_over_the_image(share):
    where = np.stack(np.broadcast_arrays(np.arange(200)[:, None], np.arange(250), 0), axis=2).astype(np.uint8)
    found = sample_of(where, share=share).astype(np.float64)
    expected, spread = share * 50_000, np.sqrt(share * (1 - share) * 50_000)
    assert abs(len(found) - expected) < 4 * spread
    for half in (found, found[: len(found) // 2]):
        error = 4 * 73 / np.sqrt(len(half))
        assert abs(half[:, 0].mean() - 99.5) < error
        assert abs(half[:, 1].mean() - 124.5) < error


def test_the_sample_has_no_pixel_outside_the_mask_and_every_pixel_at_share_one():
    image = pixels(30, 20)
    include = stream(0, "mask").random((30, 20)) < 0.2
    assert sample_of(image, include).shape == (include.sum(), 3)
    assert sample_of(image, np.zeros_like(include)).shape == (0, 3)
    assert sample_of(image, share=0.0).shape == (0, 3)
    assert ordered_sample([]).shape == (0, 3)


def test_a_smaller_share_is_the_beginning_of_a_larger_one():
    image = pixels(50, 50)
    few, many = sample_of(image, share=0.2), sample_of(image, share=0.6)
    np.testing.assert_array_equal(few, many[: len(few)])


def test_sizes_that_do_not_fit_are_refused():
    block, counts = pixels(4, 5), np.zeros(COLOURS, np.int64)
    for wrong in (np.ones((5, 4), np.bool_), np.ones((4, 5, 1), np.bool_)):
        with pytest.raises(GeometryError, match="do not fit"):
            count_colours(block, wrong, counts)
    with pytest.raises(GeometryError, match="all colours"):
        count_colours(block, None, counts[:-1])
    with pytest.raises(GeometryError, match="do not fit"):
        count_colours(block.astype(np.float64), None, counts)
    with pytest.raises(GeometryError, match="do not fit"):
        sample_pixels(block, None, Box(0, 0, 5, 5), 0.5)
    with pytest.raises(GeometryError, match="no percentile"):
        percentile(np.empty(0), np.empty(0, np.int64), 50)
    with pytest.raises(GeometryError, match="belong together"):
        ColourTable(np.zeros((2, 3), np.uint8), np.ones(3, np.int64))
    assert colour_table(counts).pixels == 0
