"""Projected disk is the stated products of pixels, classes, models and fusions."""

import pytest

from pipeline.config import ModelConfig, ModelSettings, NormalizedConfig, ProbabilityConfig, Rescale, StageConfig
from pipeline.runtime.disk import projected_disk


@pytest.mark.parametrize(("stored", "size"), [("float16", 2), ("uint8", 1)])
def test_projected_disk_is_these_products(stored: str, size: int) -> None:
    config = StageConfig(
        model=ModelConfig(models={"a": ModelSettings(), "b": ModelSettings(), "c": ModelSettings()}),
        probability=ProbabilityConfig(fusions=("none", "mean"), stored=stored),
    )
    found = projected_disk([(1200, 900), (300, 600)], classes=5, evaluated_share=0.5, config=config)
    pixels, maps = 1_260_000, 3 * 2 * 630_000
    assert found == {
        "normalized": pixels * (4 + 5 + 1),
        "probability": maps * 5 * size * 4 // 3,
        "segmentation": maps * 4 // 3 + maps * 5,
    }


def test_a_factor_counts_along_both_sides() -> None:
    small = StageConfig(normalized=NormalizedConfig(rescale=Rescale(factor=0.5)))
    sizes = [(1200, 900)]
    whole, quarter = (
        projected_disk(sizes, classes=2, evaluated_share=1.0, config=each) for each in (StageConfig(), small)
    )
    assert whole == {name: 4 * size for name, size in quarter.items()}
