"""However a mask was written, it is set where a viewer shows that it is; what cannot be told is refused by name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.formats.reader import file_size, open_picture, open_values
from pipeline.raw.truth_values import count_values, mask_cut

LESION = np.zeros((48, 40), np.bool_)
LESION[8:18, 5:10] = True
WHITE = LESION.astype(np.uint8) * np.uint8(255)
RED = np.stack([WHITE, 0 * WHITE, 0 * WHITE], axis=2)


def read(path: Path, *, labels: bool = False) -> np.ndarray:
    with open_values(path, labels=labels) as source:
        values = source.read(Box.of_shape(*source.shape))
        return values if labels else values > mask_cut(source, count_values(source, path=path), path=path)


def palette(path: Path, indices: np.ndarray, colours: list[int], **options: object) -> None:
    picture = Image.fromarray(indices.astype(np.uint8), mode="P")
    picture.putpalette(colours)
    picture.save(path, **options)


def with_alpha(path: Path, colour: int) -> None:
    """Strokes on a transparent canvas of the same colour."""
    canvas = np.full((*LESION.shape, 4), colour, np.uint8)
    canvas[:, :, 3] = WHITE
    Image.fromarray(canvas, mode="RGBA").save(path)


WRITERS: dict[str, Callable[[Path], None]] = {
    "grey.png": lambda path: Image.fromarray(WHITE).save(path),
    "one.png": lambda path: Image.fromarray(LESION.astype(np.uint8)).save(path),
    "bits.png": lambda path: Image.fromarray(LESION).save(path),
    "red.png": lambda path: Image.fromarray(RED).save(path),
    "red_palette.png": lambda path: palette(path, LESION, [0, 0, 0, 255, 0, 0]),
    "white_first.png": lambda path: palette(path, ~LESION, [255, 255, 255, 0, 0, 0]),
    "quantised.png": lambda path: Image.fromarray(np.stack([WHITE] * 3, 2)).quantize(4).save(path),
    "lost_palette.png": lambda path: palette(path, LESION, [0] * 6),
    "clear_first.png": lambda path: palette(path, LESION, [255, 255, 255, 255, 0, 0], transparency=0),
    "brush.png": lambda path: with_alpha(path, 255),
    "grey_alpha.png": lambda path: Image.fromarray(np.stack([WHITE | 255, WHITE], 2), mode="LA").save(path),
    "lossless.webp": lambda path: Image.fromarray(RED).save(path, lossless=True),
    "grey.tif": lambda path: tifffile.imwrite(path, WHITE, tile=(16, 16)),
    "inverted.tif": lambda path: tifffile.imwrite(path, 255 - WHITE, photometric="miniswhite", tile=(16, 16)),
    "inverted_bits.tif": lambda path: tifffile.imwrite(path, ~LESION, photometric="miniswhite"),
    "palette.tif": lambda path: tifffile.imwrite(
        path, LESION.astype(np.uint8), photometric="palette", colormap=ramp({1: 65535})
    ),
    "white_first.tif": lambda path: tifffile.imwrite(
        path, (~LESION).astype(np.uint8), photometric="palette", colormap=ramp({0: 65535})
    ),
    "alpha.tif": lambda path: tifffile.imwrite(
        path, np.stack([WHITE | 255] * 3 + [WHITE], 2), photometric="rgb", extrasamples=["unassalpha"]
    ),
}


def ramp(entries: dict[int, int]) -> np.ndarray:
    colours = np.zeros((3, 256), np.uint16)
    for index, value in entries.items():
        colours[0, index] = value
    return colours


@pytest.mark.parametrize("name", WRITERS)
def test_a_mask_is_set_where_a_viewer_shows_it(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name), LESION)


@pytest.mark.parametrize("name", ["mask.jpg", "mask.jfif", "mask.png", "mask.webp"])
def test_a_lossy_mask_is_known_by_what_it_is_not_by_its_name(tmp_path: Path, name: str) -> None:
    form = "WEBP" if name.endswith("webp") else "JPEG"
    Image.fromarray(WHITE).convert("RGB").save(tmp_path / name, format=form, quality=60)
    found = read(tmp_path / name)
    assert found[10:16, 6:9].all()
    assert not found[LESION == 0].any() or (found != LESION).mean() < 0.02


def test_a_lossy_mask_of_zeros_and_ones_is_refused(tmp_path: Path) -> None:
    Image.fromarray(LESION.astype(np.uint8)).save(tmp_path / "m.jpg", quality=95)
    with pytest.raises(ImageRejected, match="lossy"):
        read(tmp_path / "m.jpg")


def test_black_strokes_on_nothing_are_refused(tmp_path: Path) -> None:
    with_alpha(tmp_path / "m.png", 0)
    with pytest.raises(ImageRejected, match="transparent"):
        read(tmp_path / "m.png")


def test_a_label_image_keeps_what_is_stored(tmp_path: Path) -> None:
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4) % 4
    palette(tmp_path / "p.png", labels, [255, 255, 255, 9, 9, 9, 0, 0, 0, 200, 0, 0])
    Image.fromarray(np.stack([labels] * 3, 2)).save(tmp_path / "grey_as_rgb.png")
    tifffile.imwrite(tmp_path / "p.tif", labels, photometric="palette", colormap=ramp({0: 65535}))
    tifffile.imwrite(tmp_path / "w.tif", labels, photometric="miniswhite")
    for name in ("p.png", "grey_as_rgb.png", "p.tif", "w.tif"):
        np.testing.assert_array_equal(read(tmp_path / name, labels=True), labels)


@pytest.mark.parametrize("name", ["l.png", "l.tif"])
def test_a_label_image_in_colour_is_refused(tmp_path: Path, name: str) -> None:
    write = tifffile.imwrite if name.endswith("tif") else lambda path, values: Image.fromarray(values).save(path)
    write(tmp_path / name, RED)
    with pytest.raises(ImageRejected, match="colour"):
        read(tmp_path / name, labels=True)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_tiff_that_is_turned_by_a_tag_is_refused(tmp_path: Path, orientation: int) -> None:
    tifffile.imwrite(tmp_path / "t.tif", RED, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    for look in (file_size, read):
        with pytest.raises(ImageRejected, match="orientation"):
            look(tmp_path / "t.tif")
    with pytest.raises(ImageRejected, match="orientation"), open_picture(tmp_path / "t.tif"):
        pass
