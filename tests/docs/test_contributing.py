"""CONTRIBUTING, README and docs name files that exist, and names that stand in them."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "CONTRIBUTING.md", PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
PLACES = sorted(set(re.findall(r"`((?:pipeline|stages|tests|benchmarks|docs)/[\w./]*)`", TEXT)))
NAMED = re.findall(r"`([\w.]+)`\s+in\s+`([\w/]+\.(?:py|smk))`", TEXT)


def assigned(node: ast.stmt) -> list[str]:
    """Names that a statement gives a value, a type or a body."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def names_in(path: Path) -> set[str]:
    """Names at the top of a module and in its classes, as ``Class.name``; rules of a part of the workflow."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".smk":
        return set(re.findall(r"^(?:rule|checkpoint) (\w+):", text, re.MULTILINE))
    found = set()
    for node in ast.parse(text).body:
        found |= set(assigned(node))
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for inner in node.body for name in assigned(inner)}
    return found


@pytest.mark.parametrize("place", PLACES)
def test_a_named_place_exists(place: str) -> None:
    path = PROJECT / place
    assert path.is_dir() if place.endswith("/") else path.is_file()


@pytest.mark.parametrize(("name", "place"), NAMED)
def test_a_name_stands_in_the_file_that_is_named_for_it(name: str, place: str) -> None:
    assert name in names_in(PROJECT / place)


def test_each_extension_names_its_table() -> None:
    assert {name for name, _ in NAMED} >= {"RELEASED", "LOSSES", "SECTIONS", "model_fit"}
