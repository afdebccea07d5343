"""The one interface: any partition gives the same bytes, no input breaks it, and what cannot be trusted is flagged."""

import functools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.arrays.optical_density import background_intensity
from pipeline.config import Stain
from pipeline.errors import ConfigurationError
from pipeline.geometry import Box
from pipeline.normalized.stain.basis import angle
from pipeline.normalized.stain.colour_table import ColourTable
from pipeline.normalized.stain.concentrations import concentrations
from pipeline.normalized.stain.method import block_concentrations, estimate, median_target, normalise
from pipeline.normalized.stain.record import REFERENCE, Estimate, read_estimate
from pipeline.normalized.stain.reinhard import lab
from pipeline.seeds import stream
from tests.normalized.slides import WHITE, estimate_of, partitions, phantom, table_of, tissue

METHODS = ("vahadane", "macenko", "reinhard", "none")
FALLBACKS = ("reference", "macenko", "keep")


@functools.cache
def slide(centre="A", strength=1.0):
    """A phantom, its tissue and its background."""
    image, laboratory = phantom(1, size=300, centre=centre, strength=strength)
    return image, tissue(image, laboratory.background), laboratory.background


def quick(**changed):
    return Stain(**{"iterations": 40, "sample": 20_000, **changed})


def with_noise(colour, *, size=100):
    noise = stream(0, "noise").normal(0, 2, (size, size, 3))
    return np.clip(np.asarray(colour) + noise, 0, 255).astype(np.uint8)


def stained(amounts, matrix, *, light=WHITE):
    return np.rint(np.asarray(light) * np.exp(-amounts @ np.asarray(matrix))).astype(np.uint8)


def amounts_of(haematoxylin, eosin, *, size=120):
    rng = stream(0, "amounts")
    pure = rng.random((size, size, 1)) < np.array([0.5, 1.0])
    return rng.gamma(2.0, 0.5, (size, size, 2)) * pure * np.array([haematoxylin, eosin])


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=8)
@given(data=st.data())
def test_estimate_and_output_do_not_depend_on_how_the_slide_is_cut(method, data):
    image, include, background = slide()
    height, width = data.draw(st.integers(60, 300)), data.draw(st.integers(60, 300))
    image, include = image[:height, :width], include[:height, :width]
    boxes, options = data.draw(partitions(height, width)), quick(method=method, least_tissue=500)
    whole = estimate_of(image, options, background=background, include=include)
    cut = estimate_of(image, options, background=background, include=include, boxes=boxes)
    assert cut == whole
    assert whole.to_json() == cut.to_json()
    expected = normalise(image, estimate=whole, target=REFERENCE, settings=options)
    for box in boxes:
        part = normalise(image[box.slices], estimate=cut, target=REFERENCE, settings=options)
        np.testing.assert_array_equal(part, expected[:, box.y0 : box.y1, box.x0 : box.x1], strict=True)


@pytest.mark.parametrize("method", ["vahadane", "macenko", "reinhard"])
@pytest.mark.parametrize("centre", ["A", "B", "C"])
def test_a_good_slide_has_no_flags_and_its_glass_comes_out_neutral(method, centre):
    image, include, background = slide(centre)
    found = estimate_of(image, quick(method=method), background=background, include=include)
    assert (found.used, found.flags) == (method, ())
    assert found.tissue_pixels == include.sum()
    assert 0 < found.sample_pixels <= found.tissue_pixels
    glass = np.full((2, 2, 3), background, np.uint8)
    assert (normalise(glass, estimate=found, target=REFERENCE, settings=quick(method=method)) == 255).all()


@pytest.mark.parametrize("method", ["vahadane", "macenko"])
def test_percentiles_are_those_of_all_tissue_pixels(method):
    image, include, background = slide()
    options = quick(method=method, percentile=97.3)
    found = estimate_of(image, options, background=background, include=include)
    sparsity = 0.0 if method == "macenko" else options.sparsity
    amounts = concentrations(image[include], basis=found.basis, sparsity=sparsity).astype(np.float64)
    assert found.maxima == tuple(np.percentile(amounts, 97.3, axis=1))


