"""Durations of the stages of a run: measured rates times the pixels, patches and jobs of its configuration.

The rates were fitted to `report/times.csv` of the two samples and of 12 images of IDRiD (4288 × 2848, at half their size,
windows of 768, four views) on two cores of a Xeon with AMX, two jobs at a time, with another training beside them.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pipeline.config import StageConfig
from pipeline.runtime.job_memory import Picture, scaled_size
from pipeline.runtime.measured import activations_of
from pipeline.words import EVALUATED_SPLITS, WORDS

__all__ = ["Machine", "StageTime", "expected_times"]

MEGA = 1e6
PROCESSORS, BFLOAT16 = Path("/proc/cpuinfo"), ("avx512_bf16", "amx_bf16")
"""File where Linux lists the instructions of a processor, and those for bfloat16; importing torch would take
seconds."""
START = 2.2
"""Seconds of any job: Python, imports, its log entry. Jobs without work (`raw_images`, `segmentation_lesions`) took 1.5
to 2.2 s."""
TORCH = 9.0
"""Seconds of a job that runs a network before its first patch or window."""
PHANTOM = 1.5
"""Seconds per megapixel for drawing a phantom."""
DECODED, NORMALISED, STAINED = 0.1, 0.5, 0.8
"""Seconds per megapixel for decoding an original, writing a normalised image, and estimating stains."""
DRAWN = 0.6e-3
"""Seconds per patch of an index."""
TRAINED, PREDICTED = 3.0, 0.33
"""Seconds per megapixel of a training step and of inference: U-Net with EfficientNet-Lite0 in bfloat16 on two threads.
Alone on the machine a step took 1.7 to 1.9 s per megapixel, in the runs above 2.3 to 3.6."""
FLOAT32 = 1 / 0.41
"""Factor of float32, see `pipeline.model.precision`."""
THREADS = 2
"""Threads of a network for which the rates hold."""
REFERENCE = ("unet", "tu-tf_efficientnet_lite0")
"""Network for which the rates hold. The work of another is assumed proportional to its activations."""
SEGMENTED, THRESHOLD, FITTED = 0.4, 4.0, 0.2
"""Seconds per megapixel of masks; per fusion for thresholds, and per megapixel and class of their validation images."""
MEASURED, RATED, BORDERS, PAGE = 10.0, 0.15, 4.0, 11.0
"""Seconds per fusion for measures, and per megapixel of their originals; per model for borders; for the page."""
ZOOMED, LEVELS, EXTREMES = 1.0, 0.4, 2
"""Seconds per page in deep zoom, and per megapixel of it; number of pages beside those of the worst images."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Machine for which a run is estimated."""

    processors: int
    bfloat16: bool
    """Whether the processor has bfloat16 instructions, so that ``precision: auto`` uses them."""

    @classmethod
    def here(cls) -> Self:
        """The processors of this process, and their instructions; without ``/proc`` no bfloat16 is assumed."""
        flags = PROCESSORS.read_text() if PROCESSORS.exists() else ""
        return cls(len(os.sched_getaffinity(0)), any(each in flags for each in BFLOAT16))


@dataclass(frozen=True, slots=True)
class StageTime:
    """Duration of a stage."""

    jobs: float
    """Seconds of all its jobs together, as in ``report/times.csv``."""
    wall: float
    """Seconds with a job on each processor, and one network at a time."""


@dataclass(frozen=True, slots=True)
class _Work:
    """Sums over the images of a data set that determine the durations."""

    config: StageConfig
    images: int
    original: float
    """Megapixels of all originals."""
    grid: float
    """Megapixels of all normalised images."""
    classes: int
    phantom: bool
    splits: Mapping[str, float]
    """Split → share of the images."""

    @property
    def predicted(self) -> float:
        """Share of the images with maps."""
        return sum(self.splits.get(split, 0.0) for split in self.config.probability.splits)

    @property
    def measured(self) -> float:
        """Share of the images that are measured."""
        return sum(self.splits.get(split, 0.0) for split in EVALUATED_SPLITS)

    @property
    def read(self) -> float:
        """Seconds for decoding or drawing all originals once."""
        return self.original * (DECODED + PHANTOM * self.phantom)


def expected_times(
    config: StageConfig,
    pictures: Sequence[Picture],
    *,
    classes: int,
    phantom: bool,
    splits: Mapping[str, float],
    machine: Machine,
) -> dict[str, StageTime]:
    """Durations of the stages of a data set, in their order; networks on processors, not on a GPU.

    Parameters
    ----------
    config
        Its configuration.
    pictures
        Its images.
    classes
        Number of its classes.
    phantom
        Whether the images are drawn.
    splits
        Split → share of the images.
    machine
        Machine of the run.
    """
    sizes = [scaled_size(config.normalized.rescale, each) for each in pictures]
    original = sum(each.pixels for each in pictures) / MEGA
    grid = sum(height * width for height, width in sizes) / MEGA
    work = _Work(config, len(sizes), original, grid, classes, phantom, splits)
    parallel = {"raw": _raw, "normalized": _normalized, "index": _index, "segmentation": _segmentation}
    seconds = {word: each(work) for word, each in parallel.items()} | {"report": _report(work)}
    seconds |= {"model": _model(work, machine), "probability": _probability(work, machine)}
    return {word: StageTime(seconds[word], seconds[word] / _at_once(word, work, machine)) for word in WORDS}


def _at_once(word: str, work: _Work, machine: Machine) -> float:
    """Jobs of a stage that run at once: those with networks run one at a time, and a report has few jobs."""
    results = len(work.config.model.predictors) * len(work.config.probability.fusions)
    most = {"model": 1, "probability": 1, "report": results}.get(word, work.images)
    return max(1, min(machine.processors, most))


