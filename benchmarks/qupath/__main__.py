"""GeoJSON of a run in QuPath's own code, and QuPath's files as corrections: what differs.

``python -m benchmarks.qupath CHECKOUT CLASSPATH FOLDER RESULTS… --root ROOT``

CHECKOUT   QuPath's source, such as a clone at the tag v0.5.1; ``qupath-core`` is compiled as it is
CLASSPATH  jars that its ``gradle/libs.versions.toml`` names: gson, jts-core, slf4j-api, commons-math3, guava, picocli, ij
FOLDER     new folder for what is compiled, drawn and written
RESULTS    results of data sets with segmentations, such as ``results/idrid``
ROOT       released IDRiD folder: IDRiD_12 gets the edited file as its correction, IDRiD_13 the mark;
           the truth of IDRiD_14 is exported, and read by QuPath

It needs a JDK of the version that QuPath names (``apt install openjdk-17-jdk-headless``) and takes a few minutes.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import stores
from pipeline.config.manifest import ClassRecord
from pipeline.geometry import Box
from pipeline.raw.annotations import read_annotations
from pipeline.stores.documents import read_json

IMAGE, NEGATIVE, PLAIN_TRUTH = "IDRiD_12", "IDRiD_13", "IDRiD_14"
CODES = ("MA", "HE", "EX", "SE", "OD")
PLAIN = ("collection", "collection_pretty", "collection_bare", "array", "array_pretty")
INSIDE, BORDER = 255, 128
SMALL = 2.0**-23
"""Relative difference of a measurement, which QuPath keeps as float32."""

ROUNDED = 0.005
"""Difference of an area per side of it, in pixels: coordinates are rounded to 1/1000."""


@dataclass
class Java:
    """QuPath's core and a trial, compiled."""

    folder: Path
    classpath: str

    @classmethod
    def compiled(
        cls, checkout: Path, jars: str, folder: Path, *, more: Sequence[Path] = (), trial: str = "Trial.java"
    ) -> "Java":
        """All of ``qupath-core`` and more of its sources, unchanged, then the trial."""
        classes = folder / "classes"
        classes.mkdir(parents=True)
        sources = sorted(map(str, [*(checkout / "qupath-core/src/main/java").rglob("*.java"), *more]))
        (folder / "sources.txt").write_text("\n".join(f'"{each}"' for each in sources))
        call = ["javac", "-nowarn", "-proc:none", "-encoding", "UTF-8", "-d", str(classes), "-cp", jars]
        subprocess.run([*call, f"@{folder / 'sources.txt'}"], check=True)
        joined = os.pathsep.join([str(classes), jars])
        subprocess.run([*call[:-1], joined, str(Path(__file__).with_name(trial))], check=True)
        print(f"{len(sources)} files of QuPath compiled")
        return cls(folder, joined)

    def trial(self, what: str, path: Path, size: tuple[int, int], name: str) -> Path:
        """Folder of what the trial made of a file."""
        output = self.folder / name
        words = [what, str(path), str(size[1]), str(size[0]), str(output)]
        subprocess.run(["java", "-Djava.awt.headless=true", "-cp", self.classpath, "Trial", *words], check=True)
        return output


@dataclass
class Found:
    """Counts."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, **more: int) -> None:
        """Add to the counts."""
        for key, count in more.items():
            self.counts[key] = self.counts.get(key, 0) + int(count)

    def show(self, title: str) -> None:
        """Print the counts."""
        print(f"{title}: " + ", ".join(f"{key} {count}" for key, count in self.counts.items()), flush=True)


def classes_of(features: list[dict[str, Any]]) -> list[ClassRecord]:
    """Classes as the outlines name them."""
    names = {
        each["properties"]["metadata"]["class_code"]: each["properties"]["classification"]["name"] for each in features
    }
    return [ClassRecord(code=code, name=name) for code, name in names.items()]


def drawn(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Mask that QuPath drew: 255 inside, 128 for a centre on a border; empty where it drew none."""
    if not path.exists():
        return np.zeros(size, np.uint8)
    with Image.open(path) as picture:
        return np.asarray(picture)


