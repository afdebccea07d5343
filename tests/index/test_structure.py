"""Structure is what a plain recount of gradients finds, and ranks cells above fat, mucus, glass and pen."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.index.image import open_image
from pipeline.index.structure import density_gradient, luminance_gradient, structure
from pipeline.normalized.stain.tissue import tissue_mask
from pipeline.raw.phantom.histology import CENTRES, compose

NO_TRUTH = np.zeros((3, 64, 128), np.uint8)
SIDE = 256


def random_image(seed, height, width):
    return np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (3, height, width)).astype(np.uint8)


def test_the_density_gradient_is_the_central_difference_of_the_red_density_cut_at_one():
    colour = random_image(2, 9, 7)
    density = -np.log(np.maximum(colour[0], 1) / 255)
    wide = np.pad(density, ((0, 0), (1, 1)), mode="edge")
    expected = np.hypot(density[2:] - density[:-2], wide[1:-1, 2:] - wide[1:-1, :-2])
    np.testing.assert_allclose(density_gradient(colour)[1:-1], np.minimum(expected, 1), atol=1e-5)
    assert (expected > 1).any()


def test_the_luminance_gradient_is_the_central_difference_of_the_luminance():
    colour = random_image(2, 9, 7)
    light = np.tensordot([77.0, 150.0, 29.0], colour, axes=1) / 256
    wide = np.pad(light, ((0, 0), (1, 1)), mode="edge")
    expected = np.hypot(light[2:] - light[:-2], wide[1:-1, 2:] - wide[1:-1, :-2]) / 510
    np.testing.assert_allclose(luminance_gradient(colour)[1:-1], expected, atol=1e-5)


@given(seed=st.integers(0, 99), modality=st.sampled_from(["fundus", "histology"]))
def test_structure_is_the_sum_of_gradients_inside_the_roi_over_the_pixels_of_the_box(make, picture, seed, modality):
    colour, random = random_image(seed, 90, 75), np.random.Generator(np.random.PCG64(seed))
    roi = (ndimage.gaussian_filter(random.random((90, 75)), 8) > 0.5).astype(np.uint8)
    image = open_image(make(i=picture(np.zeros((3, 90, 75), np.uint8), colour=colour, roi=roi)).normalized["i"])
    coarse = np.asarray(image.coarse[:])
    assert coarse.shape == (3, 23, 19)
    gradient = {"fundus": luminance_gradient, "histology": density_gradient}[modality]
    steps = gradient(np.pad(coarse, ((0, 0), (1, 1), (0, 0)), mode="edge"))[1:-1]
    steps = steps * ndimage.binary_erosion(roi[::4, ::4], np.ones((3, 3)), border_value=1)
    found = structure(image, np.array([[0, 0, 90, 75], [40, 8, 72, 40]]), modality=modality)
    np.testing.assert_allclose(found, [steps.mean(), steps[10:18, 2:10].mean()], rtol=1e-5, atol=2**-17)


def test_an_even_image_has_no_structure_and_more_contrast_has_more(make, picture):
    colour = np.full((3, 64, 128), 90, np.uint8)
    colour[:, :, 64:] = np.where(np.arange(64) // 16 % 2, 60, 190)
    colour[:, :32, 64:] = np.where(np.arange(64) // 16 % 2, 80, 120)
    image = open_image(make(i=picture(NO_TRUTH, colour=colour)).normalized["i"])
    boxes = np.array([[0, 0, 64, 48], [0, 80, 24, 128], [40, 80, 64, 128]])
    for modality in ("fundus", "histology"):
        even, weak, strong = structure(image, boxes, modality=modality)
        assert even == 0
        assert 0 < weak < strong <= 1


def test_the_rim_of_the_roi_is_no_structure(make, picture):
    colour = np.zeros((3, 64, 128), np.uint8)
    colour[:, :, 40:] = 200
    roi = np.zeros((64, 128), np.uint8)
    roi[:, 40:] = 1
    image = open_image(make(i=picture(NO_TRUTH, colour=colour, roi=roi)).normalized["i"])
    assert structure(image, np.array([[0, 0, 64, 128]]), modality="fundus")[0] == 0


# ----------------------------------------------------------------------- tissues whose order is known, 0.5 µm a pixel


def discs(random, count, radius, *, filled=True):
    mask = np.zeros((SIDE, SIDE), np.float32)
    for y, x in random.integers(0, SIDE, (count, 2)).tolist():
        cv2.circle(mask, (x, y), radius, 1, -1 if filled else 2, cv2.LINE_AA)
    return mask


def amounts(haematoxylin, eosin, random):
    both = np.stack([np.broadcast_to(each, (SIDE, SIDE)) for each in (haematoxylin, eosin)]).astype(np.float32)
    rough = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 2)
    return np.clip(cv2.GaussianBlur(np.moveaxis(both, 0, 2), (0, 0), 0.8) * (1 + 0.3 * rough)[..., None], 0, None)


def glands(random):
    ring = np.zeros((SIDE, SIDE), np.float32)
    nuclei = np.zeros_like(ring)
    for cy in (64, 192):
        for cx in (64, 192):
            cv2.circle(ring, (cx, cy), 44, 1, 24)
            for turn in np.linspace(0, 2 * np.pi, 26, endpoint=False):
                place = (int(cx + 50 * np.cos(turn)), int(cy + 50 * np.sin(turn)))
                cv2.ellipse(nuclei, place, (7, 4), np.degrees(turn), 0, 360, 1, -1)
    scattered = discs(random, 40, 5)
    return amounts(0.1 + np.maximum(0.9 * nuclei, 0.8 * scattered), 0.45 + 0.2 * ring, random)


def cells(random):
    return amounts(0.15 + 0.85 * discs(random, 170, 7), 0.5, random)


def fat(random):
    y, x = np.mgrid[:SIDE, :SIDE]
    centres = np.stack(np.mgrid[20:SIDE:44, 20:SIDE:44], -1).reshape(-1, 2) + random.integers(-5, 6, (36, 2))
    away = np.sort(np.hypot(y[..., None] - centres[:, 0], x[..., None] - centres[:, 1]), axis=-1)
    membrane = (away[..., 1] - away[..., 0] < 3).astype(np.float32)
    return amounts(0.05 * membrane + 0.8 * discs(random, 3, 4) * membrane, 0.5 * membrane, random)


def mucus(random):
    smooth = cv2.GaussianBlur(random.standard_normal((SIDE, SIDE)).astype(np.float32), (0, 0), 20) * 4
    return amounts(np.clip(0.14 + 0.05 * smooth, 0, None), 0.05, random)


def glass(random):
    return np.zeros((SIDE, SIDE, 2), np.float32)


def pen(image, random):
    marked = image.copy()
    for at in (40, 130, 220):
        cv2.line(marked, (0, at), (SIDE, at + 30), (20, 60, 190), 40, cv2.LINE_AA)
    return marked


@pytest.mark.parametrize("centre", sorted(CENTRES))
def test_glands_and_cells_rank_above_fat_mucus_glass_and_pen(make, picture, centre):
    random = np.random.Generator(np.random.PCG64(0))
    tiles = []
    for tissue in (glands, cells, fat, mucus, glass, glass):
        light = compose(np.moveaxis(tissue(random), 2, 0), CENTRES[centre])
        tiles.append(np.clip(np.rint(light + 2 * random.standard_normal(light.shape)), 0, 255).astype(np.uint8))
    tiles[5] = pen(tiles[5], random)
    slide = np.concatenate([np.concatenate(tiles[:3], axis=1), np.concatenate(tiles[3:], axis=1)])
    found = tissue_mask(np.ascontiguousarray(slide[::4, ::4])).astype(np.uint8)
    roi = cv2.resize(found, slide.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    corners = np.array([(y, x, y + SIDE, x + SIDE) for y in (0, SIDE) for x in (0, SIDE, 2 * SIDE)])
    scores = []
    for region in (roi, np.ones_like(roi)):
        data = make(i=picture(np.zeros((3, *roi.shape), np.uint8), colour=np.moveaxis(slide, 2, 0), roi=region))
        scores.append(structure(open_image(data.normalized["i"]), corners, modality="histology"))
    (gland, cell, *others), (bare_gland, bare_cell, *bare) = scores
    assert min(gland, cell) > 1.5 * max(others)
    # Where nobody looked for tissue, only the edges of a pen stand out.
    assert min(bare_gland, bare_cell) > 1.5 * max(bare[:-1])
    assert others[-1] < 0.1 * bare[-1]
