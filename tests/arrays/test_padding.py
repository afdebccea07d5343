"""Padding of images and targets: sizes, values, and what stays."""

import numpy as np
import pytest

from pipeline.arrays.padding import pad_constant, pad_image


def test_padding_mirrors_the_image_and_ignores_the_target() -> None:
    image = np.arange(3 * 2 * 3, dtype=np.uint8).reshape(3, 2, 3)
    padded = pad_image(image, 5)
    assert padded.shape == (3, 5, 5)
    np.testing.assert_array_equal(padded[:, :2, :3], image)
    assert padded[0, 0].tolist() == [0, 1, 2, 1, 0]
    target = pad_constant(np.ones((2, 2, 3), np.uint8), 5, value=255)
    assert target.shape == (2, 5, 5)
    assert (target[:, :2, :3] == 1).all()
    assert (target == 255).sum() == 2 * (25 - 6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (8, 8), (9, 12)])
def test_padding_serves_any_size_and_never_cuts(shape: tuple[int, int]) -> None:
    image = np.full((3, *shape), 9, np.uint8)
    padded = pad_image(image, 8)
    assert padded.shape == (3, max(8, shape[0]), max(8, shape[1]))
    assert (padded == 9).all()