def compare_masks(path: Path, folder: Path, prefix: str, *, classes: list[ClassRecord], size: tuple[int, int]) -> Found:
    """Pixels of a file by our reader, by the centres that JTS finds inside, and by QuPath's filling."""
    read = read_annotations(path, classes=classes, size=size, correction=True)
    found = Found()
    for each in classes:
        ours = read.read(each.code, Box(0, 0, *size))
        centres = drawn(folder / f"centres_{prefix}{each.name}.png", size)
        filled = drawn(folder / f"{prefix}{each.name}.png", size) > 0
        found.add(pixels=np.count_nonzero(ours), on_border=np.count_nonzero(centres == BORDER))
        found.add(other_centres=np.count_nonzero((ours != (centres == INSIDE)) & (centres != BORDER)))
        found.add(other_filling=np.count_nonzero(ours != filled), filled=np.count_nonzero(filled))
    found.add(other=sum(read.notes["other"].values()), no_area=sum(read.notes["no_area"].values()))
    return found


def compare_objects(features: list[dict[str, Any]], objects: list[dict[str, Any]]) -> Found:
    """What QuPath keeps of our features."""
    found = Found({"features": len(features), "objects": len(objects)})
    for ours, theirs in zip((each["properties"] for each in features), objects, strict=True):
        numbers, kept = ours["measurements"], theirs["measurements"]
        far = [key for key in numbers if abs(kept.get(key, np.inf) - numbers[key]) > SMALL * abs(numbers[key])]
        found.add(with_holes=theirs["roi"] == "Geometry", invalid=not theirs["valid"])
        found.add(other_class=theirs["class"] != ours["classification"]["name"])
        found.add(other_colour=theirs["colour"] != ours["classification"]["color"])
        found.add(
            measurements=len(kept), measurements_lost=len(far), metadata_lost=theirs["metadata"] != ours["metadata"]
        )
        off = abs(theirs["area"] - numbers["area_source_px"])
        found.add(other_area=off > ROUNDED * theirs["area"] ** 0.5)
    return found


def read_results(java: Java, results: Path) -> None:
    """Read all outlines of a data set, and compare them with files, table and masks."""
    total, drawn = Found(), Found()
    for path in sorted(results.glob("segmentation/*/*/*.geojson")):
        features = json.loads(path.read_text())["features"]
        facts = read_json(results / "raw" / f"{path.stem}.json")
        size = (int(facts["height"]), int(facts["width"]))
        folder = java.trial("read", path, size, "/".join(["read", results.name, *path.parts[-3:-1], path.stem]))
        total.add(files=1, **compare_objects(features, json.loads((folder / "objects.json").read_text())).counts)
        table = pd.read_parquet(path.with_name("lesions.parquet"))
        total.add(table_rows=np.count_nonzero(table["image_id"] == path.stem))
        if features:
            drawn.add(**compare_masks(path, folder, "", classes=classes_of(features), size=size).counts)
    total.show(f"{results.name}, read by QuPath")
    drawn.show(f"{results.name}, filled by QuPath and by our reader")


def edited(java: Java, results: Path) -> tuple[Path, list[ClassRecord], tuple[int, int]]:
    """Edit the largest file of a data set in QuPath's code, and read every export."""
    path = max(results.glob("segmentation/*/*/*.geojson"), key=lambda each: each.stat().st_size)
    path = next(results.glob(f"segmentation/*/*/{IMAGE}.geojson"), path)
    classes = classes_of(json.loads(path.read_text())["features"])
    facts = read_json(results / "raw" / f"{path.stem}.json")
    size = (int(facts["height"]), int(facts["width"]))
    folder = java.trial("edit", path, size, f"edit/{results.name}")
    for name in PLAIN:
        compare_masks(folder / f"{name}.geojson", folder, "drawn_", classes=classes, size=size).show(
            f"{path.stem}, {name}"
        )
    again = java.trial("read", folder / "collection.geojson", size, f"again/{results.name}")
    compare_masks(folder / "collection.geojson", again, "", classes=classes, size=size).show(f"{path.stem}, read again")
    for name in ("negative", "negative_feature"):
        notes = read_annotations(folder / f"{name}.geojson", classes=classes, size=size, correction=True).notes
        print(f"{name}: {notes}")
    return folder, classes, size


