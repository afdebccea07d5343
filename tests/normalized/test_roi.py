"""Field of view and tissue: drawn images with a known answer, real ones, and blocks against the whole."""

from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.errors import GeometryError
from pipeline.geometry import Box, strips
from pipeline.normalized.roi import field_of_view, fov_diameter, thumbnail_rows
from pipeline.normalized.stain.tissue import tissue_mask
from pipeline.seeds import stream

FUNDUS = (190, 110, 60)


def disc(
    height: int = 300, width: int = 400, *, radius: float = 180, centre: tuple[float, float] | None = None
) -> NDArray[np.bool_]:
    cy, cx = centre or ((height - 1) / 2, (width - 1) / 2)
    y, x = np.mgrid[:height, :width]
    return np.hypot(y - cy, x - cx) <= radius


def fundus(mask: NDArray[np.bool_], *, light: NDArray[np.float64] | float = 1.0, noise: float = 3) -> NDArray[np.uint8]:
    """A disc of fundus colour under uneven light, on a dark border with noise."""
    rng = stream(0, "fundus", *mask.shape)
    colour = np.where(mask[..., None], FUNDUS, 4) * np.atleast_3d(np.broadcast_to(light, mask.shape))
    return (colour + rng.normal(0, noise, colour.shape)).clip(0, 255).astype(np.uint8)


def stained(*, tissue: NDArray[np.bool_], light: tuple[int, int, int] = (243, 242, 243)) -> NDArray[np.uint8]:
    """Pale eosin with nuclei where there is tissue, glass elsewhere, by Beer-Lambert."""
    rng = stream(0, "stained", *tissue.shape)
    density = np.where(tissue[..., None], (0.05, 0.35, 0.12), 0.0) * rng.uniform(0.7, 1.3, (*tissue.shape, 1))
    nuclei = tissue & (cv2.GaussianBlur(rng.random(tissue.shape), (0, 0), 3) > 0.53)
    density[nuclei] = (0.7, 0.9, 0.35)
    return (light * np.exp(-density) + rng.normal(0, 1.5, density.shape)).clip(0, 255).astype(np.uint8)


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((first & second).sum() / (first | second).sum())


def ramp(height: int, width: int, first: float, last: float) -> NDArray[np.float64]:
    return np.broadcast_to(np.linspace(first, last, width), (height, width))


@pytest.mark.parametrize("radius", [90, 140, 180, 230])
def test_field_of_view_is_the_disc_whether_whole_or_cut(radius: int) -> None:
    mask = disc(radius=radius)
    assert overlap(field_of_view(fundus(mask)), mask) > 0.98


@cache
def eye() -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """A disc, and its photograph, uneven along both axes as a retina is: a line of one colour at a side is a frame."""
    mask = disc(500, 640, radius=290)
    light = 1 + 10 * cv2.GaussianBlur(stream(0, "tests", "light").random(mask.shape) - 0.5, (0, 0), 6)
    return mask, fundus(mask, light=light.clip(0.6, 1.3))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_field_of_view_of_a_crop_is_the_crop_of_the_field_of_view(data: st.DataObject) -> None:
    """Wherever it is cut, also where no more than a corner is dark: nothing is lost along the border of the picture."""
    mask, image = eye()
    height, width = data.draw(st.integers(120, 500)), data.draw(st.integers(120, 640))
    y, x = data.draw(st.integers(0, 500 - height)), data.draw(st.integers(0, 640 - width))
    part = np.ascontiguousarray(mask[y : y + height, x : x + width])
    assume(part.mean() > 0.6)
    found = field_of_view(np.ascontiguousarray(image[y : y + height, x : x + width]))
    assert np.count_nonzero(part & ~found) <= 0.01 * part.size
    assert np.count_nonzero(found & ~part) <= 0.02 * part.size


@pytest.mark.data
def test_crops_of_real_photographs_lose_nothing_along_their_borders(real_data) -> None:
    """IDRiD at 1072 pixels: 12 crops of every third image, of at least a third of a side."""
    random = stream(0, "tests", "crops")
    for path in sorted(real_data.glob("idrid/*/1. Original Images/*/*.jpg"))[::3]:
        image = np.ascontiguousarray(cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4)[:, :, ::-1])
        whole = field_of_view(image)
        for _ in range(12):
            size = random.integers((240, 360), image.shape[:2])
            y, x = random.integers(0, np.array(image.shape[:2]) - size + 1)
            part = whole[y : y + size[0], x : x + size[1]]
            if part.mean() > 0.6:
                found = field_of_view(np.ascontiguousarray(image[y : y + size[0], x : x + size[1]]))
                assert np.count_nonzero(part & ~found) <= 0.02 * part.size, (path.name, y, x, *size)


