"""The same run with other ``-j``, workers, locale, time zone and folder, killed ten times, and with other chunks and shards.

The content is equal; with other shards up to a step of float16, because the windows of a block are added first.
"""

import locale
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.reliability.attempts import Attempt
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.scene import CONFIG, DATASET, MANIFEST, Started, snakemake
from pipeline.seeds import stream

__all__ = ["reproduce"]

SAMPLES: dict[str, Any] = {}
"""Configuration of the samples: that of a bare ``snakemake all``."""
WORKERS = {"normalized": {"workers": 2}, "probability": {"workers": 2}}
UTC = {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
START_S = 4.0
"""Seconds of processor time before which Snakemake starts no job."""


def _stored(chunk: int, shard: int, *, strip: int) -> dict[str, Any]:
    storage = {"chunk": chunk, "shard": shard}
    return {
        "normalized": {"storage": storage, "strip_rows": strip, "strip_columns": strip},
        "probability": {"storage": storage},
        "segmentation": {"storage": storage},
    }


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What is other in a run, and may change nothing."""

    name: str
    folder: str
    cores: int
    blocks: dict[str, Any] = field(default_factory=dict)
    """Of the configuration."""
    surroundings: dict[str, str] = field(default_factory=dict)
    small: dict[str, Any] = field(default_factory=dict)
    """Blocks of the small run, where they are others."""
    chunks: bool = False
    rounding: bool = False
    """Whether floats are added in another order."""
    kills: int = 0
    """SIGKILL to the whole session, at random moments, before a last call is left alone."""


FIRST = Circumstance("the run", "one", 2, surroundings=UTC)
OTHERS = (
    Circumstance("-j, workers, locale, time zone, folder", "zwei – 二 {b}", 5, WORKERS, {"TZ": "Asia/Kathmandu"}),
    Circumstance("moments of ten kills", "five", 2, surroundings=UTC, kills=10),
    Circumstance(
        "chunks and strips",
        "three",
        2,
        _stored(128, 2048, strip=4096),
        UTC,
        _stored(64, 256, strip=512),
        chunks=True,
    ),
    Circumstance(
        "shards",
        "four",
        2,
        _stored(128, 512, strip=1024),
        UTC,
        _stored(64, 512, strip=512),
        chunks=True,
        rounding=True,
    ),
)


def reproduce(folder: Path, *, small: bool) -> Iterator[Attempt]:
    """Outcome of each circumstance, on both samples or on the small run."""
    before = _cpu_seconds_of_children()
    first = _run(folder, FIRST, small=small)
    took = _cpu_seconds_of_children() - before
    for number, circumstance in enumerate(OTHERS):
        other = _run(folder, circumstance, small=small, cpu_seconds=took)
        problems = differences(other, first, chunks=circumstance.chunks, rounding=circumstance.rounding) + left_over(
            other
        )
        where = "the small run" if small else "both samples"
        outcome = "other content" if problems else "equal"
        yield Attempt(
            f"reproduce: other {circumstance.name}", where, number, 0, outcome, fault="; ".join(problems)[:3000]
        )


def _cpu_seconds_of_children() -> float:
    """Processor time of all processes that were started here and have ended."""
    times = os.times()
    return times.children_user + times.children_system


def _run(folder: Path, circumstance: Circumstance, *, small: bool, cpu_seconds: float = 0.0) -> Path:
    work = folder / circumstance.folder
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "soak.yaml").write_text(yaml.safe_dump(MANIFEST))
    (work / "soak.config.yaml").write_text(yaml.safe_dump(_config(circumstance, small=small)))
    surroundings = {"LC_ALL": _other_locale(), **circumstance.surroundings}

    def begin() -> Started:
        return snakemake(work, f"-j{circumstance.cores}", "all", surroundings=surroundings, patience_s=4 * 3600)

    # Lives of this mean length end with about a tenth of the work left: what is finished is not done again.
    longest = START_S + 2 * cpu_seconds / max(circumstance.kills, 1)
    for moment in stream(0, "reproduce", "kills").uniform(START_S, longest, circumstance.kills):
        run = begin()
        if run.wait_for(moment):
            print(f"killed after {moment:.0f} s of processor time", flush=True)
            run.kill()
    run = begin()
    if run.wait():
        raise RuntimeError(f"{circumstance.name}: {run.said()[-3000:]}")
    return work / "results"


def _config(circumstance: Circumstance, *, small: bool) -> dict[str, Any]:
    if not small:
        return circumstance.blocks
    blocks = circumstance.small or circumstance.blocks
    overrides = CONFIG["overrides"][DATASET]
    return {
        **CONFIG,
        "overrides": {DATASET: {**overrides, **{key: {**overrides[key], **blocks[key]} for key in blocks}}},
    }


def _other_locale() -> str:
    """A locale that writes numbers otherwise, where one is installed."""
    kept = locale.setlocale(locale.LC_NUMERIC)
    try:
        for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "tr_TR.UTF-8"):
            try:
                locale.setlocale(locale.LC_NUMERIC, name)
            except locale.Error:
                continue
            return name
        return "C"
    finally:
        locale.setlocale(locale.LC_NUMERIC, kept)