def _linked(root: Path, folder: Path) -> Path:
    """IDRiD of a few images."""
    for path in root.rglob("*"):
        if path.is_file() and path.stem[:8] in (IMAGE, NEGATIVE, PLAIN_TRUTH):
            link = folder / path.relative_to(root)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return folder


def corrected(java: Java, root: Path, edit: Path, *, classes: list[ClassRecord], size: tuple[int, int]) -> None:
    """``lesionmap check`` and the first two stages with QuPath's files as corrections."""
    project = java.folder / "project"
    (project / "corrections").mkdir(parents=True)
    (project / "corrections" / f"{IMAGE}.geojson").write_bytes((edit / "collection.geojson").read_bytes())
    (project / "corrections" / f"{NEGATIVE}.geojson").write_bytes((edit / "negative.geojson").read_bytes())
    settings = {"datasets": ["idrid"], "corrections": {"idrid": "corrections"}}
    settings |= {"roots": {"idrid": str(_linked(root, project / "data"))}}
    settings |= {"overrides": {"idrid": {"normalized": {"rescale": {"factor": None}}}}}
    (project / "settings.json").write_text(json.dumps(settings))
    targets = [f"results/idrid/normalized/{each}.zarr" for each in (IMAGE, NEGATIVE)]
    for words in (["check"], ["run", "-j1", "results/idrid/raw/images.parquet", *targets]):
        call = [sys.executable, "-m", "pipeline.cli", *words, "--configfile", "settings.json"]
        done = subprocess.run(call, cwd=project, capture_output=True, text=True, check=False)
        print(f"lesionmap {words[0]}: {done.returncode}")
        print(done.stdout if words == ["check"] else (done.stderr[-3000:] if done.returncode else ""))
    table = pd.read_parquet(project / "results/idrid/raw/images.parquet").set_index("image_id")
    print(table["truth_origin"].to_string())
    for image in (IMAGE, NEGATIVE):
        truth = stores.open_array(project / f"results/idrid/normalized/{image}.zarr", "truth")[:]
        print(image, "truth", truth.shape, "pixels", truth.astype(bool).sum(axis=(1, 2)).tolist())
    print(
        "filled by QuPath",
        {each.code: int((drawn(edit / f"drawn_{each.name}.png", size) > 0).sum()) for each in classes},
    )


def exported(java: Java, *, classes: list[ClassRecord], size: tuple[int, int]) -> None:
    """Truth that ``lesionmap export`` writes, read by QuPath, beside the truth itself."""
    project, path = java.folder / "project", java.folder / "project" / f"{PLAIN_TRUTH}.geojson"
    store = f"results/idrid/normalized/{PLAIN_TRUTH}.zarr"
    for words in (["run", "-j1", store, "--configfile", "settings.json"], ["export", store, "--format", "geojson"]):
        subprocess.run([sys.executable, "-m", "pipeline.cli", *words], cwd=project, capture_output=True, check=True)
    folder = java.trial("read", path, size, "exported")
    compare_masks(path, folder, "", classes=classes, size=size).show(f"{PLAIN_TRUTH}, exported truth")
    truth = stores.open_array(project / store, "truth")[:].astype(bool)
    for each in classes:
        filled = drawn(folder / f"{each.name}.png", size) > 0
        print(f"{each.code}: {np.count_nonzero(filled != truth[CODES.index(each.code)])} pixels differ from the truth")


def main() -> None:
    """Compile, read, edit, correct."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("classpath")
    parser.add_argument("folder", type=Path)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    java = Java.compiled(given.checkout, given.classpath, given.folder.resolve())
    for results in given.results:
        read_results(java, results)
        edit, classes, size = edited(java, results)
        if given.root is not None and (results / "raw" / f"{IMAGE}.json").exists():
            corrected(java, given.root.resolve(), edit, classes=classes, size=size)
            exported(java, classes=classes, size=size)


if __name__ == "__main__":
    main()
