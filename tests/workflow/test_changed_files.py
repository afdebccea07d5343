"""Input files of a user count by what they hold: dry runs of a finished run after files changed, moved or grew older.

The histology set is one of files; its folder has a name that Snakemake would take for its own.
"""

import os
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.workflow.project import MANIFEST, TINY

ROOT = MANIFEST["datasets"]["pink"]["root"]
RAW = {"raw_image", "raw_images"}
YEAR_NS = 365 * 86_400 * 10**9


@pytest.fixture
def project(finished, tmp_path):
    """The finished project, whose files are what they were afterwards, dates included."""
    kept, root = tmp_path / "kept", finished.folder / ROOT
    shutil.copytree(root, kept)
    yield finished
    shutil.rmtree(root)
    kept.rename(root)
    finished.configure(TINY)


def redate(path, years):
    moment = path.stat().st_mtime_ns + years * YEAR_NS
    os.utime(path, ns=(moment, moment))


def replace(path, years):
    """Another picture under the same name, of an older or newer date."""
    moment = path.stat().st_mtime_ns + years * YEAR_NS
    Image.fromarray(np.asarray(Image.open(path))[::-1].copy()).save(path)
    os.utime(path, ns=(moment, moment))


@pytest.mark.parametrize("years", [-1, 1])
def test_other_dates_of_equal_bytes_redo_nothing(project, years):
    for path in sorted((project.folder / ROOT).rglob("*.png")):
        redate(path, years)
    assert project.wants() == set()


def test_a_copy_elsewhere_with_new_dates_redoes_nothing(project, tmp_path):
    for path in (project.folder / ROOT).rglob("*.*"):
        target = tmp_path / "copy" / path.relative_to(project.folder / ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    project.configure(TINY | {"roots": {"pink": str(tmp_path / "copy")}})
    assert project.wants() == set()


@pytest.mark.parametrize(("name", "years"), [("pink_02.png", -1), ("masks/pink_02.png", 1)])
def test_a_file_of_another_content_redoes_its_image_whatever_its_date_and_no_other(project, name, years):
    replace(project.folder / ROOT / name, years)
    assert set(project.jobs("results/pink/normalized/pink_02.zarr")) >= {
        (rule, "pink") for rule in (*RAW, "normalized_stain", "normalized_image")
    }
    _, text = project.dry_run("all")
    assert re.findall("pink: reading (.*)", text) == ["pink_02"]
    assert "tiny: " not in text


def test_the_reason_says_that_it_is_the_files(project):
    replace(project.folder / ROOT / "pink_02.png", -1)
    _, text = project.dry_run("results/pink/raw/images.parquet")
    assert "before: 'input files: as first read'" in text
