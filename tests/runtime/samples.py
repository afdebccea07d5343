"""Times and sizes of finished runs of the two samples, on two cores of a Xeon with AMX, two jobs at a time."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import StageConfig
from pipeline.config.run import merge, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.runtime.job_memory import Picture

PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Sample:
    """Figures of one run."""

    classes: int
    splits: Mapping[str, int]
    seconds: Mapping[str, float]
    """Stage → seconds of its jobs, sums of ``report/times.csv``."""
    megabytes: Mapping[str, float]
    """Stage → size of its files."""

    def share(self, *splits: str) -> float:
        return sum(self.splits[split] for split in splits) / sum(self.splits.values())


SAMPLES = {
    "fundus_sample": Sample(
        5,
        {"train": 4, "validation": 2, "test": 2},
        {
            "raw": 36.9,
            "normalized": 42.2,
            "index": 26.2,
            "model": 131.8,
            "probability": 42.7,
            "segmentation": 84.2,
            "report": 57.6,
        },
        {
            "normalized": 7.73,
            "index": 0.15,
            "model": 21.2,
            "probability": 49.2,
            "segmentation": 2.04,
            "report": 7.44,
        },
    ),
    "histology_sample": Sample(
        1,
        {"train": 5, "validation": 1, "test": 2},
        {
            "raw": 57.0,
            "normalized": 90.4,
            "index": 25.3,
            "model": 65.7,
            "probability": 30.5,
            "segmentation": 59.1,
            "report": 52.9,
        },
        {
            "normalized": 9.17,
            "index": 0.11,
            "model": 21.2,
            "probability": 8.53,
            "segmentation": 0.57,
            "report": 6.32,
        },
    ),
}


def of_sample(name: str) -> tuple[Sample, StageConfig, list[Picture]]:
    """Figures, configuration and pictures of a sample."""
    tree = merge(load_yaml(PROJECT / "stages" / "config.yaml"), {"datasets": [name]})
    run = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")[1][0]
    phantom = run.record.phantom
    assert phantom is not None
    return SAMPLES[name], run.config, [Picture(phantom.size, phantom.size)] * phantom.images
