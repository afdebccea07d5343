"""Concentrations in closed form against SPAMS and SciPy."""

import numpy as np
import pytest
import spams
from scipy.optimize import nnls

from pipeline.arrays.optical_density import density_table
from pipeline.errors import ConfigurationError, GeometryError
from pipeline.normalized.stain.basis import StainBasis, gains, haematoxylin_first, unit_rows
from pipeline.normalized.stain.concentrations import concentrations
from pipeline.seeds import stream
from tests.normalized.slides import WHITE, every_colour


def basis(matrix, background=WHITE, maxima=(1.0, 1.0)):
    rows = np.asarray(matrix, np.float64)
    return StainBasis.of(rows / np.linalg.norm(rows, axis=1)[:, None], np.array(maxima), background)


def turned(degrees):
    """Two vectors that many degrees apart, in the plane of a haematoxylin and an eosin."""
    first = np.array([0.62, 0.71, 0.34]) / np.linalg.norm([0.62, 0.71, 0.34])
    across = np.array([0.16, 0.87, 0.46]) - (np.array([0.16, 0.87, 0.46]) @ first) * first
    across /= np.linalg.norm(across)
    return [first, np.cos(np.radians(degrees)) * first + np.sin(np.radians(degrees)) * across]


BASES = {
    "usual": basis([[0.62, 0.71, 0.34], [0.16, 0.87, 0.46]], (243.0, 241.0, 244.0)),
    "nearly parallel": basis(turned(1.0)),
    "apart": basis(turned(35.0), (255.0, 200.0, 220.0)),
    "axes": basis([[1, 0, 0], [0, 1, 0]]),
    "one axis": basis([[0.5, 0.7, 0.5], [0, 0, 1]]),
    "swapped": basis([[0.1, 0.9, 0.3], [0.7, 0.6, 0.3]]),
}


def density(colours, background):
    table = density_table(background).astype(np.float64)
    return np.stack([table[colours[:, channel], channel] for channel in range(3)], axis=1)


@pytest.mark.parametrize("name", BASES)
@pytest.mark.parametrize("sparsity", [0.01, 0.1, 0.5])
def test_equal_to_the_lasso_of_spams(name, sparsity):
    colours, used = every_colour(431), BASES[name]
    dictionary = np.asfortranarray(np.array(used.matrix).T)
    pixels = np.asfortranarray(density(colours, used.background).T)
    expected = spams.lasso(pixels, D=dictionary, lambda1=sparsity, mode=2, pos=True, numThreads=1).toarray()
    found = concentrations(colours, basis=used, sparsity=sparsity)
    # Where both stains correlate with the pixel to the same last bit, SPAMS gives up and answers 0.
    tie = (expected == 0).all(axis=0) & (abs(np.diff(dictionary.T @ pixels, axis=0)[0]) < 1e-12)
    assert tie.mean() < 0.01
    np.testing.assert_allclose(found[:, ~tie], expected[:, ~tie], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", BASES)
def test_without_sparsity_equal_to_non_negative_least_squares(name):
    colours, used = every_colour(16411), BASES[name]
    matrix = np.array(used.matrix).T
    expected = np.array([nnls(matrix, pixel)[0] for pixel in density(colours, used.background)]).T
    np.testing.assert_allclose(concentrations(colours, basis=used, sparsity=0.0), expected, atol=1e-5, rtol=0)


def test_no_choice_of_amounts_is_better():
    """Against the definition itself, over a fine grid around the answer."""
    colours, used, sparsity = every_colour(262147), BASES["usual"], 0.05
    found, matrix = concentrations(colours, basis=used, sparsity=sparsity).T.astype(np.float64), np.array(used.matrix)
    pixels = density(colours, used.background)

    def loss(amounts):
        return 0.5 * ((pixels - amounts @ matrix) ** 2).sum(axis=1) + sparsity * amounts.sum(axis=1)

    for change in np.array(np.meshgrid([-0.02, 0, 0.02], [-0.02, 0, 0.02])).reshape(2, -1).T:
        assert (loss(np.maximum(found + change, 0)) >= loss(found) - 1e-7).all()


def test_every_colour_gives_finite_amounts_of_at_least_zero():
    colours = every_colour(53)
    for used in BASES.values():
        found = concentrations(colours, basis=used, sparsity=0.01)
        assert np.isfinite(found).all()
        assert (found >= 0).all()
        assert found.dtype == np.float32


def test_the_shape_of_the_image_is_kept_and_pixels_do_not_touch_each_other():
    image = stream(0, "concentrations").integers(0, 256, (13, 17, 3), dtype=np.uint8)
    whole = concentrations(image, basis=BASES["usual"], sparsity=0.01)
    assert whole.shape == (2, 13, 17)
    np.testing.assert_array_equal(
        concentrations(image[3:9, 4:5], basis=BASES["usual"], sparsity=0.01), whole[:, 3:9, 4:5]
    )
    assert concentrations(image[:0], basis=BASES["usual"], sparsity=0.01).shape == (2, 0, 17)


def test_what_is_no_rgb_image_is_refused():
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(GeometryError, match="not RGB"):
            concentrations(wrong, basis=BASES["usual"], sparsity=0.0)


H, E = (0.6, 0.8, 0.0), (0.0, 0.8, 0.6)


@pytest.mark.parametrize(
    ("matrix", "maxima", "background"),
    [
        ((H, H), (1.0, 1.0), WHITE),
        ((H, (0.0, 0.8, 0.7)), (1.0, 1.0), WHITE),
        ((H, (-0.6, 0.8, 0.0)), (1.0, 1.0), WHITE),
        ((H, (0.0, 0.0, 0.0)), (1.0, 1.0), WHITE),
        ((H, (float("nan"), 0.8, 0.6)), (1.0, 1.0), WHITE),
        ((H, E), (-0.1, 1.0), WHITE),
        ((H, E), (float("inf"), 1.0), WHITE),
        ((H, E), (1.0, 1.0), (0.0, 255.0, 255.0)),
        ((H, E), (1.0, 1.0), (256.0, 255.0, 255.0)),
    ],
)
def test_numbers_that_are_no_basis_are_refused(matrix, maxima, background):
    with pytest.raises(ConfigurationError, match="no stain"):
        StainBasis(matrix, maxima, background)


def test_haematoxylin_comes_first_whatever_the_order():
    rows = np.array(BASES["usual"].matrix)
    np.testing.assert_array_equal(haematoxylin_first(rows), rows)
    np.testing.assert_array_equal(haematoxylin_first(rows[::-1]), rows)


def test_rows_without_a_direction_are_none():
    assert unit_rows(np.array([[-1.0, 0, 0], [0, 1, 0]])) is None
    assert unit_rows(np.array([[np.nan, 0, 0], [0, 1, 0]])) is None
    np.testing.assert_allclose(unit_rows(np.array([[3.0, -1, 4], [0, 2, 0]])), [[0.6, 0, 0.8], [0, 1, 0]])


def test_gains_are_limited_also_where_there_is_nothing():
    np.testing.assert_array_equal(gains((2.0, 0.1, 0.0), (1.0, 1.0, 1.0), most=5.0), [0.5, 5.0, 5.0])
