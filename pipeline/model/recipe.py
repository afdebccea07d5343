"""Training recipe: length in steps and epochs, learning rate of a step, moving average of the weights.

References
----------
I. Loshchilov, F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017 (cosine annealing).
B. Polyak, A. Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 30(4), 1992.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from pipeline.config import ModelSettings

__all__ = ["Length", "cosine_factor", "group_factor", "moving_average", "training_length"]


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a training."""

    epochs: int
    """Epochs, each followed by a validation."""
    patches: int
    """Patches of an epoch, except the last one, which ends with the last step."""
    steps: int
    """Steps of the optimizer in all epochs."""


def training_length(settings: ModelSettings, *, rows: int) -> Length:
    """Length of a training on an index of ``rows`` training patches, at least 1.

    With ``steps`` there are exactly that many steps. An epoch has about ``patches_per_epoch`` patches, or those of the
    index, adjusted so that epochs are equal except for the last one, which may be shorter.
    """
    patches, taken = settings.patches_per_epoch or rows, settings.batch_size * settings.accumulate
    if settings.steps is None:
        batches = max(1, _batches(patches, settings.batch_size, least=max(2, settings.devices)))
        return Length(settings.epochs, patches, settings.epochs * math.ceil(batches / settings.accumulate))
    epochs = max(1, round(settings.steps * taken / patches))
    each = math.ceil(settings.steps / epochs)
    return Length(math.ceil(settings.steps / each), each * taken, settings.steps)


def _batches(patches: int, size: int, *, least: int) -> int:
    # Too few left-over patches join the previous batch (`pipeline.model.order.batches`).
    whole, rest = divmod(patches, size)
    return whole + (rest >= least or (rest > 0 and whole == 0))


def cosine_factor(step: int, *, steps: int, warmup_share: float) -> float:
    """Factor of the learning rate at a step from 0: linear warm-up, then half a cosine down to 0 after the last step.

    Examples
    --------
    >>> [round(cosine_factor(step, steps=5, warmup_share=0.4), 2) for step in range(5)]
    [0.5, 1.0, 1.0, 0.75, 0.25]
    """
    rise = round(warmup_share * steps)
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


def group_factor(at: int, *, batches: int, accumulate: int) -> float:
    """Factor of the loss of a batch, so that the gradient of a step is the mean over the batches of its group.

    Lightning divides each loss by ``accumulate``; the last group of an epoch may have fewer batches.

    Parameters
    ----------
    at
        Number of the batch in its epoch, from 0.
    batches
        Batches of the epoch.
    accumulate
        Batches of a whole group.

    Examples
    --------
    >>> [group_factor(at, batches=5, accumulate=3) for at in range(5)]
    [1.0, 1.0, 1.0, 1.5, 1.5]
    """
    rest = batches % accumulate
    return accumulate / rest if at >= batches - rest else 1.0


def moving_average(network: nn.Module, *, decay: float) -> AveragedModel:
    """Exponential moving average of a network, with a low decay at first: ``min(decay, (1 + n) / (10 + n))`` after n steps.

    Parameters
    ----------
    network
        Weights and running statistics are averaged; a copy is made.
    decay
        Largest share of the average that a step keeps, below 1.
    """

    def average(mean: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        if not mean.is_floating_point():
            return value
        steps = float(count)
        return torch.lerp(value, mean, min(decay, (1 + steps) / (10 + steps)))

    return AveragedModel(network, avg_fn=average, use_buffers=True)
