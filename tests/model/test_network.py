"""Networks: shapes, scaling, and what is refused."""

import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from skimage.measure import block_reduce

import pipeline.model
from pipeline.config import ModelSettings
from pipeline.config.model import Network
from pipeline.errors import ModelError
from pipeline.model.buildable import check_buildable
from pipeline.model.network import ScaledNetwork, build_network, output_count, probabilities
from pipeline.model.precision import depthwise_in_float32
from pipeline.model.refusals import check_side
from pipeline.model.scaling import MEAN, STD

TINY = ModelSettings(encoder="resnet18", encoder_weights="none")
MODULES = sorted(path.stem for path in Path(pipeline.model.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("network", get_args(Network))
def test_every_network_gives_logits_of_the_size_of_its_uint8_patches(network: str) -> None:
    built = build_network(
        ModelSettings(network=network, encoder="tu-tf_efficientnet_lite0"), classes=5, task="multiclass"
    ).eval()
    with torch.inference_mode():
        logits = built(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    assert logits.shape == (2, 6, 64, 64)
    assert logits.isfinite().all()


def test_outputs_hold_background_for_multiclass_only() -> None:
    assert [output_count(5, task=task) for task in ("multiclass", "multilabel", "binary")] == [6, 5, 5]


def test_pixels_are_scaled_by_the_constants_of_imagenet() -> None:
    network = ScaledNetwork(torch.nn.Identity(), outputs=3)
    pixels = torch.randint(0, 256, (1, 3, 32, 64), dtype=torch.uint8)
    expected = [(pixels[:, at] / 255 - MEAN[at]) / STD[at] for at in range(3)]
    torch.testing.assert_close(network(pixels), torch.stack(expected, dim=1))
    torch.testing.assert_close(network(pixels.float()), network(pixels))


@pytest.mark.parametrize("autocast", [False, True])
def test_precision_changes_the_layout_in_memory_but_not_the_result(autocast: bool) -> None:
    torch.manual_seed(0)
    network = build_network(TINY, classes=2, task="multiclass").eval()
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        exact = probabilities(network(pixels), "multiclass")
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found = probabilities(network(pixels), "multiclass")
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact, atol=0.02 if autocast else 0, rtol=0)


def test_depthwise_convolutions_in_float32_keep_result_gradient_and_names_of_the_weights() -> None:
    torch.manual_seed(0)
    network = build_network(ModelSettings(encoder="tu-tf_efficientnet_lite0"), classes=2, task="multiclass").eval()
    pixels, names = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8), list(network.state_dict())

    def gradients(model: torch.nn.Module) -> list[torch.Tensor]:
        logits = model(pixels)
        logits.float().square().mean().backward()
        found = [value.grad.clone() for value in model.parameters() if value.grad is not None]
        model.zero_grad()
        return [logits, *found]

    exact = gradients(network)
    assert depthwise_in_float32(network) == 16
    assert list(network.state_dict()) == names
    torch.testing.assert_close(gradients(network), exact, atol=0, rtol=0)
    copy = deepcopy(network)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = network(pixels)
    assert mixed.dtype == torch.bfloat16
    with torch.no_grad():  # the copy computes with its own weights
        for value in copy.parameters():
            value.zero_()
    assert not copy(pixels).any()
    torch.testing.assert_close(mixed.float(), exact[0], atol=0.05 * float(exact[0].detach().abs().max()), rtol=0)


def test_probabilities_leave_background_out_and_sum_with_it_to_one() -> None:
    logits = torch.randn(2, 4, 8, 8)
    found = probabilities(logits, "multiclass")
    assert found.shape == (2, 3, 8, 8)
    torch.testing.assert_close(1 - found.sum(dim=1), logits.softmax(dim=1)[:, 0])


def test_probabilities_of_labels_are_independent() -> None:
    logits = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(probabilities(logits, "multilabel"), 1 / (1 + torch.exp(-logits)))


@pytest.mark.parametrize(("side", "advice"), [(500, "Use 480 or 512"), (20, "Use 32"), (0, "Use 32")])
def test_a_side_that_is_no_multiple_of_32_names_the_nearest(side: int, advice: str) -> None:
    with pytest.raises(ModelError, match=advice):
        check_side(side, where="here")


@pytest.mark.parametrize("factor", [2, 4])
def test_a_downsampling_network_sees_means_and_gives_logits_of_the_full_size(factor: int) -> None:
    settings = TINY.model_copy(update={"downsample": factor})
    torch.manual_seed(0)
    network = build_network(settings, classes=2, task="multilabel").eval()
    pixels = torch.randint(0, 256, (1, 3, 64 * factor, 32 * factor), dtype=torch.uint8)
    means = block_reduce(pixels.numpy().astype(np.float64), (1, 1, factor, factor), np.mean)
    alone = ScaledNetwork(network.body, outputs=2, scaling=network.scaling).eval()
    logits = alone(torch.from_numpy(means).float()).detach().numpy()
    expected = np.stack([[cv2.resize(plane, (32 * factor, 64 * factor)) for plane in each] for each in logits])
    np.testing.assert_allclose(network(pixels).detach().numpy(), expected, atol=1e-4)
    with pytest.raises(ModelError, match=f"multiple of {32 * factor}"):
        network(pixels[..., : 32 * (factor - 1)])


def test_grey_patches_are_refused() -> None:
    with pytest.raises(ModelError, match=r"\(n, 3, h, w\)"):
        ScaledNetwork(torch.nn.Identity(), outputs=1)(torch.zeros(1, 1, 64, 64))


def test_a_network_that_cannot_be_built_on_an_encoder_says_which_ones_can() -> None:
    unfit = ModelSettings(network="unetplusplus", encoder="mit_b0", encoder_weights="none")
    with pytest.raises(ModelError, match=r"(?s)cannot be built.*unetplusplus on mit_b0.*tu-tf_efficientnet_lite0"):
        build_network(unfit, classes=1, task="binary")


def test_a_network_is_checked_without_memory_and_as_the_one_that_is_built() -> None:
    with pytest.raises(ModelError, match="cannot be built"):
        check_buildable(ModelSettings(network="unetplusplus", encoder="mit_b0"), classes=1, task="binary")
    before = torch.random.get_rng_state()
    check_buildable(ModelSettings(encoder="mit_b0"), classes=1, task="binary")  # reads its tensors while it is built
    check_buildable(ModelSettings(encoder="resnet18"), classes=1, task="binary")
    torch.random.set_rng_state(before)


@pytest.mark.parametrize("network", get_args(Network))
def test_each_network_can_be_built_on_the_packaged_encoder(network: str) -> None:
    check_buildable(ModelSettings(network=network), classes=1, task="binary")


def test_an_unknown_encoder_names_its_nearest_relative() -> None:
    with pytest.raises(ModelError, match="such as efficientnet-b"):
        build_network(ModelSettings(encoder="efficientnet-bo", encoder_weights="none"), classes=1, task="binary")


def test_pretrained_weights_out_of_reach_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import segmentation_models_pytorch.encoders as encoders

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no network")

    monkeypatch.setattr(encoders, "hf_hub_download", unreachable)
    with pytest.raises(ModelError, match=r"(?s)cannot be fetched.*state-dict file.*none"):
        build_network(TINY.model_copy(update={"encoder_weights": "imagenet"}), classes=1, task="binary")


def test_a_missing_file_of_encoder_weights_is_named() -> None:
    with pytest.raises(ModelError, match=r"nowhere\.pt"):
        build_network(TINY.model_copy(update={"encoder_weights": "nowhere.pt"}), classes=1, task="binary")


@pytest.mark.slow
@pytest.mark.parametrize("module", MODULES)
def test_each_module_can_be_imported_first(module: str) -> None:
    """torchvision must be prepared whichever way the stage is entered, and no warning may appear."""
    code = f"import pipeline.model.{module} as m; from pipeline.model.network import build_network"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_running_statistics_follow_within_a_few_hundred_steps():
    network = build_network(ModelSettings(), classes=2, task="multiclass")
    momenta = {each.momentum for each in network.modules() if isinstance(each, torch.nn.BatchNorm2d)}
    assert momenta == {0.1}
