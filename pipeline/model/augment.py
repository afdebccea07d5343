"""Data augmentation: random changes of a training patch, addressed by seed, model, epoch and patch alone.

The configuration lists the changes (`pipeline.model.changes`) or names the set of one of two studies, composed here
from albumentations' transforms. In these sets image and target move together: the image by linear interpolation, the
target by the nearest pixel. Pixels from outside the patch are mirrored in both, so truth stays correct and every pixel
counts in the loss.
"""

import os
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.config import AnyAugmentation, Augmentation
from pipeline.model.changes import Changes
from pipeline.seeds import stream

# On import albumentations asks the package index for a newer version; only this variable prevents that. A job may have
# no network and must not wait for one.
os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # noqa: TID251

import albumentations as A  # noqa: N812 its usual name

__all__ = ["Augmenter", "build_augmenter", "patch_stream"]

TRANSLATION = 0.05
"""Largest shift, as a share of the side of a patch."""


class Augmenter:
    """Augmenter: a study's random changes in a fixed sequence."""

    scales = False
    """Whether boxes of other sizes than the patch are read."""

    def __init__(self, transforms: list[Any]) -> None:
        self._composed = A.Compose(transforms)

    def __call__(
        self, image: NDArray[np.uint8], target: NDArray[np.uint8], *, seed: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change a patch; equal seeds make equal changes.

        Parameters
        ----------
        image
            ``(3, y, x)``.
        target
            ``(y, x)`` or ``(class, y, x)``.
        seed
            At least 0.

        Returns
        -------
        tuple
            New arrays of the same shapes.
        """
        self._reseed(seed)
        planes = target.ndim == 3
        changed = self._composed(
            image=np.ascontiguousarray(image.transpose(1, 2, 0)),
            mask=np.ascontiguousarray(target.transpose(1, 2, 0)) if planes else target,
        )
        mask = changed["mask"].transpose(2, 0, 1) if planes else changed["mask"]
        return np.ascontiguousarray(changed["image"].transpose(2, 0, 1)), np.ascontiguousarray(mask)

    def scale(self, random: np.random.Generator) -> float:  # noqa: ARG002 as `pipeline.model.changes.Changes`
        """Side of the box to read, relative to the side of the patch: 1."""
        return 1.0

    def change(
        self, image: NDArray[np.uint8], target: NDArray[np.uint8], random: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Change a patch by a seed from the patch's stream."""
        return self(image, target, seed=int(random.integers(2**31)))

    def _reseed(self, seed: int) -> None:
        # Compose.set_random_seed gives every transform the same seed, so a patch flipped one way would always be
        # flipped the other way too. Here each transform has its own seed.
        own = stream(seed, "transforms").integers(2**31, size=len(self._composed.transforms) + 1)
        self._composed.set_random_seed(int(own[-1]))
        for transform, number in zip(self._composed.transforms, own, strict=False):
            transform.set_random_seed(int(number))


def patch_stream(address: tuple[int, str], *, epoch: int, patch_id: str, before: int) -> np.random.Generator:
    """Random stream of a patch in an epoch.

    Parameters
    ----------
    address
        Seed of the run plus that of the model, and the name of the model.
    epoch
        From 0.
    patch_id
        The row.
    before
        How often the row came before in this epoch.
    """
    seed, name = address
    return stream(seed, "augment", name, epoch, patch_id, *((before,) if before else ()))


def build_augmenter(settings: AnyAugmentation) -> Augmenter | Changes | None:
    """Data augmentation from the configuration; None where nothing changes."""
    if isinstance(settings, tuple):
        return Changes(settings) if settings else None
    if settings.kind == "none" or settings.probability == 0:
        return None
    build = _fundus if settings.kind == "fundus" else _histology
    return Augmenter(build(settings, settings.probability))


def _fundus(settings: Augmentation, p: float) -> list[Any]:
    scale = (1 - settings.scale, 1 + settings.scale)
    noise = [A.GaussNoise(std_range=(0, settings.noise), p=p)] if settings.noise else []
    shift = (-TRANSLATION, TRANSLATION)
    return [*_flips(p), *_brightness(settings, p), _affine(settings, p, scale=scale, translate_percent=shift), *noise]


def _histology(settings: Augmentation, p: float) -> list[Any]:
    return [A.RandomRotate90(p=p), _affine(settings, p), *_flips(p), *_brightness(settings, p)]


def _flips(p: float) -> list[Any]:
    return [A.HorizontalFlip(p=p), A.VerticalFlip(p=p)]


def _brightness(settings: Augmentation, p: float) -> list[Any]:
    limit = (-settings.brightness, settings.brightness)
    return [A.RandomBrightnessContrast(brightness_limit=limit, contrast_limit=limit, p=p)]


def _affine(settings: Augmentation, p: float, **more: Any) -> Any:  # noqa: ANN401 untyped library
    return A.Affine(
        rotate=(-settings.rotate, settings.rotate),
        interpolation=cv2.INTER_LINEAR,
        mask_interpolation=cv2.INTER_NEAREST,
        border_mode=cv2.BORDER_REFLECT_101,
        p=p,
        **more,
    )
