"""Stain vectors of slides whose stains are known: by a sparse dictionary, and by the plane of densities."""

import functools
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from pipeline.arrays.optical_density import optical_density
from pipeline.normalized.stain.basis import REFERENCE_BASIS, angle
from pipeline.normalized.stain.colour_table import ColourTable
from pipeline.normalized.stain.macenko import macenko_basis
from pipeline.normalized.stain.vahadane import vahadane_basis
from pipeline.seeds import stream
from tests.normalized.slides import WHITE, phantom, sample_of, table_of, tissue

CASES = [(centre, strength) for centre in "ABC" for strength in (0.5, 1.0, 2.0)]
DENSE = 0.15


@functools.cache
def slide(centre, strength):
    """Sample, colour table and laboratory of a phantom."""
    image, laboratory = phantom(1, size=400, centre=centre, strength=strength)
    include = tissue(image, laboratory.background)
    return sample_of(image, include), table_of(image, include), laboratory


def learned(centre, strength, *, sparsity):
    colours, _, laboratory = slide(centre, strength)
    density = optical_density(colours, i0=laboratory.background)
    colours = colours[np.linalg.norm(density, axis=1) > DENSE]
    return vahadane_basis(colours, background=laboratory.background, sparsity=sparsity, iterations=200)


def errors(matrix, laboratory):
    return [angle(matrix[stain], np.array(laboratory.basis[stain])) for stain in range(2)]


def check_basis(matrix):
    assert matrix.shape == (2, 3)
    assert (matrix >= 0).all()
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(("centre", "strength"), CASES)
@pytest.mark.parametrize(("sparsity", "most"), [(0.1, (9.5, 11.0)), (0.02, (7.5, 6.5))])
def test_a_dictionary_finds_the_stains_of_a_phantom(centre, strength, sparsity, most):
    matrix = learned(centre, strength, sparsity=sparsity)
    check_basis(matrix)
    haematoxylin, eosin = errors(matrix, slide(centre, strength)[2])
    assert haematoxylin < most[0]
    assert eosin < most[1]


@pytest.mark.parametrize(("centre", "strength"), CASES)
def test_the_plane_finds_the_stains_of_a_phantom(centre, strength):
    _, table, laboratory = slide(centre, strength)
    matrix = macenko_basis(table, background=laboratory.background, least_density=DENSE, extreme_angle=1.0)
    check_basis(matrix)
    haematoxylin, eosin = errors(matrix, laboratory)
    assert haematoxylin < 6
    assert eosin < 3


def test_less_sparsity_gives_vectors_that_are_farther_apart():
    apart = [angle(*learned("A", 1.0, sparsity=sparsity)) for sparsity in (0.2, 0.1, 0.05, 0.02, 0.01)]
    assert apart == sorted(apart)


def test_colours_of_two_pure_stains_are_those_stains():
    rng, matrix = stream(0, "pure"), np.array(REFERENCE_BASIS.matrix)[::-1]
    amounts = rng.gamma(2.0, 0.4, (30_000, 2)) * (rng.random((30_000, 2)) < 0.5)
    colours = np.rint(255 * np.exp(-amounts @ matrix)).astype(np.uint8)
    found = vahadane_basis(colours[amounts.sum(axis=1) > 0.2], background=WHITE, sparsity=0.01, iterations=200)
    plane = macenko_basis(table_of(colours[None]), background=WHITE, least_density=DENSE, extreme_angle=1.0)
    for at in range(2):
        assert angle(found[at], matrix[1 - at]) < 0.7
        assert angle(plane[at], matrix[1 - at]) < 0.7


def test_the_plane_of_a_table_is_the_plane_of_its_pixels():
    """Counts stand for repeated pixels: against covariance and percentiles of all of them."""
    colours, table, laboratory = slide("B", 1.0)
    density = optical_density(colours, i0=laboratory.background).astype(np.float64)
    density = density[np.linalg.norm(density, axis=1) > DENSE]
    plane = np.linalg.eigh(np.cov(density.T))[1][:, [2, 1]]
    flat = density @ (plane * np.where(plane.sum(axis=0) < 0, -1, 1))
    edges = np.percentile(np.arctan2(flat[:, 1], flat[:, 0]), [1, 99])
    expected = (plane * np.where(plane.sum(axis=0) < 0, -1, 1)) @ np.array([np.cos(edges), np.sin(edges)])
    found = macenko_basis(table, background=laboratory.background, least_density=DENSE, extreme_angle=1.0)
    closest = [min(angle(row, expected[:, at]) for at in range(2)) for row in found]
    assert max(closest) < 1e-6


PICTURES = {
    "nothing": np.empty((0, 3), np.uint8),
    "one pixel": np.array([[150, 80, 160]], np.uint8),
    "glass": np.full((900, 3), 255, np.uint8),
    "nearly glass": np.full((900, 3), 254, np.uint8),
    "black": np.zeros((900, 3), np.uint8),
    "constant": np.full((900, 3), [150, 80, 160], np.uint8),
    "red": np.full((900, 3), [255, 0, 0], np.uint8),
    "cyan": np.full((900, 3), [0, 255, 255], np.uint8),
    "primaries": np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]] * 300, np.uint8),
    "noise": stream(0, "noise").integers(0, 256, (3000, 3), dtype=np.uint8),
    "grey": np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1),
    "single stain": np.rint(255 * np.exp(-np.outer(np.linspace(0, 2, 2000), [0.16, 0.87, 0.46]))).astype(np.uint8),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("background", [WHITE, (200.0, 210.0, 205.0)])
def test_any_colours_give_unit_vectors_or_none(name, background):
    colours = PICTURES[name]
    for sparsity, iterations in ((0.1, 50), (0.01, 51), (0.0, 1)):
        matrix = vahadane_basis(colours, background=background, sparsity=sparsity, iterations=iterations)
        if matrix is not None:
            check_basis(matrix)
    table = table_of(colours[None]) if colours.size else ColourTable(np.empty((0, 3), np.uint8), np.empty(0, np.int64))
    for least, extreme in ((0.15, 1.0), (1e-6, 0.0), (3.0, 49.0)):
        matrix = macenko_basis(table, background=background, least_density=least, extreme_angle=extreme)
        if matrix is not None:
            check_basis(matrix)


SCRIPT = textwrap.dedent("""
    import numpy as np
    from pipeline.normalized.stain.vahadane import vahadane_basis
    from pipeline.seeds import stream
    colours = stream(0, "process").integers(20, 250, (30_000, 3), dtype=np.uint8)
    print(vahadane_basis(colours, background=(250.0, 248.0, 251.0), sparsity=0.02, iterations=200).tobytes().hex())
""")


def in_a_process():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_same_sample_gives_the_same_bytes_here_and_in_another_process():
    colours = stream(0, "process").integers(20, 250, (30_000, 3), dtype=np.uint8)
    options = {"background": (250.0, 248.0, 251.0), "sparsity": 0.02, "iterations": 200}
    first = vahadane_basis(colours, **options)
    vahadane_basis(colours[:5000], **{**options, "iterations": 7})
    np.testing.assert_array_equal(vahadane_basis(colours, **options), first)
    assert in_a_process() == first.tobytes().hex()


@pytest.mark.slow
def test_ten_processes_give_the_same_bytes():
    assert len({in_a_process() for _ in range(10)}) == 1
