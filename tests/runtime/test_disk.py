"""Expected disk grows with pixels, classes, models and fusions, and is within a factor of two of what runs took."""

import pytest

from pipeline.config import ModelConfig, ModelSettings, NormalizedConfig, ProbabilityConfig, Rescale, StageConfig
from pipeline.runtime.disk import expected_disk
from pipeline.runtime.job_memory import Picture
from tests.runtime.samples import SAMPLES, of_sample


def maps_of(**probability):
    config = StageConfig(probability=ProbabilityConfig(**probability))
    return expected_disk([Picture(1200, 900)], classes=5, evaluated_share=0.5, config=config)["probability"]


def test_maps_take_as_much_as_there_are_fusions_and_half_of_it_in_eight_bit():
    one, two = maps_of(fusions=("mean",)), maps_of(fusions=("none", "mean"))
    assert two == pytest.approx(2 * one)
    assert maps_of(fusions=("mean",), stored="uint8") == pytest.approx(one / 2)


def test_a_factor_counts_along_both_sides():
    small = StageConfig(normalized=NormalizedConfig(rescale=Rescale(factor=0.5)))
    pictures = [Picture(1200, 900)]
    whole, quarter = (
        expected_disk(pictures, classes=2, evaluated_share=1.0, config=each) for each in (StageConfig(), small)
    )
    for name in ("normalized", "probability"):
        assert whole[name] == pytest.approx(4 * quarter[name])


def test_each_model_has_weights():
    models = {name: ModelSettings() for name in "abc"}
    one, three = (
        expected_disk([], classes=1, evaluated_share=1.0, config=StageConfig(model=ModelConfig(models=each)))["model"]
        for each in ({"a": ModelSettings()}, models)
    )
    assert three == 3 * one > 0


@pytest.mark.parametrize("name", SAMPLES)
def test_of_the_samples_each_stage_is_within_a_factor_of_two_of_what_was_measured(name):
    sample, config, pictures = of_sample(name)
    found = expected_disk(
        pictures, classes=sample.classes, evaluated_share=sample.share("validation", "test"), config=config
    )
    for word, size in sample.megabytes.items():
        assert size / 2 < found[word] / 1e6 < 2 * size, word
