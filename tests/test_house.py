"""Imports between tests, fixtures and benchmarks go one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]
QUESTIONS = {"What", "Who", "How", "Which", "Whether", "Where", "When", "Why"}


def imported(text: str, *, folders: tuple[str, ...]) -> Iterator[str]:
    """Full names of what a file in some folder imports, also where it says them from its own place."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            above = folders[: len(folders) - node.level + 1] if node.level else ()
            parts = [*above, *([node.module] if node.module else [])]
            yield from (".".join([*parts, each.name]) for each in node.names)


def imports_of(folder: str) -> dict[str, list[str]]:
    """Imports of each file below a folder."""
    files = sorted((PROJECT / folder).rglob("*.py"))
    assert files
    places = {path: path.relative_to(PROJECT) for path in files}
    return {str(place): list(imported(path.read_text(), folders=place.parent.parts)) for path, place in places.items()}


def test_an_import_from_the_own_place_has_a_full_name() -> None:
    text = "from .conftest import a\nfrom . import conftest\nfrom ..conftest import b\nimport os.path\n"
    names = ["tests.model.conftest.a", "tests.model.conftest", "tests.conftest.b", "os.path"]
    assert list(imported(text, folders=("tests", "model"))) == names


def test_nothing_is_imported_from_a_conftest() -> None:
    """Pytest alone loads it: what tests share beside fixtures is a module with a name."""
    found = {path for path, names in imports_of("tests").items() for name in names if ".conftest." in f"{name}."}
    assert not found


def test_benchmarks_import_no_test() -> None:
    found = {
        path for path, names in imports_of("benchmarks").items() for name in names if f"{name}.".startswith("tests.")
    }
    assert not found


def test_docstrings_of_the_library_open_with_a_noun() -> None:
    """They are searched by the terms of the field; a question may follow."""
    asked = []
    for path in sorted((PROJECT / "pipeline").rglob("*.py")):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                first = (ast.get_docstring(node) or "").split(" ", 1)[0]
                asked += [f"{path}: {first}"] if first in QUESTIONS else []
    assert not asked
