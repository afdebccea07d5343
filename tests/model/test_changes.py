"""Random changes one by one: each equals an independent reference, and geometry moves image and target alike."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from pipeline.config import ModelSettings
from pipeline.config.augmentation import (
    Blur,
    BrightnessContrast,
    Change,
    Flips,
    Gamma,
    HueSaturation,
    LowResolution,
    Noise,
    Scale,
    StainChange,
    Tint,
    Turns,
)
from pipeline.model.augment import build_augmenter
from pipeline.model.changes import COLOURS, Changes
from pipeline.model.crops import epoch_boxes
from pipeline.model.patches import PatchDataset
from pipeline.normalized.stain.basis import REFERENCE_BASIS
from pipeline.seeds import stream

SIDE = 64
EVERY = (
    *[Scale(), Turns(), Flips(), Gamma(), BrightnessContrast(), Tint(), HueSaturation()],
    *[StainChange(), Blur(), LowResolution(), Noise()],
)


class Most:
    """Draws the upper end of every range."""

    def uniform(self, _low: float, high: float, size: int | None = None) -> float | np.ndarray:
        return high if size is None else np.full(size, high)


def picture(seed: int = 0, side: int = SIDE) -> np.ndarray:
    """Smooth colours, ``(3, side, side)``."""
    noise = stream(seed, "picture").integers(0, 256, (3, 8, 8)).astype(np.uint8)
    return np.stack([cv2.resize(plane, (side, side), interpolation=cv2.INTER_CUBIC) for plane in noise])


def most(change: Change, image: np.ndarray) -> np.ndarray:
    return COLOURS[type(change)](image, change, Most())


def close(one: np.ndarray, other: np.ndarray, *, levels: float = 1.0) -> bool:
    return bool(np.abs(one.astype(float) - other).max() <= levels)


def test_gamma_is_that_of_skimage() -> None:
    expected = skimage.exposure.adjust_gamma(picture() / 255, 1.3) * 255
    assert close(most(Gamma(range=(1.3, 1.3)), picture()), expected, levels=0.51)


def test_contrast_turns_around_middle_grey_and_brightness_shifts() -> None:
    found = most(BrightnessContrast(contrast=0.3, brightness=0.1), picture())
    expected = cv2.convertScaleAbs(np.maximum(picture().astype(float), 128 - 153.5 / 1.3), alpha=1.3, beta=-12.9)
    assert close(found, expected, levels=1)
    even = np.full((3, 4, 4), 128, np.uint8)
    assert (most(BrightnessContrast(brightness=0.0), even) == 128).all()


def test_tint_shifts_each_channel_as_pillow_adds() -> None:
    found = most(Tint(most=20 / 255), picture())
    assert (found == cv2.add(picture(), np.full_like(picture(), 20))).all()
    random = stream(0, "tint")
    shifted = COLOURS[Tint](np.full((3, 2, 2), 128, np.uint8), Tint(most=0.2), random)
    assert len({int(plane[0, 0]) for plane in shifted}) == 3


def test_saturation_is_that_of_pillow_and_hue_a_turn_in_yiq() -> None:
    channels_last = picture().transpose(1, 2, 0)
    found = most(HueSaturation(hue=0, saturation=0.5), picture()).transpose(1, 2, 0)
    expected = np.asarray(ImageEnhance.Color(Image.fromarray(np.ascontiguousarray(channels_last))).enhance(1.5))
    assert close(found, expected.astype(float), levels=2)

    turned = most(HueSaturation(hue=30, saturation=0.0), picture()).transpose(1, 2, 0)
    yiq = skimage.color.rgb2yiq(channels_last)
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    yiq[..., 1:] = yiq[..., 1:] @ np.array([[cosine, -sine], [sine, cosine]]).T
    assert close(turned, np.clip(skimage.color.yiq2rgb(yiq) * 255, 0, 255))
    grey = np.stack([picture()[0]] * 3)
    assert close(most(HueSaturation(hue=90, saturation=1.0), grey), grey.astype(float)), "grey has no hue"


def test_blur_is_that_of_skimage() -> None:
    found = most(Blur(sigma=(1.5, 1.5)), picture())
    expected = [skimage.filters.gaussian(plane, 1.5, mode="mirror", preserve_range=True) for plane in picture()]
    assert close(found, np.stack(expected), levels=2)


def test_low_resolution_is_a_box_and_a_linear_interpolation_as_in_pillow() -> None:
    class Half:
        def uniform(self, low: float, _high: float) -> float:
            return low

    found = COLOURS[LowResolution](picture(), LowResolution(least=0.5), Half())
    small = [Image.fromarray(plane).resize((32, 32), Image.Resampling.BOX) for plane in picture()]
    expected = np.stack([np.asarray(each.resize((64, 64), Image.Resampling.BILINEAR)) for each in small])
    assert close(found, expected.astype(float), levels=2)


def test_noise_has_the_deviation_that_was_drawn_and_no_mean() -> None:
    class Noisy(Most):
        standard_normal = staticmethod(stream(0, "noise").standard_normal)

    found = COLOURS[Noise](np.full((3, 200, 200), 128, np.uint8), Noise(most=0.04), Noisy()).astype(float)
    assert found.std() == pytest.approx(0.04 * 255, rel=0.02)
    assert found.mean() == pytest.approx(128, abs=0.2)


def test_stains_change_in_concentrations_as_skimage_separates_and_combines_them() -> None:
    stains = np.asarray(REFERENCE_BASIS.matrix)
    third = np.cross(*stains)
    basis = np.vstack([stains, third / np.linalg.norm(third)])
    amounts = np.zeros((SIDE, SIDE, 3))
    amounts[..., :2] = stream(0, "amounts").uniform(0.05, 0.6, (SIDE, SIDE, 2))
    tissue = (np.exp(-amounts @ basis) * 255).round().astype(np.uint8)
    found = most(StainChange(factor=0.3, shift=0.05), tissue.transpose(2, 0, 1)).transpose(1, 2, 0)

    unit = -np.log(1e-6)  # of skimage's concentrations
    separated = skimage.color.separate_stains(tissue / 255, np.linalg.inv(basis))
    separated[..., :2] = separated[..., :2] * 1.3 + 0.05 * np.array(REFERENCE_BASIS.maxima) / unit
    assert close(found, skimage.color.combine_stains(separated, basis) * 255, levels=2)


@given(st.integers(0, 2**31 - 1), st.sampled_from([(), (5,), (1,)]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_geometry_moves_image_and_target_alike_and_keeps_every_pixel(seed: int, planes: tuple, both: bool) -> None:
    image = stream(seed, "pixels").integers(0, 256, (3, 12, 12)).astype(np.uint8)
    target = np.broadcast_to(image[0], (*planes, 12, 12)).copy()
    changes = Changes((Turns(), Flips(probability=0.7)) if both else (Flips(), Noise(probability=0.0)))
    moved, mask = changes.change(image, target, stream(seed, "changes"))
    assert (mask == moved[0]).all(), "255 among them, which is to be ignored"
    assert (np.sort(moved, axis=None) == np.sort(image, axis=None)).all()


def test_turns_and_flips_give_the_eight_ways_to_lay_a_patch_equally_often() -> None:
    image = np.arange(3 * 16).reshape(3, 4, 4).astype(np.uint8)
    ways = [image[0], *[cv2.rotate(image[0], code) for code in range(3)]]
    ways += [cv2.flip(way, 0) for way in ways]
    changes, seen = Changes((Turns(), Flips())), [0] * 8
    for seed in range(400):
        moved, _ = changes.change(image, image[0], stream(seed, "way"))
        [at] = [at for at, way in enumerate(ways) if (way == moved[0]).all()]
        seen[at] += 1
    assert min(seen) > 25


def test_the_stream_of_the_patch_decides_and_the_input_is_left_alone() -> None:
    changes, image, target = Changes(EVERY), picture(), (picture()[0] > 128).astype(np.uint8)
    kept = image.copy(), target.copy()
    one, other, third = (changes.change(image, target, stream(seed, "a")) for seed in (1, 1, 2))
    assert (one[0] == other[0]).all()
    assert (one[1] == other[1]).all()
    assert not np.array_equal(one[0], third[0])
    assert (image == kept[0]).all()
    assert (target == kept[1]).all()
    assert one[0].dtype == one[1].dtype == np.uint8
    assert set(np.unique(one[1])) <= {0, 1}


def test_scale_is_uniform_in_its_logarithm() -> None:
    changes = Changes((Scale(range=(0.5, 2.0)),))
    found = np.log2([changes.scale(stream(seed, "scale")) for seed in range(1000)])
    assert np.histogram(found, bins=4, range=(-1, 1))[0].min() > 200
    assert Changes((Turns(),)).scale(stream(0, "scale")) == 1


@pytest.fixture
def stored(tmp_path: Path, store: Callable) -> tuple[dict[str, Path], np.ndarray, np.ndarray]:
    """An image with one lesion, and pixels that nobody is sure of."""
    pixels, truth = picture(side=200), np.zeros((2, 200, 200), np.uint8)
    truth[0, 90:110, 80:120] = 1
    ignore = np.zeros((200, 200), np.uint8)
    ignore[90:110, 120:125] = 1
    return {"a": store(tmp_path / "a.zarr", pixels, truth, ignore)}, pixels, truth


def row(**entry: object) -> pd.DataFrame:
    plain = {"patch_id": "p0", "image_id": "a", "y": 68, "x": 68, "height": SIDE, "width": SIDE, "coverage": False}
    plain |= {"anchor_y": 100, "anchor_x": 100, "strategy": "guided", "is_positive": True, "roi_fraction": 1.0}
    return pd.DataFrame([{**plain, "pixels_MA": 1, "pixels_OD": 0, **entry}])


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_patch_is_read_larger_or_smaller_and_resized_like_pillow_does(
    stored: tuple, record: Callable, factor: float
) -> None:
    stores, pixels, truth = stored
    changes = build_augmenter((Scale(range=(factor, factor)),))
    dataset = PatchDataset(row(), normalized=stores, record=record("multilabel"), side=SIDE, augmenter=changes)
    image, target, *_ = dataset[0, 0, 0]
    side = round(SIDE * factor)
    box = np.s_[100 - side // 2 : 100 + side // 2, 100 - side // 2 : 100 + side // 2]
    how = Image.Resampling.BOX if factor > 1 else Image.Resampling.BILINEAR
    expected = [np.asarray(Image.fromarray(plane[box]).resize((SIDE, SIDE), how)) for plane in pixels]
    assert close(image, np.stack(expected).astype(float))
    covered = np.asarray(Image.fromarray(truth[0][box] * 255).resize((SIDE, SIDE), how)) >= 128
    assert ((target[0] == 1) == covered).all()
    assert (target == 255).any() == (factor > 1), "the unsure pixels lie in the larger box alone"
    assert (target[0] == 1).sum() == pytest.approx(truth[0][box].sum() / factor**2, rel=0.1)


def test_boxes_of_any_size_hold_the_anchor_can_be_computed_again_and_negatives_stay_without_truth(
    stored: tuple, record: Callable
) -> None:
    stores, _, truth = stored
    free = {"patch_id": "p1", "y": 0, "x": 0, "anchor_y": -1, "anchor_x": -1, "is_positive": False}
    table = pd.concat([row(), row(**free)], ignore_index=True)
    changes = (Scale(range=(0.7, 1.4)),)
    at = {"share": 0.4, "normalized": stores, "address": (3, "net"), "augmentation": changes}
    options = {"side": SIDE, "augmenter": build_augmenter(changes), "address": (3, "net"), "moving": 0.4}
    dataset = PatchDataset(table, normalized=stores, record=record("multilabel"), **options)
    sides = set()
    for epoch in range(30):
        boxes = epoch_boxes(table, epoch=epoch, **at).set_index("patch_id")
        y, x, side, _ = boxes.loc["p0"]
        assert y <= 100 < y + side
        assert x <= 100 < x + side
        assert 0.7 * SIDE - 1 <= side <= 1.4 * SIDE + 1
        sides.add(int(side))
        y, x, height, width = boxes.loc["p1"]
        assert not truth[:, y : y + height, x : x + width].any()
        _, target, *_ = dataset[epoch, 0, 0]
        assert target.shape == (2, SIDE, SIDE)
        assert ((target[0] == 1).any()) == bool(truth[0][_box(boxes.loc["p0"])].any())
    assert len(sides) > 15


def test_a_negative_that_may_not_grow_is_shown_as_it_is(tmp_path: Path, store: Callable, record: Callable) -> None:
    pixels, truth = picture(side=2 * SIDE), np.ones((2, 2 * SIDE, 2 * SIDE), np.uint8)
    truth[:, :SIDE, :SIDE] = 0
    stores = {"a": store(tmp_path / "a.zarr", pixels, truth)}
    negative = {"y": 0, "x": 0, "anchor_y": -1, "anchor_x": -1, "is_positive": False, "pixels_MA": 0}
    changes = build_augmenter((Scale(range=(1.4, 1.4)),))
    options = {"side": SIDE, "augmenter": changes, "moving": 0.4}
    dataset = PatchDataset(row(**negative), normalized=stores, record=record("multilabel"), **options)
    image, target, *_ = dataset[0, 0, 0]
    np.testing.assert_array_equal(image, pixels[:, :SIDE, :SIDE])
    assert (target == 0).all()


def _box(entry: pd.Series) -> tuple[slice, slice]:
    return slice(entry["y"], entry["y"] + entry["height"]), slice(entry["x"], entry["x"] + entry["width"])


def test_an_image_smaller_than_the_patch_is_padded_before_it_is_resized(
    tmp_path: Path, store: Callable, record: Callable
) -> None:
    truth = np.zeros((2, 40, 50), np.uint8)
    truth[0, :20] = 1
    stores = {"a": store(tmp_path / "a.zarr", picture()[:, :40, :50], truth)}
    table = row(y=0, x=0, height=40, width=50, anchor_y=10, anchor_x=10)
    changes = build_augmenter((Scale(range=(1.5, 1.5)),))
    dataset = PatchDataset(table, normalized=stores, record=record("multilabel"), side=SIDE, augmenter=changes)
    image, target, *_ = dataset[0, 0, 0]
    assert image.shape == (3, SIDE, SIDE)
    assert (target[0] == 255).mean() == pytest.approx(1 - 40 * 50 / (1.5 * SIDE) ** 2, abs=0.05)
    assert (target[0] == 1).sum() == pytest.approx(20 * 50 / 1.5**2, rel=0.1)


def test_settings_hold_a_list_or_a_set_by_name() -> None:
    given_list = ModelSettings.model_validate_json(
        '{"augmentation": [{"name": "scale"}, {"name": "noise", "most": 0.1}]}'
    )
    assert given_list.augmentation == (Scale(), Noise(most=0.1))
    assert ModelSettings.model_validate(given_list.model_dump(mode="json")) == given_list
    assert build_augmenter(ModelSettings(augmentation=()).augmentation) is None
