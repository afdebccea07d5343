"""Copy of the project with a tiny data set of each world, run as a user runs it."""

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from pipeline.raw.phantom.histology import histology_phantom

PROJECT = Path(__file__).parents[2]
OFFLINE = Path(__file__).with_name("offline")
"""Folder of the guard of the network, which each Python process imports as it starts."""
CACHE = "__pycache__"
SAID = "said.txt"
"""File with what the one run printed."""
COPIED = ("Snakefile", "datasets_manifest.yaml", "stages", "pipeline", "profiles", "pyproject.toml")

MANIFEST = {
    "datasets": {
        "tiny": {
            "title": "Tiny phantom",
            "adaptor": "phantom",
            "modality": "fundus",
            "task": "multiclass",
            "phantom": {"world": "fundus", "images": 4, "test": 1, "size": 128, "seed": 1},
            "classes": [
                {"code": "MA", "name": "Microaneurysms"},
                {"code": "HE", "name": "Haemorrhages", "colour": "green"},
                {"code": "EX", "name": "Exudates", "colour": "blue"},
                {"code": "SE", "name": "Soft exudates", "colour": "yellow"},
                {"code": "OD", "name": "Optic disc", "colour": "magenta", "kind": "anatomy"},
            ],
        },
        "pink": {
            "title": "Files of tiny phantom tissue",
            "adaptor": "folder",
            "root": "slides {1} <results>",  # a name that Snakemake would take for its own
            "modality": "histology",
            "task": "binary",
            "folder": {"images": "{image}.png", "masks": {"LESION": "masks/{image}.png"}, "test": "pink_03"},
            "group": {"csv": "patients.csv"},
            "classes": [{"code": "LESION", "name": "Lesion"}],
        },
    }
}

STORAGE = {"chunk": 32, "shard": 64}
PLAIN = {
    "encoder_weights": "none",
    "moving_crops": 0.0,
    "augmentation": {"kind": "fundus"},
    "schedule": "plateau",
    "average_decay": 0.0,
    "select_by": "dice_miou",
}
FUNDUS = {
    "manifest": "tiny.yaml",
    "datasets": ["tiny"],
    "normalized": {"gaussian": {"sigma": 2.0}, "strip_rows": 64, "strip_columns": 64, "storage": STORAGE},
    "index": {"samplings": {"guided": {"patch": 64, "total": 22, "jitter": 16, "background_share": 0.0}}},
    "model": {"models": {"unet": {**PLAIN, "encoder": "resnet18", "epochs": 1, "batch_size": 4, "threads": 1}}},
    "probability": {"fusions": ["none", "gaussian"], "threads": 1, "storage": STORAGE},
    "segmentation": {"storage": STORAGE},
    "report": {"images": 1, "picture_side": 128, "zoom": "worst 1"},
}
"""Configuration of the fundus data set alone."""
PINK = {
    "normalized": {"stain": {"least_tissue": 500}, "strip_columns": 128},
    "index": {"samplings": {"balanced": {"patch": 64, "total": 8, "negatives": "anywhere"}}},
    "model": {
        "models": {
            "unet": {
                "augmentation": [{"name": name} for name in ("turns", "flips", "stain", "brightness_contrast")],
                "select_by": "dice",
            }
        }
    },
    "probability": {"fusions": ["max"]},
}
TINY = {**FUNDUS, "datasets": ["tiny", "pink"], "overrides": {"pink": PINK}}
"""Configuration of both."""


