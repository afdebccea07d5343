"""Marginal outcomes of multiclass: background and the classes that nobody looked for in an image are one outcome.

References
----------
Fang and Yan, "Multi-organ segmentation over partially labeled datasets with multi-scale feature abstraction", IEEE TMI
2020; Shi et al., "Marginal loss and exclusion loss for partially supervised multi-organ segmentation", Medical Image
Analysis 2021.
"""

import torch
from torch import Tensor

__all__ = ["known_labels", "marginal_logits"]


def marginal_logits(logits: Tensor, unknown: Tensor) -> Tensor:
    """Logits in which background and the unknown classes of each patch are one outcome, that of the background.

    Parameters
    ----------
    logits
        ``(n, 1 + classes, h, w)``, float32, background first.
    unknown
        ``(n, classes)`` bool.

    Returns
    -------
    Tensor
        The same shape. Their softmax gives the background the sum of the probabilities, an unknown class exactly 0, and
        leaves the known classes unchanged.
    """
    classes = unknown[:, :, None, None]
    one = torch.cat([torch.ones_like(classes[:, :1]), classes], dim=1)
    background = logits.masked_fill(~one, -torch.inf).logsumexp(dim=1, keepdim=True)
    # Not minus infinity: a loss may multiply the logarithm of a probability by 0.
    return torch.cat([background, logits[:, 1:].masked_fill(classes, torch.finfo(logits.dtype).min / 2)], dim=1)


def known_labels(logits: Tensor, unknown: Tensor | None) -> Tensor:
    """Most likely label, where background and the unknown classes of a patch are one outcome, that of the background.

    The truth does not distinguish them, so their probabilities are added before they are compared with the others.

    Parameters
    ----------
    logits
        ``(n, 1 + classes, h, w)``, background first.
    unknown
        ``(n, classes)`` bool; None where no class is.

    Returns
    -------
    Tensor
        ``(n, h, w)`` int64, 0 for background or an unknown class.
    """
    outcomes = logits if unknown is None else marginal_logits(logits.float(), unknown)
    return outcomes.argmax(dim=1)
