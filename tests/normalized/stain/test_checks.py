"""Quality flags of what is no H&E and of red ink; none on H&E, whatever its strength and light."""

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from pipeline.arrays.optical_density import background_intensity
from pipeline.config import Stain
from pipeline.geometry import Box
from pipeline.normalized.stain.basis import REFERENCE_BASIS
from pipeline.normalized.stain.record import Estimate
from pipeline.normalized.stain.tissue import tissue_mask
from pipeline.raw.formats.reader import open_picture
from pipeline.raw.phantom.histology import CENTRES, concentrations
from tests.normalized.slides import estimate_of, phantom

METHODS = ["vahadane", "macenko", "reinhard"]
Image = NDArray[np.uint8]


def reduced(image: Image, side: int) -> Image:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def h_dab(share: float) -> Image:
    """Nuclei in haematoxylin, and DAB in a share of the columns, by the vectors of Ruifrok and Johnston (2001)."""
    nuclei, other = concentrations(0, size=250, seed=0)
    brown = np.where(np.arange(250) < 250 * share, other, 0.05 * other)
    density = nuclei[..., None] * np.array([0.65, 0.70, 0.29]) + 1.5 * brown[..., None] * np.array([0.27, 0.57, 0.78])
    return np.rint(240 * np.exp(-density)).astype(np.uint8)


def with_stroke(image: Image, *, ink: tuple[int, int, int], share: float) -> Image:
    """A stroke of a pen that lets some light through, over a share of the image."""
    side = image.shape[0]
    stroke = np.zeros(image.shape[:2], np.float32)
    width = max(1, round(share * side / 0.8))
    cv2.line(stroke, (round(0.1 * side), side // 3), (round(0.9 * side), side // 2), 1, width)
    cover = cv2.GaussianBlur(stroke, (0, 0), 0.8)[..., None] * 0.9
    return np.asarray(np.rint(image * (1 - cover + cover * np.array(ink) / 255)), np.uint8)


def flags_of(image: Image, method: str) -> Estimate:
    background = background_intensity(np.stack([np.bincount(image[:, :, c].ravel(), minlength=256) for c in range(3)]))
    options = Stain(method=method, iterations=40, sample=20_000)
    return estimate_of(image, options, background=background, include=tissue_mask(image))


FOREIGN = {
    "red and blue swapped": lambda: np.ascontiguousarray(phantom(1, size=250, centre="A")[0][:, :, ::-1]),
    "swapped, of another centre": lambda: np.ascontiguousarray(phantom(0, size=250, centre="B")[0][:, :, ::-1]),
    "H-DAB": lambda: h_dab(1.0),
    "H-DAB in a part": lambda: h_dab(0.3),
    "immunohistochemistry": lambda: reduced(skimage.data.immunohistochemistry(), 250),
    "fundus photograph": lambda: reduced(skimage.data.retina(), 250),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_no_h_and_e_is_flagged_and_its_stains_are_not_used(name: str, method: str) -> None:
    found = flags_of(FOREIGN[name](), method)
    assert any("no H&E" in flag for flag in found.flags)
    assert found.used == ("none" if method == "reinhard" else "reference")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("strength", [0.5, 1.0, 1.5])
def test_h_and_e_of_any_strength_has_no_flag(strength: float, centre: str, method: str) -> None:
    found = flags_of(phantom(2, size=250, centre=centre, strength=strength)[0], method)
    assert (found.used, found.flags) == (method, ())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("centre", CENTRES)
def test_a_red_stroke_of_one_per_cent_is_flagged_and_the_stains_are_used(centre: str, method: str) -> None:
    found = flags_of(with_stroke(phantom(1, size=300, centre=centre)[0], ink=(225, 25, 40), share=0.01), method)
    assert found.used == method
    assert [flag for flag in found.flags if "red ink" in flag] == list(found.flags) != []


@pytest.mark.parametrize("ink", [(30, 60, 190), (20, 120, 60), (15, 15, 20)])
def test_strokes_of_other_pens_that_the_tissue_mask_leaves_out_are_no_flag(ink: tuple[int, int, int]) -> None:
    image = with_stroke(phantom(1, size=300, centre="B")[0], ink=ink, share=0.02)
    assert flags_of(image, "vahadane").flags == ()


def test_blood_that_is_the_tail_of_the_eosin_is_no_ink() -> None:
    """One per cent of cells of a third more eosin than the rest."""
    amounts = concentrations(1, size=250, seed=0)
    cells = np.zeros((250, 250), np.uint8)
    for at in range(0, 240, 40):
        cv2.circle(cells, (at + 12, (3 * at) % 240 + 5), 5, 1, -1)
    amounts[0][cells > 0], amounts[1][cells > 0] = 0.1, 1.3 * np.percentile(amounts[1], 99)
    image = np.rint(245 * np.exp(-np.moveaxis(amounts, 0, 2) @ np.asarray(REFERENCE_BASIS.matrix))).astype(np.uint8)
    assert flags_of(image, "vahadane").flags == ()


@pytest.mark.data
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["tiatoolbox_target", "torchstain_source", "torchstain_target"])
def test_real_h_and_e_is_flagged_swapped_or_with_a_red_stroke_and_not_as_it_is(real_data, name, method) -> None:
    with open_picture(real_data / "he" / f"{name}.png") as source:
        image = np.asarray(source.read(Box(0, 0, 430, 580)), np.uint8)
    assert flags_of(image, method).flags == ()
    assert any("no H&E" in flag for flag in flags_of(np.ascontiguousarray(image[:, :, ::-1]), method).flags)
    square = np.ascontiguousarray(image[:, :430])
    assert any("ink" in flag for flag in flags_of(with_stroke(square, ink=(225, 25, 40), share=0.01), method).flags)
