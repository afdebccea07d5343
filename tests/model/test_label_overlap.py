"""Dice and Tversky of labels equal the library's, value and slope, with pixels that are ignored and classes without truth."""

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss, TverskyLoss

from pipeline.model.label_overlap import LabelTversky
from pipeline.model.targets import IGNORE


def batch(*, ignored: bool) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn((3, 5, 40, 24), generator=random)
    target = torch.randint(0, 4, (3, 40, 24), generator=random)  # class 4 has no truth
    if ignored:
        target[torch.rand(target.shape, generator=random) < 0.3] = IGNORE
        target[1] = IGNORE
    return logits, target


def slope(loss: torch.nn.Module, logits: torch.Tensor, target: torch.Tensor) -> tuple[float, torch.Tensor]:
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert leaf.grad is not None
    return float(value.detach()), leaf.grad


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 3.0, 0.5, 2.0]])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.3, 0.7)])
def test_value_and_slope_are_those_of_the_library(
    ignored: bool, weights: list[float] | None, alpha: float, beta: float
) -> None:
    shares = None if weights is None else torch.tensor(weights)
    logits, target = batch(ignored=ignored)
    value, found = slope(LabelTversky(alpha=alpha, beta=beta, weights=shares), logits, target)
    library = TverskyLoss("multiclass", ignore_index=IGNORE, alpha=alpha, beta=beta, class_weights=weights)
    wanted, expected = slope(library, logits, target)
    assert value == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)


def test_equal_weights_of_false_positives_and_negatives_are_dice() -> None:
    logits, target = batch(ignored=True)
    value, found = slope(LabelTversky(weights=None), logits, target)
    wanted, expected = slope(DiceLoss("multiclass", ignore_index=IGNORE), logits, target)
    assert value == pytest.approx(wanted, rel=1e-5)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)
