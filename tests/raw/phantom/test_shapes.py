"""Stamps and noise of phantoms."""

import numpy as np
import pytest

from pipeline.raw.phantom.shapes import blob, smooth_noise, soft_step, streak
from pipeline.seeds import stream


def test_a_blob_without_roughness_is_the_ellipse_of_its_half_axes():
    stamp = blob(
        stream(0, "test"),
        centre=(30.0, 40.0),
        radius=8,
        aspect=2.25,
        angle=0.0,
        roughness=0,
        softness=1,
        shape=(64, 90),
    )
    mask = np.zeros((64, 90), dtype=bool)
    mask[stamp.slices] = stamp.opacity >= 0.5
    y, x = np.mgrid[:64, :90]
    assert np.array_equal(mask, np.hypot((x - 40) / 12, (y - 30) / (8 / 1.5)) <= 1)


def test_the_angle_of_a_blob_turns_its_long_axis_from_x_towards_y():
    stamp = blob(
        stream(0, "test"), centre=(50, 50), radius=10, aspect=4, angle=np.pi / 4, roughness=0, shape=(100, 100)
    )
    opacity = np.zeros((100, 100))
    opacity[stamp.slices] = stamp.opacity
    assert opacity[60, 60] == 1
    assert opacity[40, 60] == 0


@pytest.mark.parametrize("centre", [(0, 0), (39, 59), (-4, 20), (20, 64)])
def test_stamps_are_cut_at_the_border_of_the_image(centre):
    shape = (40, 60)
    whole = np.zeros((140, 160), dtype=np.float32)
    inner, outer = stream(0, "test"), stream(0, "test")
    stamp = blob(inner, centre=centre, radius=9, shape=shape)
    moved = blob(outer, centre=(centre[0] + 50, centre[1] + 50), radius=9, shape=whole.shape)
    whole[moved.slices] = moved.opacity
    part = np.zeros(shape, dtype=np.float32)
    part[stamp.slices] = stamp.opacity
    assert np.allclose(part, whole[50:90, 50:110], atol=1e-5)


def test_a_streak_is_longer_along_its_angle_than_across():
    stamp = streak(stream(0, "test"), centre=(60, 60), length=30, width=8, angle=np.pi / 2, shape=(120, 120))
    y, x = np.nonzero(stamp.opacity >= 0.5)
    assert np.ptp(y) > 2 * np.ptp(x)


def test_a_soft_step_is_one_half_on_the_border():
    assert soft_step(np.array([-9, -1, 0, 1, 9], dtype=np.float32), 4.0).tolist() == [0, 0.25, 0.5, 0.75, 1]


@pytest.mark.parametrize("wavelength", [0.4, 3.7, 25, 400])
def test_noise_has_the_shape_asked_for_whatever_its_wavelength(wavelength):
    noise = smooth_noise(stream(0, "test"), (37, 51), wavelength)
    assert noise.shape == (37, 51)
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()


def test_noise_of_longer_wavelength_is_smoother():
    steps = [np.abs(np.diff(smooth_noise(stream(0, "test"), (200, 200), length))).mean() for length in (2, 8, 32)]
    assert steps[0] > 2 * steps[1] > 4 * steps[2]
