"""Expected times are within a factor of two of measured ones, and scale with processors, precision and length."""

import pytest

from pipeline.config.run import merge
from pipeline.runtime.durations import Machine, expected_times
from tests.runtime.samples import SAMPLES, of_sample

TWO = Machine(processors=2, bfloat16=True)


def times_of(name, machine=TWO, **changed):
    sample, config, pictures = of_sample(name)
    config = type(config).model_validate(merge(config.model_dump(), changed))
    splits = {split: sample.share(split) for split in sample.splits}
    return expected_times(config, pictures, classes=sample.classes, phantom=True, splits=splits, machine=machine)


@pytest.mark.parametrize("name", SAMPLES)
def test_of_the_samples_each_stage_is_within_a_factor_of_two_of_what_was_measured(name):
    found = times_of(name)
    for word, seconds in SAMPLES[name].seconds.items():
        assert seconds / 2 < found[word].jobs < 2 * seconds, word


def test_stages_of_many_jobs_go_with_the_processors_and_networks_by_their_threads():
    two, eight = times_of("fundus_sample"), times_of("fundus_sample", Machine(processors=8, bfloat16=True))
    assert eight["raw"].wall == pytest.approx(two["raw"].wall / 4)
    assert eight["model"].wall == two["model"].wall  # two threads by configuration
    more = times_of("fundus_sample", Machine(8, bfloat16=True), model={"models": {"unet": {"threads": 8}}})
    assert more["model"].wall < two["model"].wall / 2


def test_float32_takes_longer_than_bfloat16():
    half, full = times_of("histology_sample"), times_of("histology_sample", Machine(2, bfloat16=False))
    assert 1.5 * half["model"].wall < full["model"].wall < 3 * half["model"].wall


@pytest.mark.parametrize("changed", [{"epochs": 8}, {"steps": 480, "batch_size": 8}])
def test_training_goes_with_its_length(changed):
    longer = times_of("fundus_sample", model={"models": {"unet": changed}})
    assert longer["model"].wall > 1.7 * times_of("fundus_sample")["model"].wall


def test_without_a_model_no_training_takes_time():
    sample, config, pictures = of_sample("fundus_sample")
    bare = type(config).model_validate(config.model_dump() | {"model": {"models": {}}})
    splits = {split: sample.share(split) for split in sample.splits}
    found = expected_times(bare, pictures, classes=sample.classes, phantom=True, splits=splits, machine=TWO)
    assert found["model"].jobs == 0
