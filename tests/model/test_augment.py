"""Random changes: image and target together, and only by the seed."""

import random

import numpy as np
import pytest

from pipeline.config import Augmentation
from pipeline.model.augment import build_augmenter
from pipeline.seeds import stream

SURE = {kind: Augmentation(kind=kind, probability=1.0, brightness=0.0, noise=0.0) for kind in ("fundus", "histology")}


def patch(planes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Smooth grey blobs, and the mask of what is bright in them."""
    y, x = np.mgrid[:64, :64]
    grey = (127 + 60 * np.sin(y / 9) + 60 * np.cos(x / 7 + y / 30)).astype(np.uint8)
    mask = (grey > 150).astype(np.uint8)
    return np.stack([grey] * 3), mask if planes is None else np.stack([mask] * planes)


@pytest.mark.parametrize("kind", ["fundus", "histology"])
@pytest.mark.parametrize("planes", [None, 1, 5, 6])
def test_target_goes_where_the_image_goes(kind: str, planes: int | None) -> None:
    changes = build_augmenter(SURE[kind])
    image, target = patch(planes)
    for seed in range(20):
        moved, mask = changes(image, target, seed=seed)
        assert moved.shape == image.shape
        assert mask.shape == target.shape
        assert mask.dtype == moved.dtype == np.uint8
        agreement = ((moved[0] > 150) == (mask if planes is None else mask[-1])).mean()
        assert agreement > 0.95, "the brightness that defines the mask must still define it"
        assert not np.array_equal(moved, image)
        if planes is not None:
            assert (mask == mask[0]).all()


def test_ignored_pixels_stay_ignored_and_labels_stay_labels() -> None:
    changes = build_augmenter(SURE["fundus"])
    image, target = patch()
    target[40:] = 255
    for seed in range(20):
        _, mask = changes(image, target, seed=seed)
        assert set(np.unique(mask)) <= {0, 1, 255}


@pytest.mark.parametrize("kind", ["fundus", "histology"])
def test_the_seed_alone_decides(kind: str) -> None:
    settings = Augmentation(kind=kind)
    image, target = patch()
    first, second = build_augmenter(settings), build_augmenter(settings)
    for warm in range(5):
        second(image, target, seed=1000 + warm)
    np.random.rand(3)  # noqa: NPY002 global state is the point
    random.random()
    for seed in range(10):
        for one, other in zip(first(image, target, seed=seed), second(image, target, seed=seed), strict=True):
            np.testing.assert_array_equal(one, other)


def test_changes_touch_no_global_state() -> None:
    image, target = patch()
    changes = build_augmenter(Augmentation(probability=1.0))
    before, python = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    changes(image, target, seed=0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert random.getstate() == python


def test_the_input_is_left_alone() -> None:
    image, target = patch()
    copies = image.copy(), target.copy()
    build_augmenter(Augmentation(probability=1.0))(image, target, seed=5)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(target, copies[1])


def test_flips_are_drawn_independently_of_each_other() -> None:
    """A seed shared by all transforms would flip both ways or neither."""
    changes = build_augmenter(Augmentation(scale=0, rotate=0, brightness=0, noise=0))
    corner = np.zeros((3, 32, 32), np.uint8)
    corner[:, :12, :12] = 255
    target = corner[0] // 255
    seen = set()
    for seed in range(60):
        _, mask = changes(corner, target, seed=int(stream(1, seed).integers(2**31)))
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        seen.add((bool(rows[:8].any()), bool(columns[:8].any())))
    assert len(seen) == 4


def test_noise_and_brightness_change_the_image_but_never_the_target() -> None:
    image, target = patch()
    changes = build_augmenter(Augmentation(scale=0, rotate=0, probability=1.0))
    turned = build_augmenter(Augmentation(scale=0, rotate=0, probability=1.0, noise=0, brightness=0))
    moved, mask = changes(image, target, seed=3)
    plain, plain_mask = turned(image, target, seed=3)
    assert mask.sum() == pytest.approx(plain_mask.sum(), rel=0.1)
    assert not np.array_equal(moved, plain)


@pytest.mark.parametrize("settings", [Augmentation(kind="none"), Augmentation(probability=0.0)])
def test_no_changes_can_be_asked_for(settings: Augmentation) -> None:
    assert build_augmenter(settings) is None
