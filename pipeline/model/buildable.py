"""Check of a network before a run: whether it can be built on its encoder, and takes patches and windows of a side.

It is built and run on the device ``meta``, which knows shapes and no values, so it needs no memory for weights.
"""

from collections.abc import Iterable

import torch
from torch import nn

from pipeline.config import ModelSettings
from pipeline.config.manifest import Task
from pipeline.config.model import PACKAGED_ENCODERS
from pipeline.errors import ModelError
from pipeline.model.network import CHANNELS, ScaledNetwork, check_encoder_name, output_count, random_body

__all__ = ["check_buildable", "check_takes"]

REFUSALS = (AssertionError, IndexError, RuntimeError, TypeError, ValueError)
"""Errors of a network that does not take a side."""


def check_buildable(settings: ModelSettings, *, classes: int, task: Task, sides: Iterable[int] = ()) -> None:
    """Check that the network can be built on its encoder, and takes squares of some sides.

    Parameters
    ----------
    settings
        Names network, encoder and downsampling.
    classes
        Number of classes without background, at least 1.
    task
        Decides whether background is an output of its own.
    sides
        Sides of patches and windows in pixels, multiples of 32 times the downsampling factor.

    Raises
    ------
    ModelError
        As for `pipeline.model.network.build_network`, but weights are not looked for; or the encoder is made for another
        side.
    """
    check_encoder_name(settings.encoder)
    outputs = output_count(classes, task=task)
    try:
        with torch.device("meta"):
            body = random_body(settings, outputs=outputs)
    except ModelError:
        # While being built some encoders read values of their own tensors, which this device does not have.
        body = random_body(settings, outputs=outputs)
    network = ScaledNetwork(body, outputs=outputs, downsample=settings.downsample).to("meta").eval()
    for side in sorted(set(sides)):
        _check_takes(network, side, settings=settings)


def check_takes(settings: ModelSettings, side: int, *, classes: int, task: Task) -> None:
    """Check in a job that a network takes a side; with a packaged encoder every one does, and nothing is built.

    Raises
    ------
    ModelError
        See `check_buildable`.
    """
    if settings.encoder not in PACKAGED_ENCODERS:
        check_buildable(settings, classes=classes, task=task, sides=(side,))


def _check_takes(network: nn.Module, side: int, *, settings: ModelSettings) -> None:
    try:
        _run(network, side, device="meta")
    except NotImplementedError:  # An operator that this device lacks.
        return
    except REFUSALS:
        _check_computes(side, settings=settings)


def _check_computes(side: int, *, settings: ModelSettings) -> None:
    # The device `meta` has no values, so what failed there is refused only where it also fails with them.
    body = random_body(settings, outputs=1)
    try:
        _run(ScaledNetwork(body, outputs=1, downsample=settings.downsample).eval(), side, device="cpu")
    except REFUSALS as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ModelError(
            "The encoder does not take patches or windows of this side.",
            where="model.models.*.encoder",
            found=f"{settings.network} on {settings.encoder}, {side} pixels: {said}",
            expected="an encoder for any side, or index.samplings.*.patch and probability.window that suit it",
            remedy="Choose another encoder, such as tu-tf_efficientnet_lite0, or another patch and window.",
        ) from error


def _run(network: nn.Module, side: int, *, device: str) -> None:
    with torch.inference_mode():
        network(torch.zeros(1, CHANNELS, side, side, device=device))