@pytest.mark.parametrize("light", [0.15, 0.3, 1.0, 1.3])
def test_dim_and_bright_photographs_have_the_same_field_of_view(light: float) -> None:
    mask = disc()
    assert overlap(field_of_view(fundus(mask, light=light, noise=1)), mask) > 0.98


def test_uneven_illumination_does_not_shrink_the_field_of_view() -> None:
    mask = disc()
    assert overlap(field_of_view(fundus(mask, light=ramp(300, 400, 0.25, 1.2))), mask) > 0.97


def test_field_of_view_leaves_out_text_on_the_border_and_fills_dark_lesions() -> None:
    mask = disc(radius=130)
    image = fundus(mask)
    image[10:60, 10:60] = 255
    image[100:150, 180:220] = 2
    assert overlap(field_of_view(image), mask) > 0.98


def test_a_photograph_without_border_is_all_field_of_view() -> None:
    assert field_of_view(fundus(np.ones((200, 300), np.bool_))).all()


Painted = tuple[NDArray[np.uint8], NDArray[np.bool_]]


def on_border(colour: tuple[int, int, int], *, noise: float = 2, **place: Any) -> Painted:
    """A fundus photograph whose border is painted in a colour, and its disc."""
    mask = disc(**place)
    rng = stream(0, "border", *mask.shape)
    vessels = cv2.GaussianBlur(rng.normal(0, 1, mask.shape), (0, 0), 4)[..., None] * 150
    picture = np.array(FUNDUS) * np.atleast_3d(ramp(*mask.shape, 0.6, 1.2)) + vessels
    image = np.where(mask[..., None], picture, colour) + rng.normal(0, noise, (*mask.shape, 3))
    return image.clip(0, 255).astype(np.uint8), mask


def framed(image: NDArray[np.uint8], mask: NDArray[np.bool_], *, width: int, colour: int) -> Painted:
    """A frame painted over the outermost pixels."""
    inside = np.zeros_like(mask)
    inside[width:-width, width:-width] = True
    return np.where(inside[..., None], image, np.uint8(colour)), mask & inside


def on_page(image: NDArray[np.uint8], mask: NDArray[np.bool_], *, colour: int) -> Painted:
    """A picture that stands on a page, nearer to one corner."""
    page = cv2.copyMakeBorder(image, 20, 45, 60, 15, cv2.BORDER_CONSTANT, value=(colour,) * 3)
    return page, np.pad(mask, ((20, 45), (60, 15)))