@dataclass(frozen=True)
class Project:
    """A copy of the project in which a test may change anything."""

    folder: Path

    @property
    def connections(self) -> Path:
        """Notes of what processes of its runs asked of other hosts."""
        return self.folder / "connections.txt"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a run: its own library, and no host but this one."""
        own = {"PYTHONPATH": f"{self.folder}{os.pathsep}{OFFLINE}", "MPLBACKEND": "Agg"}
        return {**os.environ, **own, "LESIONMAP_TEST_CONNECTIONS": str(self.connections)}  # noqa: TID251

    def snakemake(self, *arguments: str, timeout: int = 3600) -> subprocess.CompletedProcess[str]:
        """Run Snakemake in the folder of the copy, on the copy's own library."""
        command = [
            sys.executable,
            "-m",
            "snakemake",
            "-s",
            str(self.folder / "Snakefile"),
            "--configfile",
            "tiny.config.yaml",
        ]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def forked(self, *arguments: str) -> tuple[int, str, list[tuple[str, str]]]:
        """Exit code and output of a call, and its jobs as rule and data set, from a process that imports nothing more."""
        server = _dry_run_server(self.folder)
        assert server.stdin is not None
        assert server.stdout is not None
        call = ["-s", str(self.folder / "Snakefile"), "--configfile", "tiny.config.yaml", *arguments]
        server.stdin.write(json.dumps(call) + "\n")
        server.stdin.flush()
        code, text, jobs = json.loads(server.stdout.readline())
        return code, text, [(rule, dataset) for rule, dataset in jobs]

    def dry_run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a dry run."""
        return self.forked("-n", *arguments)[:2]

    def configure(self, tree: dict) -> None:
        """Write the configuration of the run."""
        (self.folder / "tiny.config.yaml").write_text(yaml.safe_dump(tree))

    def jobs(self, *targets: str) -> list[tuple[str, str]]:
        """Rule and data set of each job that a dry run would run, without the targets that are rules."""
        code, text, jobs = self.forked("-n", *targets)
        assert code == 0, text
        assert ("Nothing to be done" in text) != bool(jobs), text
        return [job for job in jobs if job[0] not in targets]

    def wants(self, target: str = "all") -> set[str]:
        """Rules that a dry run would run."""
        return {rule for rule, _ in self.jobs(target)}

    def wants_of(self, dataset: str, stage: str = "report") -> set[str]:
        """Rules that a dry run of one data set up to a stage would run, without the word on its end."""
        return self.wants(f"results/.complete/{dataset}/{stage}") - {"complete"}

    def wants_of_each(self) -> dict[str, set[str]]:
        """The same of the data sets together, up to the report."""
        names = ("tiny", "pink")
        jobs = self.jobs(*(f"results/.complete/{dataset}/report" for dataset in names))
        return {name: {rule for rule, dataset in jobs if dataset == name} - {"complete"} for name in names}


@functools.cache
def _dry_run_server(folder: Path) -> subprocess.Popen[str]:
    # It ends with its standard input, which is with this process.
    environment = {**os.environ, "PYTHONPATH": str(folder), "MPLBACKEND": "Agg"}  # noqa: TID251
    command = [sys.executable, str(Path(__file__).with_name("dry_run_server.py")), str(folder / "Snakefile")]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def write_slides(root: Path) -> None:
    """Image files, masks and table of patients of the histology data set."""
    (root / "masks").mkdir(parents=True)
    rows = ["image_id,group"]
    for number in range(3):
        phantom = histology_phantom(number, size=160, seed=1)
        Image.fromarray(phantom.image).save(root / f"pink_{number + 1:02}.png")
        Image.fromarray(phantom.masks["LESION"]).save(root / "masks" / f"pink_{number + 1:02}.png")
        rows.append(f"pink_{number + 1:02},{phantom.group}")
    (root / "patients.csv").write_text("\n".join(rows))


def copy_of_project(folder: Path) -> Project:
    """Copy the project without its results."""
    folder.mkdir(parents=True, exist_ok=True)
    skip = shutil.ignore_patterns(CACHE)
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skip)
        else:
            shutil.copy2(source, folder / name)
    _share_compiled(folder)
    (folder / "tiny.yaml").write_text(yaml.safe_dump(MANIFEST))
    write_slides(folder / MANIFEST["datasets"]["pink"]["root"])
    project = Project(folder)
    project.configure(TINY)
    return project


def _share_compiled(folder: Path) -> None:
    # The copies have the dates of the originals, so that what was compiled of one serves all: kernels take half a minute.
    for package in (PROJECT / "pipeline").rglob("__init__.py"):
        compiled = package.parent / CACHE
        compiled.mkdir(exist_ok=True)
        (folder / compiled.relative_to(PROJECT)).symlink_to(compiled)


def copy_with_results(project: Project, folder: Path) -> Project:
    """Copy a project with all that it made, for a test that makes more: the others share the original."""
    shutil.copytree(project.folder, folder, symlinks=True)
    return Project(folder)
