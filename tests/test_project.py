"""What messages point to is there, in a checkout and in the wheel, and commands that they name can be called."""

import re
import runpy
import subprocess
import sys
from pathlib import Path, PurePosixPath

import setuptools

from pipeline import project

ROOT = Path(__file__).parents[1]
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "pipeline").rglob("*.py"))}
PLACED = re.compile(r"""document\(["']([^"']+)["']\)""")
CALLED = re.compile(r"(?:run|Run|[(`])\s?`?snakemake [-a-z]")


def test_every_page_and_example_of_a_message_is_there_and_goes_into_the_wheel(monkeypatch):
    named = {name for text in SOURCES.values() for name in PLACED.findall(text)}
    assert {"README.md", "docs/reference.md"} <= named
    assert all(Path(project.document(name)).is_file() for name in named)
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    monkeypatch.chdir(ROOT)
    packed = [*runpy.run_path("setup.py")["POINTED_TO"], "stages/*"]
    assert all(any(PurePosixPath(name).match(pattern) for pattern in packed) for name in named)


def test_no_message_names_a_command_that_only_a_checkout_has():
    own = {ROOT / "pipeline" / "project.py"}
    found = {path.name: CALLED.findall(text) for path, text in SOURCES.items() if path not in own}
    assert {name: calls for name, calls in found.items() if calls} == {}


def test_the_command_and_the_folder_are_those_of_the_installation(tmp_path):
    assert project.workflow_command("-j8 all") == "snakemake -j8 all"
    (tmp_path / "workflow").mkdir()
    (tmp_path / "project.py").write_text((ROOT / "pipeline" / "project.py").read_text())
    code = (
        "from project import *; print(workflow_command('model'), extra_command('export'), document('a.md'), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "lesionmap run model",
        "pip install 'lesionmap[export]'",
        str(tmp_path / "workflow" / "a.md"),
    ]
