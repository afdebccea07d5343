"""Segmentation network from uint8 patches to logits, including the scaling of the input and checks of its shape.

Training and inference use the same object, so both scale the input in the same way: ``(pixels / 255 - mean) / std``
with the constants that the encoder was made for. The constants are buffers, so they are part of the weights.
"""

import difflib
import logging
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from pipeline.config import BUILT_IN_WEIGHTS, ModelSettings
from pipeline.config.manifest import Task
from pipeline.errors import ModelError
from pipeline.model.card import check_encoder
from pipeline.model.encoder_file import load_encoder_file
from pipeline.model.operators import prepare_torchvision
from pipeline.model.precision import computes_bfloat16
from pipeline.model.pretrained import PACKAGED_SCALING, packaged_encoder_state
from pipeline.model.refusals import check_side
from pipeline.model.scaling import MEAN, STD, Scaling, published_scaling, scaling_of_buffers
from pipeline.model.state_file import size_of_state

__all__ = [
    "CHANNELS",
    "ScaledNetwork",
    "build_network",
    "check_encoder_name",
    "output_count",
    "probabilities",
    "random_body",
]

log = logging.getLogger(__name__)

CHANNELS = 3
"""Channels of an image: red, green, blue."""
STATISTICS_MOMENTUM = 0.1
"""Momentum of batch normalisation: share of a batch in the running statistics."""


