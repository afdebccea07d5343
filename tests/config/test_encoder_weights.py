"""Weights of an encoder that a configuration does not name: installed where there are any, else random."""

import pytest
from pydantic import ValidationError

from pipeline.config import ModelSettings


@pytest.mark.parametrize(
    ("given", "weights"),
    [
        ({}, "package"),
        ({"encoder": "tu-tf_efficientnet_lite1"}, "package"),
        ({"encoder": "mobilenet_v2"}, "none"),
        ({"encoder": "mobilenet_v2", "encoder_weights": "auto"}, "none"),
        ({"encoder_weights": "none"}, "none"),
        ({"encoder": "resnet18", "encoder_weights": "imagenet"}, "imagenet"),
        ({"encoder": "resnet18", "encoder_weights": "mine.pt"}, "mine.pt"),
    ],
)
def test_weights_go_by_the_encoder_unless_they_are_named(given, weights):
    assert ModelSettings.model_validate(given).encoder_weights == weights


def test_asking_for_installed_weights_of_an_encoder_without_any_is_refused():
    with pytest.raises(ValidationError, match="package has none for mobilenet_v2"):
        ModelSettings(encoder="mobilenet_v2", encoder_weights="package")
