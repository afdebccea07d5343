"""Averaging over views is the same as turning the windows by hand, asking, and turning the answers back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.probability.fusion.logits import activation_of
from pipeline.probability.predictor import NetworkPredictor
from pipeline.probability.views import VIEWS

torch = pytest.importorskip("torch")


class Slanted(torch.nn.Module):
    """Answers that depend on the way round: on the neighbour to the right, and on the place."""

    def forward(self, pixels):
        grey = pixels.float().mean(dim=1, keepdim=True) / 255
        right = torch.roll(grey, 1, dims=-1)
        down = torch.arange(grey.shape[-1]).float()[:, None] / grey.shape[-1]
        return torch.cat([grey - right, 3 * right - 1, grey * down], dim=1)


def windows() -> NDArray[np.uint8]:
    return np.random.Generator(np.random.PCG64(5)).integers(0, 256, (3, 3, 24, 24), dtype=np.uint8)


def ask(pixels: NDArray[np.uint8], *, views: str = "one", logits: bool = False, task: str = "multiclass"):
    predictor = NetworkPredictor(
        Slanted(),
        task,
        torch.device("cpu"),
        "float32",
        VIEWS[views],
        activation_of(task, fuse="logits" if logits else "probabilities"),
    )
    return predictor(np.ascontiguousarray(pixels))


BY_HAND = {
    "flips": [
        (lambda a: a, lambda a: a),
        (lambda a: a[..., ::-1], lambda a: a[..., ::-1]),
        (lambda a: a[..., ::-1, :], lambda a: a[..., ::-1, :]),
        (lambda a: a[..., ::-1, ::-1], lambda a: a[..., ::-1, ::-1]),
    ],
}
TRANSPOSED = [
    (lambda a, see=see: see(np.swapaxes(a, -1, -2)), lambda a, back=back: np.swapaxes(back(a), -1, -2))
    for see, back in BY_HAND["flips"]
]
BY_HAND["flips_and_turns"] = BY_HAND["flips"] + TRANSPOSED
BY_HAND["one"] = BY_HAND["flips"][:1]


@pytest.mark.parametrize("views", ["one", "flips", "flips_and_turns"])
@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_the_mean_over_views_is_what_turning_by_hand_gives(views: str, task: str) -> None:
    expected = np.mean([back(ask(see(windows()), task=task)) for see, back in BY_HAND[views]], axis=0)
    np.testing.assert_allclose(ask(windows(), views=views, task=task), expected, atol=1e-6)
    assert (views == "one") == np.allclose(expected, ask(windows(), task=task), atol=1e-3)


def test_all_views_of_a_square_are_there_once() -> None:
    corner = torch.arange(9.0).reshape(1, 1, 3, 3)
    seen = set()
    from pipeline.probability.views import mean_of_views

    def network(pixels):
        seen.add(tuple(pixels.flatten().tolist()))
        return pixels

    assert torch.equal(mean_of_views(network, corner, views=VIEWS["flips_and_turns"]), corner)
    assert len(seen) == 8


@pytest.mark.parametrize("views", ["one", "flips"])
def test_logits_of_several_views_are_logarithms_of_probabilities(views: str) -> None:
    found = ask(windows(), views=views, logits=True)
    assert found.shape[1] == 3
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-5)
    if views == "one":
        np.testing.assert_allclose(np.exp(found[:, 1:]), ask(windows()), atol=1e-6)