def with_label(image: NDArray[np.uint8], mask: NDArray[np.bool_], *, colour: int) -> Painted:
    """Text on the border, and a label over one corner."""
    cv2.putText(image, "OD 0815", (5, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (colour,) * 3, 2)
    image[-24:, -60:] = colour
    mask[-24:, -60:] = False
    return image, mask


def with_line(image: NDArray[np.uint8], mask: NDArray[np.bool_], *, colour: int) -> Painted:
    """A thin line around the disc."""
    cv2.rectangle(image, (12, 8), (385, 290), (colour,) * 3, 2)
    return image, mask


def with_notch(image: NDArray[np.uint8], mask: NDArray[np.bool_], *, outwards: bool) -> Painted:
    """A triangle at the rim of a disc of radius 140, of the colour of the border, or of the disc."""
    tip = 157 if outwards else 132
    triangle = np.array([[200 + tip, 149], [200 + 138, 140], [200 + 138, 158]])
    cv2.fillPoly(image, [triangle], tuple(map(int, image[150, 200] if outwards else image[2, 2])))
    return image, mask


KINDS = {
    "whole": lambda colour: on_border(colour, radius=140),
    "noisy": lambda colour: on_border(colour, radius=140, noise=5),
    "cut above and below": lambda colour: on_border(colour, radius=170),
    "cut at a corner": lambda colour: on_border(colour, radius=160, centre=(100, 130)),
    "far off the centre": lambda colour: on_border(colour, radius=110, centre=(180, 280)),
    "square": lambda colour: on_border(colour, height=300, width=300, radius=149),
    "narrow frame": lambda colour: framed(*on_border(colour, radius=170), width=1, colour=220),
    "frame": lambda colour: framed(*on_border(colour, radius=170), width=5, colour=0),
    "wide frame": lambda colour: framed(*on_border(colour, radius=140), width=20, colour=100),
    "white page": lambda colour: on_page(*on_border(colour, radius=170), colour=255),
    "grey page": lambda colour: on_page(*on_border(colour, radius=140), colour=90),
    "label": lambda colour: with_label(*on_border(colour, radius=140), colour=10),
    "line": lambda colour: with_line(*on_border(colour, radius=140), colour=200),
    "notch": lambda colour: with_notch(*on_border(colour, radius=140), outwards=False),
    "tab": lambda colour: with_notch(*on_border(colour, radius=140), outwards=True),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colour", [(4, 4, 4), (40, 40, 40), (128, 128, 128), (255, 255, 255), (30, 60, 150)])
def test_field_of_view_on_borders_of_any_colour(kind: str, colour: tuple[int, int, int]) -> None:
    image, mask = KINDS[kind](colour)
    assert overlap(field_of_view(image), mask) >= 0.98


@pytest.mark.parametrize("grey", [False, True])
def test_a_photograph_that_darkens_towards_its_sides_has_no_border(grey: bool) -> None:
    """A crop from inside the disc, in colour or not, with a bright middle and smooth sides."""
    image, _ = on_border((0, 0, 0), radius=300)
    y, x = np.mgrid[:300, :400]
    image = (image * (1.2 - 0.8 * np.hypot((y - 150) / 250, (x - 200) / 250) ** 2)[..., None]).astype(np.uint8)
    image = np.repeat(image[:, :, :1], 3, axis=2) if grey else image
    assert image.max(axis=2).min() > 32
    assert field_of_view(image).all()


def test_even_pictures_and_dark_ones_on_a_page_have_no_disc() -> None:
    assert field_of_view(np.full((90, 120, 3), 180, np.uint8)).all()
    page = np.full((90, 120, 3), 255, np.uint8)
    page[20:70, 20:100] = 3
    assert not field_of_view(page).any()


@pytest.mark.parametrize("level", [0, 3, 10])
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (120, 150)])
def test_a_black_image_has_no_field_of_view(shape: tuple[int, int], level: int) -> None:
    mask = field_of_view(np.full((*shape, 3), level, np.uint8))
    assert mask.shape == shape
    assert not mask.any()
    assert fov_diameter(mask) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (4, 4)])
def test_bright_images_of_few_pixels_are_all_field_of_view(shape: tuple[int, int]) -> None:
    assert field_of_view(np.full((*shape, 3), 180, np.uint8)).all()


@pytest.mark.parametrize("radius", [60.0, 140.0, 163.3])
@pytest.mark.parametrize("size", [(300, 400), (220, 400), (400, 220)])
def test_diameter_is_that_of_the_circle_also_where_two_sides_are_cut(size: tuple[int, int], radius: float) -> None:
    assert fov_diameter(disc(*size, radius=radius)) == pytest.approx(2 * radius, abs=2.5)


def test_diameter_survives_a_cut_on_three_sides_and_a_tab() -> None:
    mask = disc(250, 300, radius=160, centre=(125, 110))
    mask[60:75, 255:275] = True
    assert fov_diameter(mask) == pytest.approx(320, abs=6)


def test_diameter_of_what_is_no_circle_is_its_longer_side() -> None:
    assert fov_diameter(np.ones((200, 300), np.bool_)) == 300
    assert fov_diameter(np.ones((1, 1), np.bool_)) == 1


def test_the_field_of_view_of_a_real_photograph_is_a_disc() -> None:
    """The sample of scikit-image is a whole disc of about 1396 of 1411 pixels, with a tab at the top right."""
    image = cv2.resize(skimage.data.retina(), (700, 700), interpolation=cv2.INTER_AREA)
    mask = field_of_view(image)
    diameter = fov_diameter(mask)
    assert diameter == pytest.approx(693, abs=4)
    assert mask.sum() == pytest.approx(np.pi / 4 * diameter**2, rel=0.04)


@pytest.mark.data
def test_real_photographs_of_one_camera_have_one_of_two_fields_of_view(real_data) -> None:
    """IDRiD at 700 pixels: discs cut at top and bottom, 559 or 622 across."""
    for path in sorted(real_data.glob("idrid/*/1. Original Images/*/*.jpg")):
        reduced = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4)
        image = cv2.resize(reduced[:, :, ::-1], (700, 465), interpolation=cv2.INTER_AREA)
        diameter = fov_diameter(field_of_view(np.ascontiguousarray(image)))
        assert min(abs(diameter - 559), abs(diameter - 622)) < 3, path.name


