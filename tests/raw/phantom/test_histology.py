"""Histology phantoms: repeatable, composed by the law of Beer and Lambert, and true about lesions and stains."""

import json

import numpy as np
import pytest

from pipeline.raw.phantom.histology import CENTRES, NOISE, compose, concentrations, histology_phantom
from pipeline.raw.phantom.shapes import Phantom

SIZE = 192


@pytest.fixture(scope="module")
def phantoms() -> list[Phantom]:
    return [histology_phantom(number, size=SIZE, seed=0) for number in range(8)]


@pytest.fixture(scope="module")
def amounts() -> list[np.ndarray]:
    return [concentrations(number, size=SIZE, seed=0) for number in range(8)]


def beer_lambert(amounts: np.ndarray, facts: dict) -> np.ndarray:
    density = np.tensordot(np.moveaxis(amounts.astype(np.float64), 0, -1), np.array(facts["stain_basis"]), axes=1)
    return np.array(facts["background"]) * np.exp(-density)


def test_the_same_number_size_and_seed_give_the_same_bytes(phantoms, amounts):
    again = histology_phantom(4, size=SIZE, seed=0)
    assert np.array_equal(again.image, phantoms[4].image)
    assert np.array_equal(again.masks["LESION"], phantoms[4].masks["LESION"])
    assert again.facts == phantoms[4].facts
    assert np.array_equal(concentrations(4, size=SIZE, seed=0), amounts[4])


def test_another_number_or_seed_gives_another_image(phantoms):
    images = [phantom.image for phantom in phantoms] + [histology_phantom(0, size=SIZE, seed=1).image]
    assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("size", [64, 193])
def test_image_mask_and_concentrations_have_the_size_that_was_asked_for(size):
    phantom, known = histology_phantom(1, size=size, seed=0), concentrations(1, size=size, seed=0)
    assert phantom.image.shape == (size, size, 3)
    assert phantom.image.dtype == np.uint8
    assert phantom.masks["LESION"].shape == (size, size)
    assert phantom.masks["LESION"].dtype == bool
    assert known.shape == (2, size, size)
    assert known.dtype == np.float32


def test_grey_levels_before_noise_obey_beer_and_lambert(phantoms, amounts):
    for phantom, known in zip(phantoms, amounts, strict=True):
        composed = compose(known, CENTRES[phantom.centre])
        assert np.abs(composed - beer_lambert(known, phantom.facts)).max() < 0.01


def test_the_image_differs_from_that_law_by_noise_and_rounding_only(phantoms, amounts):
    for phantom, known in zip(phantoms, amounts, strict=True):
        residual = phantom.image - beer_lambert(known, phantom.facts)
        assert abs(residual.mean()) < 0.05
        assert residual.std() == pytest.approx(np.sqrt(NOISE**2 + 1 / 12), rel=0.05)
        assert np.abs(residual).max() < 7 * NOISE


def test_bases_are_unit_vectors_and_differ_between_the_three_centres(phantoms):
    assert {phantom.centre for phantom in phantoms} == {"A", "B", "C"}
    bases = np.array([CENTRES[centre].basis for centre in "ABC"])
    assert np.allclose(np.linalg.norm(bases, axis=-1), 1)
    for first, second in [(0, 1), (0, 2), (1, 2)]:
        cosines = (bases[first] * bases[second]).sum(axis=-1)
        assert (np.rad2deg(np.arccos(cosines)) > 4).all()


def test_every_fourth_image_has_no_lesion_and_all_others_have_one(phantoms):
    assert [bool(phantom.masks["LESION"].any()) for phantom in phantoms] == [True, True, True, False] * 2
    assert all(phantom.masks["LESION"].mean() > 0.02 for phantom in phantoms if phantom.masks["LESION"].any())


def test_lesions_hold_more_haematoxylin_than_the_tissue_around(phantoms, amounts):
    for phantom, (haematoxylin, eosin) in zip(phantoms, amounts, strict=True):
        lesion, tissue = phantom.masks["LESION"], eosin > 0.05
        if lesion.any():
            assert haematoxylin[lesion & tissue].mean() > 1.3 * haematoxylin[~lesion & tissue].mean()


def test_glass_around_the_tissue_shows_the_background(phantoms, amounts):
    for phantom, known in zip(phantoms, amounts, strict=True):
        glass = (known == 0).all(axis=0)
        assert 0.05 < glass.mean() < 0.7
        assert np.allclose(phantom.image[glass].mean(axis=0), phantom.facts["background"], atol=0.2)
        assert not (glass & phantom.masks["LESION"]).any()


def test_facts_are_json_and_name_the_largest_concentrations(phantoms, amounts):
    for phantom, known in zip(phantoms, amounts, strict=True):
        facts = json.loads(json.dumps(phantom.facts))
        assert facts["centre"] == phantom.centre
        assert np.allclose(facts["maximal_concentrations"], known.max(axis=(1, 2)))
        assert (facts["lesions"]["LESION"] > 0) == phantom.masks["LESION"].any()


def test_some_images_share_a_patient_and_then_a_centre(phantoms):
    assert phantoms[2].group == phantoms[5].group
    assert phantoms[2].centre == phantoms[5].centre
    assert len({phantom.group for phantom in phantoms}) == 7
