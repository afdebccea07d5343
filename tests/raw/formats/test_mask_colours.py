"""A mask has one colour beside black; several are several classes, or a ground that is not black."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.mask_values import decode_values
from pipeline.raw.formats.reader import open_values

RED, GREEN, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 0)


def painted(ground, *areas):
    picture = np.full((60, 70, 3), ground, np.uint8)
    for at, colour in enumerate(areas):
        picture[10:30, 5 + 20 * at : 20 + 20 * at] = colour
    return picture


@pytest.mark.parametrize("palette", [False, True])
@pytest.mark.parametrize(
    ("picture", "names"),
    [(painted(BLACK, RED, GREEN), "red .*green|green .*red"), (painted(WHITE, RED), "white.*red")],
    ids=["two classes", "white ground"],
)
def test_a_mask_of_several_colours_is_refused_with_their_shares(tmp_path, picture, names, palette):
    image = Image.fromarray(picture)
    (image.quantize(8) if palette else image).save(tmp_path / "a.png")
    with pytest.raises(ImageRejected, match=f"several colours: ({names})"):
        decode_values(tmp_path / "a.png", labels=False)


def test_a_tiff_of_several_colours_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", painted(BLACK, RED, GREEN), photometric="rgb")
    with pytest.raises(ImageRejected, match="several colours"), open_values(tmp_path / "a.tif", labels=False) as values:
        values.read(Box.of_shape(60, 70))


def test_one_colour_goes_through_with_its_rims(tmp_path):
    image = Image.fromarray(painted(BLACK, RED)).resize((35, 33), Image.Resampling.BOX)
    image.save(tmp_path / "a.png")
    values, _ = decode_values(tmp_path / "a.png", labels=False)
    assert np.array_equal(values, np.asarray(image)[:, :, 0])