@pytest.mark.parametrize("method", ["vahadane", "macenko", "reinhard"])
def test_centres_look_more_alike_afterwards(method):
    """The same tissue from three centres at two strengths: colours differ less than before, and less than half."""
    before, after = [], []
    for centre, strength in (("A", 1.0), ("B", 0.6), ("C", 1.5)):
        image, include, background = slide(centre, strength)
        found = estimate_of(image, quick(method=method), background=background, include=include)
        mapped = np.moveaxis(normalise(image, estimate=found, target=REFERENCE, settings=quick(method=method)), 0, 2)
        before.append(np.median(lab(image[include], background=WHITE), axis=0))
        after.append(np.median(lab(mapped[include], background=WHITE), axis=0))
    assert np.std(after, axis=0).sum() < np.std(before, axis=0).sum() / 2


def test_nuclei_are_blue_and_stroma_is_pink_in_the_shipped_look():
    nucleus, stroma = stained(np.array([[REFERENCE.maxima[0], 0.0], [0.0, REFERENCE.maxima[1]]]), REFERENCE.matrix)
    assert nucleus[2] > nucleus[0] > 0
    assert nucleus[2] > nucleus[1]
    assert stroma[0] > 200
    assert stroma[0] > stroma[2] > stroma[1]


def test_the_target_of_the_slide_itself_keeps_its_colours():
    image, include, background = slide()
    options = quick(method="macenko")
    found = estimate_of(image, options, background=background, include=include)
    mapped = np.moveaxis(normalise(image, estimate=found, target=found, settings=options), 0, 2)
    on_white = np.minimum(image / np.array(background) * 255, 255)
    assert np.abs(mapped[include] - on_white[include]).mean() < 2.5


def test_method_none_and_a_slide_that_is_left_keep_every_byte():
    image = slide()[0]
    for found in (Estimate("none", "none", WHITE), Estimate("vahadane", "none", WHITE, flags=("bad",))):
        same = normalise(image, estimate=found, target=REFERENCE, settings=quick())
        np.testing.assert_array_equal(same, np.moveaxis(image, 2, 0))
        assert same.flags.c_contiguous


def stains(first, second):
    rows = np.array([first, second])
    return rows / np.linalg.norm(rows, axis=1)[:, None]


USUAL = stains((0.62, 0.71, 0.34), (0.16, 0.87, 0.46))
CLOSE = stains((0.40, 0.80, 0.44), (0.36, 0.82, 0.45))
GREEN = stains((0.62, 0.71, 0.34), (0.98, 0.15, 0.10))

