"""The same run with other ``-j``, workers, locale, time zone and folder, and with other chunk sizes: the content is equal."""

import locale
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.reliability.attempts import Attempt
from benchmarks.reliability.content import differences, left_over
from benchmarks.reliability.scene import CONFIG, DATASET, MANIFEST, snakemake

__all__ = ["reproduce"]

SAMPLES: dict[str, Any] = {}
"""Configuration of the samples: that of a bare ``snakemake all``."""
WORKERS = {"normalized": {"workers": 2}, "probability": {"workers": 2}}
SMALLER = {"chunk": 64, "shard": 128}
CHUNKS = {
    "normalized": {"storage": SMALLER, "strip_rows": 384, "strip_columns": 384},
    "probability": {"storage": SMALLER},
    "segmentation": {"storage": SMALLER},
}


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What is other in a run, and may change nothing."""

    name: str
    folder: str
    cores: int
    blocks: dict[str, Any] = field(default_factory=dict)
    surroundings: dict[str, str] = field(default_factory=dict)
    chunks: bool = False


FIRST = Circumstance("the run", "one", 2, {}, {"LC_ALL": "C.UTF-8", "TZ": "UTC"})
OTHERS = (
    Circumstance("-j, workers, locale, time zone, folder", "zwei – 二 {b}", 5, WORKERS, {"TZ": "Asia/Kathmandu"}),
    Circumstance("chunk sizes", "three", 2, CHUNKS, {"LC_ALL": "C.UTF-8", "TZ": "UTC"}, chunks=True),
)


def reproduce(folder: Path, *, small: bool) -> Iterator[Attempt]:
    """Outcome of each circumstance, on both samples or on the small run."""
    first = _run(folder, FIRST, small=small)
    for number, circumstance in enumerate(OTHERS):
        other = _run(folder, circumstance, small=small)
        problems = differences(other, first, chunks=circumstance.chunks) + left_over(other)
        where = "the small run" if small else "both samples"
        outcome = "other content" if problems else "equal"
        yield Attempt(
            f"reproduce: other {circumstance.name}", where, number, 0, outcome, fault="; ".join(problems)[:3000]
        )


def _run(folder: Path, circumstance: Circumstance, *, small: bool) -> Path:
    work = folder / circumstance.folder
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    (work / "soak.yaml").write_text(yaml.safe_dump(MANIFEST))
    (work / "soak.config.yaml").write_text(yaml.safe_dump(_config(circumstance.blocks, small=small)))
    surroundings = {"LC_ALL": _other_locale(), **circumstance.surroundings}
    run = snakemake(work, f"-j{circumstance.cores}", "all", surroundings=surroundings, patience_s=4 * 3600)
    if run.wait():
        raise RuntimeError(f"{circumstance.name}: {run.said()[-3000:]}")
    return work / "results"


def _config(blocks: dict[str, Any], *, small: bool) -> dict[str, Any]:
    if not small:
        return blocks
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
