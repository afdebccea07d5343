"""The EXIF turn of a file is told from its header, and is what the reader turns it by."""

import numpy as np
import pytest
from PIL import Image

from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.reader import open_values
from pipeline.raw.turns import exif_turn, turns_of

BOX = Box(0, 0, 6, 8)


def saved(path, *, turn=None):
    values = np.zeros((6, 8), np.uint8)
    values[:3, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(values).save(path, **({"exif": exif} if turn else {}))
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_every_container_tells_its_turn(tmp_path, suffix):
    assert [exif_turn(saved(tmp_path / f"{turn}.{suffix}", turn=turn)) for turn in range(1, 10)] == [*range(1, 9), 1]
    assert exif_turn(saved(tmp_path / f"plain.{suffix}")) == 1


def test_what_is_no_picture_and_a_tiff_stand_upright(tmp_path):
    (tmp_path / "a.geojson").write_text("{}")
    assert exif_turn(tmp_path / "a.geojson") == exif_turn(saved(tmp_path / "a.tif")) == 1


def test_an_image_and_its_mask_are_told_together_where_one_is_turned(tmp_path):
    image, mask = saved(tmp_path / "a.jpg", turn=3), saved(tmp_path / "a.png")
    assert turns_of(ImageEntry("a", image, (("EX", mask),))) == {"image": 3, "mask EX": 1}
    assert turns_of(ImageEntry("a", mask, (("EX", mask),))) == {}
    # The turned one is read turned, so truth lies in the other corner: the warning is of something.
    with open_values(image) as turned, open_values(mask) as upright:
        assert np.array_equal(turned.read(BOX) > 127, np.flip(upright.read(BOX) > 127))