@pytest.mark.data
@pytest.mark.parametrize("level", [40, 128, 255])
def test_real_photographs_on_a_painted_border(real_data, level) -> None:
    """IDRiD at 700 pixels, painted outside the circle through the outline of the black border's field of view."""
    for path in sorted(real_data.glob("idrid/*/1. Original Images/*/*.jpg"))[::3]:
        reduced = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_4)
        image = cv2.resize(reduced[:, :, ::-1], (700, 465), interpolation=cv2.INTER_AREA)
        found = field_of_view(image)
        columns = np.flatnonzero(found[232])
        circle = disc(465, 700, radius=0.49 * np.ptp(columns), centre=(232, float(columns.mean())))
        painted = np.where(circle[..., None], image, np.uint8(level))
        assert overlap(field_of_view(painted), circle) >= 0.98, path.name


def test_tissue_is_found_on_glass() -> None:
    tissue = disc(radius=110)
    assert overlap(tissue_mask(stained(tissue=tissue)), tissue) > 0.97


def test_a_crop_of_tissue_is_nearly_all_tissue() -> None:
    assert tissue_mask(stained(tissue=np.ones((300, 400), np.bool_))).mean() > 0.99


@pytest.mark.parametrize("light", [(243, 242, 243), (255, 255, 255), (228, 232, 226)])
def test_a_blank_slide_holds_no_tissue(light: tuple[int, int, int]) -> None:
    assert not tissue_mask(stained(tissue=np.zeros((300, 400), np.bool_), light=light)).any()


def test_a_shaded_grey_slide_holds_no_tissue() -> None:
    shade = ramp(300, 400, 200, 245)[..., None] + stream(0, "shade").normal(0, 2, (300, 400, 1))
    assert not tissue_mask(np.repeat(shade, 3, axis=2).clip(0, 255).astype(np.uint8)).any()


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (4, 30), (60, 60)])
def test_constant_grey_images_hold_no_tissue(shape: tuple[int, int], level: int) -> None:
    mask = tissue_mask(np.full((*shape, 3), level, np.uint8))
    assert mask.shape == shape
    assert not mask.any()


@pytest.mark.parametrize("ink", [(20, 30, 140), (30, 60, 190), (20, 120, 60), (15, 15, 20)])
def test_pen_marks_are_no_tissue(ink: tuple[int, int, int]) -> None:
    tissue = disc(radius=80, centre=(150, 280))
    image = stained(tissue=tissue)
    mark = cv2.line(np.zeros(tissue.shape, np.uint8), (30, 40), (150, 260), 1, 12).astype(np.bool_)
    image[mark] = ink
    found = tissue_mask(image)
    assert not found[mark].any()
    assert overlap(found, tissue) > 0.95


def test_a_black_border_is_no_tissue() -> None:
    tissue = disc(radius=100)
    image = stained(tissue=tissue)
    image[:25], image[:, -20:] = 0, 0
    found = tissue_mask(image)
    assert not found[:25].any()
    assert not found[:, -20:].any()
    assert overlap(found, tissue) > 0.95


def test_specks_are_removed_and_small_holes_filled() -> None:
    tissue = disc(radius=110)
    tissue[148:153, 198:203] = False
    image = stained(tissue=tissue)
    image[5:8, 5:8] = (200, 120, 180)
    found = tissue_mask(image)
    assert not found[:20, :20].any()
    assert found[140:160, 190:210].all()


def thumbnail_by_definition(image: NDArray[np.uint8], factor: int) -> NDArray[np.float64]:
    rows, columns = (-(-n // factor) for n in image.shape[:2])
    cells = np.empty((rows, columns, 3))
    for y, x in np.ndindex(rows, columns):
        cell = image[y * factor : (y + 1) * factor, x * factor : (x + 1) * factor]
        cells[y, x] = cell.mean(axis=(0, 1), dtype=np.float64)
    return cells


@settings(deadline=None, max_examples=40)
@given(size=st.tuples(st.integers(1, 50), st.integers(1, 50)), factor=st.integers(1, 9), strip=st.integers(1, 6))
def test_strips_of_a_thumbnail_are_means_of_cells(size: tuple[int, int], factor: int, strip: int) -> None:
    image = stream(0, "thumbnail", *size).integers(0, 256, (*size, 3), dtype=np.uint8)
    boxes = strips(*size, strip * factor)
    rows = [thumbnail_rows(image[box.slices], box=box, factor=factor) for box in boxes]
    expected = thumbnail_by_definition(image, factor)
    np.testing.assert_array_equal(np.concatenate(rows), np.floor(expected + 0.5 + 1e-9))


def test_boxes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(GeometryError, match="cells"):
        thumbnail_rows(np.zeros((4, 4, 3), np.uint8), box=Box(2, 0, 6, 4), factor=4)
