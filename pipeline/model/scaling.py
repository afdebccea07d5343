"""Scaling of the input of a network: the mean and standard deviation of each channel that its encoder expects."""

from typing import TypeAlias

import numpy as np
from torch import Tensor

__all__ = ["MEAN", "STD", "Scaling", "published_scaling", "scaling_of_buffers"]

Scaling: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, of the range 0…1."""

MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's channels, of the range 0…1."""
STD = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's channels."""


def published_scaling(encoder: str, *, hub: bool) -> Scaling:
    """Scaling published with the weights of an encoder; ImageNet's where none is known.

    Parameters
    ----------
    encoder
        Encoder of segmentation_models_pytorch. timm's (``tu-``) constants are known to that library.
    hub
        Whether weights come from the hub, which also has the constants of the other encoders. Without published weights
        any constants will do.
    """
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    if not (hub or encoder.startswith("tu-")):
        return MEAN, STD
    try:
        found = get_preprocessing_params(encoder)
    except ValueError:  # A timm network without pretrained weights.
        return MEAN, STD
    return tuple(found["mean"]), tuple(found["std"])


def scaling_of_buffers(mean: Tensor, std: Tensor) -> Scaling:
    """Scaling from float32 buffers, in the shortest decimals that give the same float32."""
    return _decimals(mean), _decimals(std)


def _decimals(buffer: Tensor) -> tuple[float, ...]:
    return tuple(float(str(value)) for value in buffer.flatten().numpy().astype(np.float32))
