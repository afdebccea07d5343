"""Correction round trip on IDRiD: predict, correct the outlines of one image, retrain; what was made again, what changed.

``python -m benchmarks.corrections ROOT FOLDER`` with the folder of the released data and a new folder. It takes about ten
minutes on two cores, and writes ``benchmarks/corrections.md``.
"""

import argparse
import datetime as dt
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.model.precision import computes_bfloat16
from pipeline.stores.documents import read_json
from pipeline.stores.provenance import file_digest

SETTINGS: dict[str, Any] = {
    "datasets": ["idrid"],
    "overrides": {
        "idrid": {
            "normalized": {"rescale": {"factor": 0.25}},
            "index": {"samplings": {"guided": {"patch": 256, "total": 480, "jitter": 96}}},
            "model": {"models": {"unet": {"steps": 120, "patches_per_epoch": 240, "batch_size": 4, "readers": 0}}},
            "probability": {"fusions": ["gaussian"]},
            "report": {"zoom": "none"},
        }
    },
}
IMAGE = "IDRiD_03"
"""A training image."""
REMOVED, ADDED = ("Microaneurysms", 5), ("Hard exudates", 3)
"""Outlines taken from the truth, the smallest first, and taken over from the prediction, the largest first."""
OUTPUT = Path(__file__).with_suffix(".md")
JOBS = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Project:
    """Folder with a configuration and the results of a run."""

    folder: Path
    root: Path

    @property
    def results(self) -> Path:
        """Folder of the data set's results."""
        return self.folder / "results" / "idrid"

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write ``settings.json``, which is YAML too."""
        (self.folder / "settings.json").write_text(json.dumps(settings | {"roots": {"idrid": str(self.root)}}))

    def command(self, *words: str) -> str:
        """Call of ``lesionmap`` in the folder; its output.

        Raises
        ------
        RuntimeError
            The command failed.
        """
        call = [sys.executable, "-m", "pipeline.cli", *words]
        done = subprocess.run(call, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(words)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout + done.stderr

    def planned(self) -> Counter[str]:
        """Rule → jobs that a run would make now."""
        text = self.command("run", "-n", "all", "--configfile", "settings.json")
        return Counter({rule: int(count) for rule, count in JOBS.findall(text) if rule != "total"})

    def run(self) -> float:
        """Run to the report; seconds."""
        begin = time.perf_counter()
        self.command("run", "-j2", "all", "--configfile", "settings.json")
        return time.perf_counter() - begin


def _features(path: Path, name: str) -> list[dict[str, Any]]:
    found = json.loads(path.read_text())["features"]
    return [each for each in found if each["properties"]["classification"]["name"] == name]


def _points(feature: Mapping[str, Any]) -> Iterator[tuple[float, float]]:
    stack = [feature["geometry"]["coordinates"]]
    while stack:
        item = stack.pop()
        if isinstance(item[0], (int, float)):
            yield float(item[0]), float(item[1])
        else:
            stack.extend(item)


def _extent(feature: Mapping[str, Any]) -> float:
    x, y = zip(*_points(feature), strict=True)
    return (max(x) - min(x)) * (max(y) - min(y))


def corrected(truth: Path, prediction: Path, output: Path) -> None:
    """Truth as somebody would correct it: small outlines are deleted, predicted ones taken over."""
    collection = json.loads(truth.read_text())
    doubtful = sorted(_features(truth, REMOVED[0]), key=_extent)[: REMOVED[1]]
    added = sorted(_features(prediction, ADDED[0]), key=_extent)[-ADDED[1] :]
    kept = [each for each in collection["features"] if each not in doubtful]
    output.parent.mkdir()
    output.write_text(json.dumps({"type": "FeatureCollection", "features": kept + added}))


def state(project: Project) -> dict[str, Any]:
    """Digests of the results and the test measures."""
    classes = pd.read_parquet(next(project.results.glob("report/unet.gaussian.classes.parquet")))
    pooled = classes[(classes["measure"] == "ap_pooled") & (classes["class_code"] != "")]
    test = pooled[(pooled["split"] == "test") & (pooled["grid"] == "original")].set_index("class_code")["value"]
    stores = {path.stem: file_digest(path / "zarr.json") for path in project.results.glob("normalized/*.zarr")}
    return {
        "stores": stores,
        "index": file_digest(project.results / "index" / "guided.parquet"),
        "weights": file_digest(project.results / "model" / "unet" / "weights.pt"),
        "pixels": read_json(project.results / "raw" / f"{IMAGE}.json")["pixels"],
        "origin": read_json(project.results / "raw" / f"{IMAGE}.json")["truth_origin"],
        "aupr": test.astype(float).to_dict(),
    }


def round_trip(project: Project) -> dict[str, Any]:
    """Run, export, correct, plan, run again, undo: what each step found."""
    project.folder.mkdir(parents=True)
    project.configure(SETTINGS)
    files = {path: file_digest(path) for path in project.root.rglob("*") if path.is_file()}
    found: dict[str, Any] = {"first_s": project.run(), "before": state(project)}
    truth = project.folder / f"{IMAGE}.geojson"
    project.command("export", str(project.results / "normalized" / f"{IMAGE}.zarr"), "--format", "geojson")
    prediction = project.results / "segmentation" / "unet" / "gaussian" / f"{IMAGE}.geojson"
    if not prediction.exists():
        project.command("run", "-j2", str(prediction.relative_to(project.folder)), "--configfile", "settings.json")
    corrected(truth, prediction, project.folder / "corrected" / f"{IMAGE}.geojson")
    project.configure(SETTINGS | {"corrections": {"idrid": "corrected"}})
    project.command("check", "--configfile", "settings.json")
    found |= {"planned": project.planned()}
    found |= {"again_s": project.run(), "after": state(project), "then": project.planned()}
    (project.folder / "corrected" / f"{IMAGE}.geojson").unlink()
    found |= {"undone_s": project.run(), "undone": state(project)}
    found["root_unchanged"] = all(file_digest(path) == digest for path, digest in files.items())
    return found


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    stores = [name for name in before["stores"] if before["stores"][name] != after["stores"][name]]
    same = [name for name in ("index", "weights") if before[name] == after[name]]
    return f"stores {', '.join(stores) or 'none'}; the same: {', '.join(same) or 'neither index nor weights'}"


def _kind() -> str:
    return "bfloat16 by own instructions" if computes_bfloat16() else "float32"


def page(found: Mapping[str, Any]) -> str:
    """Table of the round trip, as Markdown."""
    before, after, undone = found["before"], found["after"], found["undone"]
    rows = [
        f"| {code} | {before['pixels'].get(code, 0)} | {after['pixels'].get(code, 0)} | {before['aupr'][code]:.3f} | {after['aupr'][code]:.3f} |"
        for code in before["aupr"]
        if code in before["pixels"]
    ]
    jobs = ", ".join(
        f"{rule} {count}" for rule, count in sorted(found["planned"].items()) if rule not in ("all", "complete")
    )
    return "\n".join(
        [
            "# One correction, and what it makes again",
            "",
            f"`python -m benchmarks.corrections ROOT FOLDER`, {dt.datetime.now(dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores, {_kind()}. IDRiD at a quarter of its size,",
            f"120 steps, no report pages of images. The truth of {IMAGE}, a training image, was exported as GeoJSON, its {REMOVED[1]} smallest {REMOVED[0].lower()} deleted, and the",
            f"{ADDED[1]} largest predicted {ADDED[0].lower()} taken over. The figures of so short a training say nothing but that they changed.",
            "",
            f"| class | pixels of {IMAGE}, before | after | test AUPR, before | after |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"- First run {found['first_s']:.0f} s, after the correction {found['again_s']:.0f} s, after it was undone {found['undone_s']:.0f} s.",
            f"- Planned again: {jobs}.",
            f"- Changed by the correction: {_changed(before, after)}. Origin of the truth: {before['origin']}, then {after['origin']}.",
            f"- A further run would make: {', '.join(found['then']) or 'nothing'}.",
            "- Classes that nobody touched change too: outlines from a run at a quarter of the size are that coarse. `lesionmap export` says so.",
            f"- Undone, against the first run: {_changed(before, undone)}.",
            f"- Files of the data set: {'unchanged' if found['root_unchanged'] else 'CHANGED'}.",
            "",
        ]
    )


def main() -> None:
    """Make the round trip, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path, help="folder of the released IDRiD")
    parser.add_argument("folder", type=Path, help="a new folder for the runs")
    arguments = parser.parse_args()
    found = round_trip(Project(arguments.folder.resolve(), arguments.root.resolve()))
    OUTPUT.write_text(page(found))
    print(OUTPUT.read_text())


if __name__ == "__main__":
    main()