def _raw(work: _Work) -> float:
    return START * (work.images + 1) + work.read


def _normalized(work: _Work) -> float:
    settings = work.config.normalized
    seconds = START * work.images + work.read + NORMALISED * work.grid
    if settings.chain == "fundus" or settings.stain.method == "none":
        return seconds
    return seconds + START * (work.images + 1) + work.read + STAINED * work.grid


def _index(work: _Work) -> float:
    samplings = work.config.index.samplings.values()
    drawn = sum(START + DRAWN * each.total if each.strategy != "grid" else START for each in samplings)
    return START * work.images + drawn


def _slower(network: str, encoder: str, *, precision: str, threads: int, machine: Machine, training: bool) -> float:
    """Factor on the rate of a network, from its activations, its precision and its threads."""
    own, reference = activations_of(network, encoder), activations_of(*REFERENCE)
    size = own.training / reference.training if training else own.predicting / reference.predicting
    half = precision == "bfloat16" or (precision == "auto" and machine.bfloat16)
    return size * (1 if half else FLOAT32) * THREADS / max(1, min(threads, machine.processors))


def _model(work: _Work, machine: Machine) -> float:
    config, validation = work.config, work.grid * work.splits.get("validation", 0.0)
    seconds = START * len(config.model.ensembles)
    for model in config.model.models.values():
        sampling = config.index.samplings[model.sampling]
        patch, rows = sampling.patch, sampling.total if sampling.strategy != "grid" else _windows(work, model.sampling)
        epoch = model.patches_per_epoch or rows
        taken = model.batch_size * model.accumulate
        epochs = model.epochs if model.steps is None else max(1, round(model.steps * taken / epoch))
        learned = epochs * epoch if model.steps is None else model.steps * taken
        checked = epochs * validation / (1 - sampling.overlap) ** 2
        place: dict[str, Any] = {"precision": model.precision, "threads": model.threads, "machine": machine}
        slower = [_slower(model.network, model.encoder, training=each, **place) for each in (True, False)]
        pixels = (
            learned * patch**2 / MEGA * TRAINED * slower[0] + checked * PREDICTED * slower[1]
        ) / model.downsample**2
        seconds += TORCH + pixels
    return seconds + _hardest(work, machine)


def _hardest(work: _Work, machine: Machine) -> float:
    """Seconds for evaluating the patches of the shown model, or of each member, once more: one per cell of half a patch."""
    config, seconds = work.config, 0.0
    shown = config.shown_result[0]
    for name in config.model.members(shown) if shown else ():
        model = config.model.models[name]
        sampling = config.index.samplings[model.sampling]
        drawn = sampling.total if sampling.strategy != "grid" else _windows(work, model.sampling)
        learned = min(drawn * sampling.patch**2 / MEGA, 4 * work.grid * work.splits.get("train", 0.0))
        checked = work.grid * work.splits.get("validation", 0.0) / (1 - sampling.overlap) ** 2
        place: dict[str, Any] = {"precision": model.precision, "threads": model.threads, "machine": machine}
        rate = PREDICTED * _slower(model.network, model.encoder, training=False, **place) / model.downsample**2
        seconds += TORCH + (learned + checked) * rate
    return seconds


def _windows(work: _Work, name: str) -> int:
    """Patches of a grid over the training images."""
    sampling = work.config.index.samplings[name]
    stride = sampling.patch * (1 - sampling.overlap)
    return math.ceil(work.grid * work.splits.get("train", 0.0) * MEGA / stride**2)


def _probability(work: _Work, machine: Machine) -> float:
    settings, seconds = work.config.probability, 0.0
    overlapping = 1 / (1 - settings.overlap) ** 2 if {*settings.fusions} - {"none"} else 0.0
    passes = overlapping + ("none" in settings.fusions)
    views = {"one": 1, "flips": 4, "flips_and_turns": 8}[settings.views]
    place: dict[str, Any] = {"precision": settings.precision, "threads": settings.threads, "machine": machine}
    for name in work.config.model.predictors:
        members = [work.config.model.models[each] for each in work.config.model.members(name)]
        each = sum(_slower(m.network, m.encoder, training=False, **place) / m.downsample**2 for m in members)
        pixels = work.grid * work.predicted * passes * views
        seconds += TORCH * work.images * work.predicted + PREDICTED * pixels * each
    return seconds


def _segmentation(work: _Work) -> float:
    results = len(work.config.model.predictors) * len(work.config.probability.fusions)
    images, grid = work.images * work.predicted, work.grid * work.predicted
    fitted = THRESHOLD + FITTED * work.grid * work.splits.get("validation", 0.0) * work.classes
    return results * (START * images + SEGMENTED * grid + START + fitted)


def _zoom(work: _Work) -> float:
    """Seconds of the pages in deep zoom: one job for each of all pages, or one for the worst images."""
    settings, measured = work.config.report, work.images * work.measured * bool(work.config.model.predictors)
    pages = work.images if settings.zoom == "all" else min(settings.worst + EXTREMES, measured) * (settings.worst > 0)
    jobs = pages if settings.zoom == "all" else pages > 0
    return START * jobs + pages * (ZOOMED + LEVELS * work.grid / max(work.images, 1))


def _report(work: _Work) -> float:
    models, fusions = len(work.config.model.predictors), len(work.config.probability.fusions)
    return models * (BORDERS + fusions * (MEASURED + RATED * work.original * work.measured)) + PAGE + _zoom(work)
