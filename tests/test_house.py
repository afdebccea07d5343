"""Imports between tests, fixtures and benchmarks go one way."""

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def imported(path: Path) -> Iterator[str]:
    """Names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{each.name}" for each in node.names)


def imports_of(folder: str) -> dict[str, list[str]]:
    """Imports of each file below a folder."""
    files = sorted((PROJECT / folder).rglob("*.py"))
    assert files
    return {str(path.relative_to(PROJECT)): list(imported(path)) for path in files}


def test_nothing_is_imported_from_a_conftest() -> None:
    """Pytest alone loads it: what tests share beside fixtures is a module with a name."""
    found = {path for path, names in imports_of("tests").items() for name in names if ".conftest." in f"{name}."}
    assert not found


def test_benchmarks_import_no_test() -> None:
    found = {
        path for path, names in imports_of("benchmarks").items() for name in names if f"{name}.".startswith("tests.")
    }
    assert not found
