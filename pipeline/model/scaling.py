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
TIMM = {
    "dpn68b": "dpn68b.mx_in1k",
    "inceptionresnetv2": "inception_resnet_v2",
    "inceptionv4": "inception_v4",
    "xception": "legacy_xception",
}
"""Encoder of segmentation_models_pytorch → timm's name of it, where constants are not ImageNet's and names differ."""


def published_scaling(encoder: str, *, hub: bool, file: bool = False) -> Scaling:
    """Scaling published with the weights of an encoder; ImageNet's where none is known.

    Parameters
    ----------
    encoder
        Encoder of segmentation_models_pytorch. timm's (``tu-``) constants are known to that library.
    hub
        Whether weights come from the hub, which also has the constants of the other encoders.
    file
        Whether they come from a file. Constants of the encoders that timm has too are then timm's, for nothing is
        fetched. Without published weights any constants will do.
    """
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    named = _of_timm(encoder) if file else encoder
    if not (hub or named.startswith("tu-")):
        return MEAN, STD
    try:
        found = get_preprocessing_params(named)
    except ValueError:  # A timm network without pretrained weights.
        return MEAN, STD
    return tuple(found["mean"]), tuple(found["std"])


def _of_timm(encoder: str) -> str:
    """Same encoder as ``tu-``, where timm has the weights that others publish under this name."""
    if encoder in TIMM:
        return f"tu-{TIMM[encoder]}"
    same = encoder.startswith(("timm-tf_", "dpn"))
    return f"tu-{encoder.removeprefix('timm-')}" if same else encoder


def scaling_of_buffers(mean: Tensor, std: Tensor) -> Scaling:
    """Scaling from float32 buffers, in the shortest decimals that give the same float32."""
    return _decimals(mean), _decimals(std)


def _decimals(buffer: Tensor) -> tuple[float, ...]:
    return tuple(float(str(value)) for value in buffer.flatten().numpy().astype(np.float32))
