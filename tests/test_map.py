"""The table of each package names what lies in its folder, and what a notebook imports is there without a wait."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))
ROW = re.compile(r"^(\w+) {2,}\S", re.MULTILINE)


def docstring(package: Path) -> str:
    """The docstring of a package, without importing it."""
    return ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""


def members(package: Path) -> list[str]:
    """Modules and packages of a folder."""
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    return sorted(modules | {path.parent.name for path in package.glob("*/__init__.py")})


@pytest.mark.parametrize("package", PACKAGES, ids=[str(path.relative_to(ROOT.parent)) for path in PACKAGES])
def test_the_table_of_a_package_names_what_lies_there(package: Path) -> None:
    rows = ROW.findall(docstring(package))
    assert sorted(rows) == members(package)


def fresh(code: str) -> str:
    """What a process of its own prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_import_of_the_package_imports_no_library() -> None:
    slow = ("torch", "zarr", "pandas", "numpy", "cv2", "pydantic")
    assert fresh(f"import sys, pipeline; print([name for name in {slow} if name in sys.modules])") == "[]"


def test_what_reads_arrays_waits_for_no_network() -> None:
    names = ("Box", "open_image", "open_normalized", "open_probability", "read_index")
    assert (
        fresh(f"import sys, pipeline; [getattr(pipeline, n) for n in {names}]; print('torch' in sys.modules)")
        == "False"
    )


def test_every_exported_name_is_there_and_described() -> None:
    for name in pipeline.__all__:
        assert name in dir(pipeline)
        assert getattr(pipeline, name).__doc__
    with pytest.raises(AttributeError, match="no_such_name"):
        pipeline.no_such_name  # noqa: B018
