"""A slide of a scanner's own format is read on a fixed grid of tiles, and what was not scanned is white."""

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import GeometryError, ImageRejected, MissingDataError
from pipeline.geometry import Box
from pipeline.raw.formats.openslide import SIDE, SlideSource, open_slide, slide_size
from pipeline.seeds import stream

HEIGHT, WIDTH = 1100, 1300
RGBA = stream(0, "test", "slide").integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
RGBA[:600, :, 3] = 255


class Scanned:
    """Behaves as OpenSlide does: places are asked for in pixels of level 0."""

    level_dimensions = ((WIDTH, HEIGHT), (WIDTH * 2 // 5, HEIGHT * 2 // 5))
    level_downsamples = (1.0, 2.5)

    def __init__(self):
        self.properties = {"openslide.vendor": "test", "openslide.mpp-x": "0.25"}
        self.asked = []

    def read_region(self, corner, level, size):
        self.asked.append((corner, level, size))
        (x, y), factor = corner, self.level_downsamples[level]
        rows = np.minimum((y + np.arange(size[1]) * factor).astype(int), HEIGHT - 1)
        columns = np.minimum((x + np.arange(size[0]) * factor).astype(int), WIDTH - 1)
        return Image.fromarray(RGBA[np.ix_(rows, columns)], "RGBA")


def source(slide=None):
    return SlideSource(slide or Scanned(), path="test.mrxs", each=map)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, (0, 0)),
        ({"openslide.bounds-x": "640", "openslide.bounds-y": "512"}, (512, 640)),
        ({"openslide.bounds-x": "640.5", "openslide.bounds-y": "512"}, (0, 0)),
    ],
)
def test_the_origin_is_the_corner_of_the_scanned_field(bounds, expected):
    slide = Scanned()
    slide.properties |= bounds
    assert source(slide).origin == expected


def on_white():
    colour, alpha = RGBA[:, :, :3].astype(float), RGBA[:, :, 3:] / 255
    return colour * alpha + 255 * (1 - alpha)


def test_what_is_transparent_is_laid_on_white():
    found = source().read(Box.of_shape(HEIGHT, WIDTH))
    assert np.abs(found - on_white()).max() <= 0.5
    assert np.array_equal(found[:600], RGBA[:600, :, :3])


@given(st.integers(0, 1), st.data())
def test_any_box_equals_the_crop_of_the_whole_level(level, data):
    opened = source()
    height, width = opened.levels[level]
    y = sorted(data.draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    x = sorted(data.draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    box = Box(y[0], x[0], y[1], x[1])
    assert np.array_equal(
        source().read(box, level=level), opened.read(Box.of_shape(height, width), level=level)[box.slices]
    )


def test_only_tiles_that_touch_the_box_are_read_and_each_once():
    slide = Scanned()
    opened = source(slide)
    for _ in range(3):
        opened.read(Box(600, 100, 700, 900))
    assert sorted(slide.asked) == [((0, SIDE), 0, (SIDE, SIDE)), ((SIDE, SIDE), 0, (SIDE, SIDE))]


def test_a_box_outside_is_refused():
    with pytest.raises(GeometryError, match="inside"):
        source().read(Box(0, 0, HEIGHT + 1, 5))


def test_size_and_pixel_size_are_those_of_the_slide():
    opened = source()
    assert opened.levels == ((HEIGHT, WIDTH), (440, 520))
    assert opened.pixel_size_um == 0.25
    assert not opened.whole


def test_a_damaged_slide_is_rejected_and_named(tmp_path):
    pytest.importorskip("openslide")
    (tmp_path / "bad.mrxs").write_text("no slide")
    for read in (slide_size, lambda path: open_slide(path).__enter__()):
        with pytest.raises(ImageRejected, match=r"bad\.mrxs"):
            read(tmp_path / "bad.mrxs")


def test_where_openslide_is_missing_the_message_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(MissingDataError, match="pip install openslide"), open_slide(tmp_path / "a.mrxs"):
        pass


@pytest.mark.data
def test_the_real_slide_is_read_as_one_region(real_data):
    openslide = pytest.importorskip("openslide")
    path = real_data / "wsi" / "CMU-1-Small-Region.svs"
    with open_slide(path, workers=2) as opened, openslide.OpenSlide(str(path)) as slide:
        whole = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))[:, :, :3]
        assert np.array_equal(opened.read(Box(100, 700, 1500, 2220)), whole[100:1500, 700:2220])
        assert slide_size(path) == opened.levels[0]
