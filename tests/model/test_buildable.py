"""Networks are refused before a run where, and only where, they do not take the sides of patches and windows."""

from contextlib import nullcontext, suppress
from itertools import product

import pytest
import torch

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.model.buildable import check_buildable, check_takes
from pipeline.model.network import build_network

USUAL = ["efficientnet-b0", "resnet34", "mit_b0", "mobilenet_v2", "tu-convnext_atto", "tu-tf_efficientnet_lite0"]
NETWORKS = ["unet", "deeplabv3plus", "segformer", "upernet"]
FIXED = [
    ("tu-swin_tiny_patch4_window7_224", 256, 224),
    ("tu-maxvit_tiny_tf_224", 256, 224),
]


def settings(encoder: str, **changes: object) -> ModelSettings:
    return ModelSettings.model_validate({"encoder": encoder, "encoder_weights": "none"} | changes)


def each(*pairs: tuple[str, str], marks: object = ()) -> list[object]:
    return [pytest.param(*pair, marks=marks) for pair in pairs]


@pytest.mark.parametrize(
    ("network", "encoder"),
    each(("unet", "mit_b0"), ("upernet", "resnet34"), ("deeplabv3plus", "efficientnet-b0"))
    + each(*product(NETWORKS, USUAL), marks=pytest.mark.slow),
)
def test_a_network_is_refused_where_it_cannot_be_built_and_only_there(network: str, encoder: str) -> None:
    wish, built = settings(encoder, network=network), False
    with suppress(ModelError):
        built = build_network(wish, classes=1, task="binary").eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 64, 64)
    with nullcontext() if built else pytest.raises(ModelError, match="cannot be built"):
        check_buildable(wish, classes=1, task="binary", sides=[64])


@pytest.mark.parametrize(("encoder", "unfit", "fit"), FIXED)
def test_an_encoder_of_a_fixed_side_is_refused_at_another_in_one_message(encoder: str, unfit: int, fit: int) -> None:
    check_buildable(settings(encoder), classes=1, task="binary", sides=[fit])
    check_buildable(settings(encoder, downsample=2), classes=1, task="binary", sides=[2 * fit])
    with pytest.raises(ModelError, match=rf"(?s)does not take.*{encoder}, {unfit} pixels.*probability\.window"):
        check_buildable(settings(encoder), classes=1, task="binary", sides=[fit, unfit])


def test_a_job_refuses_what_check_would_and_builds_nothing_for_a_packaged_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModelError, match="does not take"):
        check_takes(settings("tu-swin_tiny_patch4_window7_224"), 256, classes=1, task="binary")
    monkeypatch.setattr("pipeline.model.buildable.random_body", None)
    check_takes(settings("tu-tf_efficientnet_lite0"), 256, classes=1, task="binary")


def test_what_only_the_device_without_values_lacks_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reading(torch.nn.Module):
        def forward(self, scaled: torch.Tensor) -> torch.Tensor:
            return scaled[:, :1] * float(scaled.mean())

    monkeypatch.setattr("pipeline.model.buildable.random_body", lambda *_, **__: Reading())
    check_buildable(settings("resnet18"), classes=1, task="binary", sides=[64])
