"""Wheel: what it holds beside the repository, and its workflow in a folder without a checkout."""

import re
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.stores import open_array
from tests.scenes.random_pyramid import stored
from tests.workflow.project import COPIED, FUNDUS, MANIFEST, PROJECT

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
PAGES = ("docs/*.md", "docs/[!_]*/*.md", "examples/*.yaml", "examples/manifests/*.yaml")
WORKFLOW = [
    PROJECT / "Snakefile",
    PROJECT / "datasets_manifest.yaml",
    *(path for folder in ("stages", "profiles") for path in (PROJECT / folder).rglob("*") if path.is_file()),
    # What messages point to.
    PROJECT / "README.md",
    *(path for pattern in PAGES for path in PROJECT.glob(pattern)),
]
SHIPPED = {
    **{f"pipeline/workflow/{path.relative_to(PROJECT)}": path for path in WORKFLOW},
    **{str(path.relative_to(PROJECT)): path for path in (PROJECT / "pipeline").rglob("*") if path.is_file()},
}
"""Name in the wheel → file of the repository."""


def compiled(name: str) -> bool:
    """Whether a file is what Python or numba made of another."""
    return "__pycache__" in name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built in a copy, so that nothing is left in the checkout."""
    source, built = (tmp_path_factory.mktemp(name) for name in ("source", "built"))
    for name in dict.fromkeys((*COPIED, "setup.py", "README.md", "LICENSE", "docs", "examples")):
        if (PROJECT / name).is_dir():
            shutil.copytree(
                PROJECT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "_build", "_pictures")
            )
        else:
            shutil.copy2(PROJECT / name, source / name)
    subprocess.run([sys.executable, "-c", BUILD, str(built)], cwd=source, check=True, capture_output=True)
    return next(built.glob("*.whl"))


def test_the_wheel_holds_the_files_of_the_repository_byte_by_byte(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}
    files = {name: path.read_bytes() for name, path in SHIPPED.items() if not compiled(name)}
    assert held.keys() == files.keys()
    assert [name for name in held if held[name] != files[name]] == []


def test_the_wheel_exports_a_map_and_nothing_of_the_checkout_is_needed(wheel, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    store = stored(tmp_path, shape=(2, 70, 90))
    work.mkdir()
    program = "import sys, pipeline; print(pipeline.__file__); from pipeline.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "export", str(store), "--format", "ome-tiff"],
        cwd=work,
        env={"PYTHONPATH": str(site), "HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(str(site))
    with tifffile.TiffFile(work / "a.ome.tiff") as file:
        found = file.series[0].levels[1].asarray()
    assert np.array_equal(found, np.rint(open_array(store, "1")[:].astype(np.float32) * 255).astype(np.uint8))


@pytest.mark.slow
def test_the_wheel_runs_in_any_folder_and_writes_only_there(wheel, tmp_path):
    site, work, home = (tmp_path / name for name in ("site", "work", "home"))
    work.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (work / "pipeline.py").write_text("raise ImportError('a module of the working folder')")
    (work / "default").mkdir()
    (work / "tiny.yaml").write_text(yaml.safe_dump(MANIFEST))
    (work / "tiny.config.yaml").write_text(yaml.safe_dump(FUNDUS))

    program = [sys.executable, "-P", "-c", "import sys; from pipeline.cli import main; sys.exit(main())"]
    environment = {
        "PYTHONPATH": str(site),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(home),
        "PATH": "/usr/bin:/bin",
    }

    def viewed() -> bytes:
        """The first page of `view`, whose address is the one it prints."""
        with subprocess.Popen(
            [*program, "view", "results"], cwd=work, env=environment, stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                address = next(found[0] for line in server.stdout or () if (found := re.search(r"http://\S+", line)))
                with urllib.request.urlopen(address) as answer:
                    return answer.read()
            finally:
                server.terminate()

    def lesionmap(*arguments: str) -> str:
        done = subprocess.run(
            [*program, *arguments],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    lesionmap("check")
    lesionmap("check", "--configfile", "tiny.config.yaml")
    lesionmap("run", "-j2", "all", "--configfile", "tiny.config.yaml")
    assert (work / "results" / "index.html").is_file()
    assert "guided" in lesionmap("index", "show", "results/tiny/index/guided.parquet")
    assert "all as written" in lesionmap("verify", "results")
    for at in range(3):
        (work / "eyes").mkdir(exist_ok=True)
        made = fundus_phantom(at, size=128, seed=2)
        Image.fromarray(made.image).save(work / "eyes" / f"eye{at}.png")
        Image.fromarray(np.uint8(255) * made.masks["OD"]).save(work / "eyes" / f"eye{at}_OD.png")
    lesionmap("init", "eyes")
    lesionmap("check", "--configfile", "eyes.yaml")
    lesionmap("predict", "eyes/eye0.png", "--model", "results/tiny/model/unet")
    assert (work / "predictions" / "index.html").is_file()
    assert b"tiny" in viewed()
    found = {
        str(path.relative_to(site)) for path in site.rglob("*") if path.is_file() and ".dist-info/" not in str(path)
    }
    assert found == {name for name in SHIPPED if not compiled(name)}
    assert list((home / ".cache" / "lesionmap").rglob("*.nbi"))