# What the picture is on glass of some light, and a word of a flag where it must be that one.
BAD = {
    "blank": (lambda light: np.full((100, 100, 3), light, np.uint8), "stained tissue"),
    "nearly blank": (lambda light: with_noise(np.array(light) - 4), "stained tissue"),
    "black": (lambda _: np.zeros((100, 100, 3), np.uint8), ""),
    "constant": (lambda _: np.full((100, 100, 3), [160, 90, 170], np.uint8), "parallel"),
    "noise around a colour": (lambda _: with_noise((160, 90, 170)), ""),
    "one pixel": (lambda _: np.full((1, 1, 3), [160, 90, 170], np.uint8), "too little tissue"),
    "a line": (lambda _: slide()[0][150:151], "too little tissue"),
    "no pixel": (lambda _: np.empty((0, 5, 3), np.uint8), "too little tissue"),
    "haematoxylin only": (lambda light: stained(amounts_of(1.0, 0.0), USUAL, light=light), ""),
    "eosin only": (lambda light: stained(amounts_of(0.0, 1.0), USUAL, light=light), ""),
    "very weak": (lambda light: stained(amounts_of(0.08, 0.05), USUAL, light=light), ""),
    "close stains": (lambda light: stained(amounts_of(1.0, 0.7), CLOSE, light=light), "parallel"),
    "another stain": (lambda light: stained(amounts_of(1.0, 1.0), GREEN, light=light), "far from"),
    "red": (lambda _: np.full((100, 100, 3), [255, 0, 0], np.uint8), ""),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("method", ["vahadane", "macenko", "reinhard"])
@pytest.mark.parametrize("fallback", FALLBACKS)
@pytest.mark.parametrize("background", [WHITE, (201.0, 215.0, 210.0)])
def test_bad_slides_go_through_with_a_flag(name, method, fallback, background):
    (picture, words), options = BAD[name], quick(method=method, fallback=fallback)
    image = picture(background)
    found = estimate_of(image, options, background=background)
    assert Estimate.from_json(found.to_json()) == found
    if method != "reinhard":
        assert found.flags
        assert any(words in flag for flag in found.flags)
        assert found.used == {"keep": "none"}.get(fallback, found.used)
        assert found.used != method
    else:
        assert found.used == ("none" if found.flags else "reinhard")
    for target in (REFERENCE, found):
        if target.used == "none":
            continue
        mapped = normalise(image, estimate=found, target=target, settings=options)
        assert mapped.shape == (3, *image.shape[:2])
    if found.matrix is not None:
        assert min(min(row) for row in found.matrix) >= 0
        assert np.isfinite(found.maxima).all()
        assert np.isfinite(block_concentrations(image, estimate=found, settings=options)).all()


def test_all_tissue_is_no_problem():
    image, include, background = slide()
    inside = image[include][:10_000].reshape(100, 100, 3)
    assert estimate_of(inside, quick(), background=background).flags == ()


def test_an_empty_table_takes_the_reference_as_it_is():
    found = estimate(
        ColourTable(np.empty((0, 3), np.uint8), np.empty(0, np.int64)),
        np.empty((0, 3), np.uint8),
        background=WHITE,
        settings=quick(),
    )
    assert (found.used, found.matrix, found.maxima) == ("reference", REFERENCE.matrix, REFERENCE.maxima)
    assert found.tissue_pixels == 0


def test_the_fallback_reference_has_the_percentiles_of_the_slide():
    image, include, background = slide("B")
    options = quick(most_deviation=1.0)
    found = estimate_of(image, options, background=background, include=include)
    assert (found.used, found.matrix) == ("reference", REFERENCE.matrix)
    amounts = concentrations(image[include], basis=found.basis, sparsity=options.sparsity).astype(np.float64)
    assert found.maxima == tuple(np.percentile(amounts, 99, axis=1))
    assert all(flag.startswith("vahadane: ") for flag in found.flags)


def test_the_fallback_macenko_is_tried_next_and_the_reference_last():
    image, include, background = slide("B")
    dictionary = estimate_of(image, quick(), background=background, include=include)
    plane = estimate_of(image, quick(method="macenko"), background=background, include=include)
    between = (dictionary.angles["between"] + plane.angles["between"]) / 2
    assert dictionary.angles["between"] < between
    found = estimate_of(image, quick(least_angle=between, fallback="macenko"), background=background, include=include)
    assert (found.used, found.matrix) == ("macenko", plane.matrix)
    assert [flag.split(":")[0] for flag in found.flags] == ["vahadane"]
    found = estimate_of(image, quick(least_angle=80, fallback="macenko"), background=background, include=include)
    assert found.used == "reference"
    assert [flag.split(":")[0] for flag in found.flags] == ["vahadane", "macenko"]


def test_a_slide_without_eosin_says_so():
    image = stained(amounts_of(1.0, 0.0), USUAL)
    found = estimate_of(image, quick())
    assert any("single stain: eosin is weak" in flag for flag in found.flags)


def test_the_settings_of_the_sample_do_not_change_the_percentiles_of_given_vectors():
    image, include, background = slide()
    options = {"background": background, "include": include}
    few, many = (
        estimate_of(image, quick(fallback="reference", most_deviation=0.5, sample=n), **options) for n in (500, 20_000)
    )
    assert few.maxima == many.maxima


def test_concentration_maps_are_those_of_the_estimate_in_half_precision():
    image, include, background = slide()
    found = estimate_of(image, quick(), background=background, include=include)
    maps = block_concentrations(image[:50], estimate=found, settings=quick())
    expected = concentrations(image[:50], basis=found.basis, sparsity=quick().sparsity)
    np.testing.assert_array_equal(maps, expected.astype(np.float16), strict=True)
    np.testing.assert_array_equal(
        block_concentrations(image[:50, 7:9], estimate=found, settings=quick()), maps[:, :, 7:9]
    )
    with pytest.raises(ConfigurationError, match="no stains"):
        block_concentrations(image, estimate=Estimate("none", "none", WHITE), settings=quick())


def test_a_target_without_the_numbers_that_are_needed_is_refused():
    image, include, background = slide()
    dictionary = estimate_of(image, quick(), background=background, include=include)
    moments = estimate_of(image, quick(method="reinhard"), background=background, include=include)
    for found, target in ((dictionary, moments), (moments, dictionary), (moments, Estimate("none", "none", WHITE))):
        with pytest.raises(ConfigurationError, match="does not serve"):
            normalise(image, estimate=found, target=target, settings=quick())


def test_the_median_target_is_in_the_middle_and_leaves_flagged_slides_out():
    options = quick(method="macenko")
    found = [estimate_of(slide(c)[0], options, background=slide(c)[2], include=slide(c)[1]) for c in "ABC"]
    spoilt = replace(REFERENCE, maxima=(90.0, 90.0), flags=("macenko: eosin is weak",))
    target = median_target([*found, spoilt, Estimate("macenko", "none", WHITE)])
    assert target == median_target([spoilt, *found[::-1]])
    assert target.method == "median"
    assert target.maxima == tuple(np.median([each.maxima for each in found], axis=0))
    rows = np.median([each.matrix for each in found], axis=0)
    for at in range(2):
        assert angle(np.array(target.matrix[at]), rows[at]) == pytest.approx(0, abs=1e-6)
        assert np.linalg.norm(target.matrix[at]) == pytest.approx(1)
    assert Estimate.from_json(target.to_json()) == target
    moments = [
        Estimate("reinhard", "reinhard", WHITE, mean=(m, 0.0, 0.0), deviation=(m, 1.0, 1.0)) for m in (1.0, 9.0, 2.0)
    ]
    assert (median_target(moments).mean, median_target(moments).deviation) == ((2.0, 0.0, 0.0), (2.0, 1.0, 1.0))


@pytest.mark.parametrize("estimates", [[], [replace(REFERENCE, flags=("bad",))], [Estimate("none", "none", WHITE)]])
def test_without_a_trusted_slide_the_median_is_the_reference(estimates):
    assert median_target(estimates) == REFERENCE


@pytest.mark.data
@pytest.mark.parametrize("name", ["tiatoolbox_target", "torchstain_source"])
@pytest.mark.parametrize("method", ["vahadane", "macenko", "reinhard"])
def test_real_tissue_has_no_flags_and_keeps_its_structure(real_data, name, method):
    image = cv2.cvtColor(cv2.imread(str(real_data / "he" / f"{name}.png")), cv2.COLOR_BGR2RGB)
    background = background_intensity(np.stack([np.bincount(image[:, :, c].ravel(), minlength=256) for c in range(3)]))
    include, options = tissue(image, background), Stain(method=method)
    found = estimate_of(image, options, background=background, include=include)
    assert (found.used, found.flags) == (method, ())
    mapped = np.moveaxis(normalise(image, estimate=found, target=REFERENCE, settings=options), 0, 2)
    before, after = (lab(pixels, background=WHITE)[:, :, 0].ravel() for pixels in (image, mapped))
    assert np.corrcoef(before, after)[0, 1] > 0.9
    half = Box(0, 0, image.shape[0], image.shape[1] // 2)
    part = normalise(image[half.slices], estimate=found, target=REFERENCE, settings=options)
    np.testing.assert_array_equal(np.moveaxis(part, 0, 2), mapped[half.slices])


def test_reading_is_offered_where_the_rest_is(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        read_estimate(tmp_path / "nowhere.json")
    assert table_of(slide()[0]).pixels == slide()[0].size // 3
