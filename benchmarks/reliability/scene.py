"""Run made for the attempts: two images of 1 000 pixels through all stages, and its state before each stage."""

import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from PIL import Image

from pipeline.raw.phantom.histology import histology_phantom
from pipeline.words import WORDS

__all__ = [
    "CONFIG",
    "DATASET",
    "OVERRIDES",
    "PROJECT",
    "Scene",
    "Started",
    "make_scene",
    "predict",
    "snakemake",
    "start",
    "target_of",
]

PROJECT = Path(__file__).parents[2]
DATASET = "soak"
PREDICT = "predict"
"""What is done after all stages: `lesionmap predict` with the model."""
STORAGE = {"chunk": 128, "shard": 256}
MANIFEST = {
    "datasets": {
        DATASET: {
            "title": "Two images of phantom tissue",
            "adaptor": "phantom",
            "modality": "histology",
            "task": "binary",
            "phantom": {"world": "histology", "images": 2, "size": 1000},
            "classes": [{"code": "LESION", "name": "Lesion"}],
        }
    }
}
SAMPLING = {"patch": 128, "total": 16, "negatives": "anywhere", "negative_distance": 16}
OVERRIDES: dict[str, Any] = {
    "normalized": {"stain": {"target": "median"}, "strip_rows": 256, "strip_columns": 256, "storage": STORAGE},
    "index": {"samplings": {"balanced": SAMPLING}},
    "model": {
        "models": {
            "unet": {"encoder": "mobilenet_v2", "encoder_weights": "none", "epochs": 1, "batch_size": 8, "threads": 1}
        }
    },
    "probability": {"fusions": ["gaussian"], "threads": 1, "storage": STORAGE},
    "segmentation": {"storage": STORAGE},
    "report": {"images": 1, "picture_side": 128},
}
CONFIG: dict[str, Any] = {"manifest": "soak.yaml", "datasets": [DATASET], "overrides": {DATASET: OVERRIDES}}
"""Histology alone has every kind of file."""
PATIENCE_S = 600
_CALLS = itertools.count()


@dataclass(frozen=True, slots=True)
class Started:
    """A call that was started in a session of its own, so that it can be killed with all its jobs."""

    process: subprocess.Popen[bytes]
    log: Path
    patience_s: float = PATIENCE_S

    def kill(self) -> None:
        """SIGKILL to all of the session."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self) -> int:
        """Exit code; what hangs is killed and counts as one."""
        try:
            return self.process.wait(self.patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            return -1

    @property
    def processes(self) -> dict[int, list[str]]:
        """Living processes of the session: number → fields of its state after its name."""
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid:
                found[int(path.name)] = fields
        return found

    def cpu_seconds(self) -> float:
        """Processor time of all of the session, of what has ended too; on a busy machine it says how far a run is."""
        ticks = sum(sum(map(int, fields[11:15])) for fields in self.processes.values())
        return ticks / os.sysconf("SC_CLK_TCK")

    def wait_for(self, cpu_seconds: float) -> bool:
        """Wait until it has used so much; whether it still runs."""
        while self.process.poll() is None:
            if self.cpu_seconds() >= cpu_seconds:
                return True
            time.sleep(0.1)
        return False

    def said(self) -> str:
        """What it printed."""
        return self.log.read_text(errors="replace")


@dataclass(frozen=True, slots=True)
class Scene:
    """A finished run, and copies of its working folder as it was before each stage."""

    folder: Path

    def before(self, stage: str) -> Path:
        """Working folder before a stage."""
        return self.folder / f"before_{stage}"

    @property
    def finished(self) -> Path:
        """Working folder of the finished run."""
        return self.folder / "finished"

    def after(self, stage: str) -> Path:
        """Working folder after a stage."""
        return self.before([*WORDS, PREDICT][WORDS.index(stage) + 1])

    @property
    def picture(self) -> Path:
        """New image for predictions."""
        return self.folder / "new.png"

    def cpu_seconds(self, stage: str) -> float:
        """Processor time that a stage took undisturbed."""
        return float((self.folder / f"{stage}.seconds").read_text())


def snakemake(
    folder: Path,
    *arguments: str,
    prefix: tuple[str, ...] = (),
    surroundings: Mapping[str, str] = MappingProxyType({}),
    patience_s: float = PATIENCE_S,
) -> Started:
    """Start of Snakemake in a working folder."""
    command = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "--configfile", "soak.config.yaml"]
    return start(folder, [*prefix, *command, *arguments], surroundings=surroundings, patience_s=patience_s)


def predict(folder: Path, picture: Path) -> Started:
    """Start of ``lesionmap predict`` with the model of a finished run."""
    model = Path("results") / DATASET / "model" / "unet"
    settings = ["--probability", "threads=1", "storage={chunk: 128, shard: 256}", "device=cpu"]
    command = [sys.executable, "-m", "pipeline.cli", "predict", str(picture), "--model", str(model)]
    return start(folder, [*command, "--out", "results/predictions", *settings])


def start(
    folder: Path,
    command: list[str],
    *,
    surroundings: Mapping[str, str] = MappingProxyType({}),
    patience_s: float = PATIENCE_S,
) -> Started:
    """Start of a command in a working folder, with its output in a file beside that."""
    log = folder.with_name(f"{folder.name}.{next(_CALLS)}.output")
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "MPLBACKEND": "Agg", **surroundings}  # noqa: TID251
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    return Started(process, log, patience_s)


def make_scene(folder: Path, *, cores: int = 2) -> Scene:
    """Run of all stages, one after the other, with a copy before each; kept where it is there already."""
    scene = Scene(folder)
    if scene.finished.is_dir():
        return scene
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "work"
    work.mkdir(parents=True)
    write_inputs(work)
    Image.fromarray(histology_phantom(7, size=600, seed=1).image).save(scene.picture)
    for stage in WORDS:
        shutil.copytree(work, scene.before(stage), symlinks=True)
        call = (f"-j{cores}", *target_of(stage), "--skip-script-cleanup")
        _undisturbed(scene, stage, lambda: snakemake(work, *call))  # noqa: B023
        shutil.copytree(work / ".snakemake" / "scripts", folder / "scripts" / stage)
        shutil.rmtree(work / ".snakemake" / "scripts")
    shutil.copytree(work, scene.before(PREDICT), symlinks=True)
    _undisturbed(scene, PREDICT, lambda: predict(work, scene.picture))
    work.rename(scene.finished)
    return scene


def _undisturbed(scene: Scene, stage: str, begin: Callable[[], Started]) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = begin()
    if run.wait():
        raise SystemExit(f"The undisturbed run failed in stage {stage}:\n{run.said()[-4000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (scene.folder / f"{stage}.seconds").write_text(f"{seconds:.2f}")


def write_inputs(work: Path, *, config: dict[str, Any] | None = None) -> None:
    """Manifest and configuration of the run."""
    (work / "soak.yaml").write_text(yaml.safe_dump(MANIFEST))
    (work / "soak.config.yaml").write_text(yaml.safe_dump(config or CONFIG))


def target_of(stage: str) -> list[str]:
    """What Snakemake is asked for to go up to a stage."""
    return ["all" if stage == WORDS[-1] else stage]