class ScaledNetwork(nn.Module):
    """Segmentation network together with the scaling of its input."""

    mean: Tensor
    std: Tensor

    def __init__(self, body: nn.Module, *, outputs: int, scaling: Scaling = (MEAN, STD), downsample: int = 1) -> None:
        super().__init__()
        self.body = body
        self.outputs = outputs
        self.downsample = downsample
        for name, constants in zip(("mean", "std"), scaling, strict=True):
            self.register_buffer(name, torch.tensor(constants).reshape(1, -1, 1, 1))

    @property
    def scaling(self) -> Scaling:
        """Mean and standard deviation of each channel for the scaling of the input, in the range 0…1."""
        return scaling_of_buffers(self.mean, self.std)

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits of patches.

        Parameters
        ----------
        pixels
            ``(n, 3, h, w)``, 0…255, uint8 or float; h and w are multiples of 32 times the downsampling factor.

        Returns
        -------
        Tensor
            ``(n, outputs, h, w)``, float.

        Raises
        ------
        ModelError
            Another number of channels, or sides that cannot be halved five times.
        """
        _check_input(pixels, self.downsample)
        scaled = (pixels.to(self.mean.dtype) / 255 - self.mean) / self.std
        if self.downsample == 1:
            return self._logits(scaled)
        logits = self._logits(avg_pool2d(scaled, self.downsample))
        return interpolate(logits, scale_factor=self.downsample, mode="bilinear", align_corners=False)

    def _logits(self, scaled: Tensor) -> Tensor:
        return cast("Tensor", self.body(scaled.contiguous(memory_format=_memory_format(scaled.device))))


def _memory_format(device: torch.device) -> torch.memory_format:
    # Channels last makes a float32 step a quarter faster and halves a bfloat16 step on a CPU with bfloat16
    # instructions. Without these it makes a bfloat16 step five times slower, because convolutions leave the fast path.
    slow = device.type == "cpu" and torch.is_autocast_enabled("cpu") and not computes_bfloat16()
    return torch.contiguous_format if slow else torch.channels_last


def _check_input(pixels: Tensor, downsample: int) -> None:
    if pixels.ndim != 4 or pixels.shape[1] != CHANNELS:
        raise ModelError(
            "The network cannot take these patches.",
            where="model.network",
            found=tuple(pixels.shape),
            expected=f"(n, {CHANNELS}, h, w)",
            remedy="Give RGB patches, channels before rows.",
        )
    for side in pixels.shape[-2:]:
        check_side(side, where="model.network", downsample=downsample)


def output_count(classes: int, *, task: Task) -> int:
    """Output channels of a task: background and the classes for multiclass, else the classes."""
    return classes + 1 if task == "multiclass" else classes


def probabilities(logits: Tensor, task: Task) -> Tensor:
    """Probability of each class, without background.

    Parameters
    ----------
    logits
        ``(n, outputs, h, w)``, of any float type.
    task
        Softmax over background and classes for multiclass, a sigmoid per class otherwise.

    Returns
    -------
    Tensor
        ``(n, classes, h, w)`` float32 in 0…1.
    """
    exact = logits.float()  # A softmax in bfloat16 would keep two digits.
    return exact.softmax(dim=1)[:, 1:] if task == "multiclass" else exact.sigmoid()


def build_network(
    settings: ModelSettings, *, classes: int, task: Task, encoder_digest: str | None = None
) -> ScaledNetwork:
    """Network from the configuration; random weights come from torch's global generator, which the caller seeds.

    Parameters
    ----------
    settings
        Names network, encoder and encoder weights.
    classes
        Number of classes without background, at least 1.
    task
        Decides whether background is an output of its own.
    encoder_digest
        SHA-256 of the file of encoder weights, where recorded; another file is refused.

    Raises
    ------
    ModelError
        The encoder is unknown, or its weights are out of reach or do not fit.
    """
    check_encoder_name(settings.encoder)
    outputs, weights = output_count(classes, task=task), settings.encoder_weights
    packaged = packaged_encoder_state(settings.encoder) if weights == "package" else None
    hub = weights == "imagenet"
    body = _from_hub(settings, outputs=outputs) if hub else random_body(settings, outputs=outputs)
    scaling = published_scaling(settings.encoder, hub=hub, file=weights not in BUILT_IN_WEIGHTS)
    if packaged is not None:
        body.encoder.load_state_dict(packaged)
        scaling = PACKAGED_SCALING
    elif weights not in BUILT_IN_WEIGHTS:
        need, known = size_of_state(body), check_encoder(Path(weights), encoder=settings.encoder)
        scaling = load_encoder_file(body.encoder, Path(weights), need=need, digest=encoder_digest) or scaling
        if not known:
            log.warning("%s fits %s; no card beside it says for which encoder it was made", weights, settings.encoder)
    _quicken_statistics(body)
    return ScaledNetwork(body, outputs=outputs, scaling=scaling, downsample=settings.downsample)


def _quicken_statistics(body: nn.Module) -> None:
    # EfficientNet's running statistics take 1 % of each batch, which suits hundreds of thousands of steps. After the
    # few hundred steps of a small data set they lag so far behind that validation was near zero (measured: mean Dice
    # 0.01 after 200 steps while the training loss fell), so every encoder uses the common 10 %.
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = STATISTICS_MOMENTUM


def _created(settings: ModelSettings, *, outputs: int, weights: str | bool | None) -> Any:  # noqa: ANN401 untyped library
    import segmentation_models_pytorch as smp

    return smp.create_model(
        settings.network,
        encoder_name=settings.encoder,
        encoder_weights=weights,
        in_channels=CHANNELS,
        classes=outputs,
    )


def random_body(settings: ModelSettings, *, outputs: int) -> Any:  # noqa: ANN401 untyped library
    """Network of the library with random weights.

    Raises
    ------
    ModelError
        It cannot be built on this encoder.
    """
    try:
        return _created(settings, outputs=outputs, weights=None)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise ModelError(
            "This network cannot be built on this encoder.",
            where="model.models.*.encoder",
            found=f"{settings.network} on {settings.encoder}: {str(error).splitlines()[0] if str(error) else error!r}",
            expected="an encoder that gives features at the scales that the network asks for",
            remedy="Choose another encoder, such as tu-tf_efficientnet_lite0, or another network, such as unet.",
        ) from error


def check_encoder_name(encoder: str) -> None:
    """Check of the name of an encoder.

    Raises
    ------
    ModelError
        The library has no such encoder; names its nearest relatives.
    """
    prepare_torchvision()
    import segmentation_models_pytorch as smp

    known = [*smp.encoders.get_encoder_names()]
    if encoder in known or encoder.startswith("tu-"):
        return
    near = difflib.get_close_matches(encoder, known, n=3) or ["efficientnet-b0", "resnet34"]
    raise ModelError(
        "There is no such encoder.",
        where="model.models.*.encoder",
        found=encoder,
        expected=f"an encoder of segmentation-models-pytorch, such as {', '.join(near)}",
        remedy="Correct the name; `tu-` followed by a timm model also works.",
    )


def _from_hub(settings: ModelSettings, *, outputs: int) -> Any:  # noqa: ANN401 untyped library
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return _created(settings, outputs=outputs, weights=True if settings.encoder.startswith("tu-") else "imagenet")
    except (OSError, RuntimeError, HfHubHTTPError) as error:
        raise ModelError(
            "Pretrained weights cannot be fetched.",
            where="model.models.*.encoder_weights",
            found=f"imagenet for {settings.encoder}: {type(error).__name__}",
            expected="a hub within reach",
            remedy="Set encoder_weights to a state-dict file of this encoder, or to none; or fetch once where "
            "there is a network, and keep the cache; or take the encoder tu-tf_efficientnet_lite0 with package.",
        ) from error
    except KeyError as error:
        raise ModelError(
            "This encoder has no such weights.",
            where="model.models.*.encoder_weights",
            found=f"imagenet for {settings.encoder}",
            expected=error.args[0],
            remedy="Choose another encoder, a state-dict file, or none.",
        ) from error
