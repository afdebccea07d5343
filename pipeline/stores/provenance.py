"""Provenance of a result: digests of code and inputs, versions, and the record of origin in every result.

The code digest covers a module and all modules of this package that it imports, directly or not: their syntax trees
without docstrings, messages and types of functions. So a change of formatting, of a comment or of an error text does
not retrain a network; a change of meaning does.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["PACKAGE", "Provenance", "code_digest", "file_digest", "function_digest", "function_imports", "versions"]

PACKAGE = Path(__file__).parents[1]
"""Folder of this package."""
VALUE_FREE = (
    "pipeline.config",
    "pipeline.errors",
    "pipeline.runtime",
    "pipeline.stores.atomic",
    "pipeline.stores.disk",
    "pipeline.stores.input_files",
)
"""Packages and modules that change no value: the configuration, whose values are recorded separately, errors, and code
around the computation. No digest covers them or modules that only they import."""
LOGGING = frozenset({"debug", "info", "warning", "error", "exception"})
"""Methods of a logger."""

LIBRARIES = ("numpy", "opencv-python-headless", "scikit-image", "zarr", "pandas", "pyarrow", "numba")


def _is_value_free(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in VALUE_FREE)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a result: no time, host, absolute path or duration, so the same run gives the same record."""

    stage: str
    """One of the seven words."""
    config: Mapping[str, Any]
    """The part of configuration and manifest that the content depends on, as plain values."""
    code: str
    """Digest of the code."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Name of an input → its digest."""
    seed: int = 0
    """Seed of the run."""
    pixel_size_um: float | None = None
    """Side of a pixel in micrometres, where known."""
    libraries: tuple[str, ...] = LIBRARIES
    """Distributions whose versions are recorded."""

    def as_attributes(self) -> dict[str, Any]:
        """Record as plain JSON values."""
        return {
            "stage": self.stage,
            "config": json.loads(json.dumps(self.config)),
            "code": self.code,
            "inputs": dict(sorted(self.inputs.items())),
            "versions": versions(self.libraries),
            "seed": self.seed,
            "pixel_size_um": self.pixel_size_um,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the record: equal digests mean equal content."""
        return hashlib.sha256(json.dumps(self.as_attributes(), sort_keys=True).encode()).hexdigest()


@functools.cache
def versions(distributions: tuple[str, ...] = LIBRARIES) -> dict[str, str]:
    """Versions of this package and of distributions; ``absent`` for one that is not installed."""
    found = {}
    for name in ("lesionmap", *distributions):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def file_digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces, or of a folder, over the names and digests of its files."""
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        listed = [f"{each.relative_to(path).as_posix()} {file_digest(each)}" for each in files]
        return hashlib.sha256("\n".join(listed).encode()).hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _module_file(name: str) -> Path | None:
    below = name.split(".")[1:]
    for candidate in (PACKAGE.joinpath(*below).with_suffix(".py"), PACKAGE.joinpath(*below, "__init__.py")):
        if below and candidate.is_file():
            return candidate
    return None


def _imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if name.startswith("pipeline.") and _module_file(name)}


class _Meaning(ast.NodeTransformer):
    """Syntax tree without the parts that change no value: docstrings, texts of errors and logs, types of functions, exports.

    Types of class fields stay, because records are validated by them.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        exports = any(isinstance(each, ast.Name) and each.id == "__all__" for each in node.targets)
        return None if exports else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.Raise:
        self.generic_visit(node)
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        value = node.value
        documents = isinstance(value, ast.Constant) and isinstance(value.value, str)
        logs = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in LOGGING
        return None if documents or logs else self.generic_visit(node)


@functools.cache
def _meaning(text: str) -> tuple[str, frozenset[str]]:
    # Cached by the text and not by the name, so that a long-lived process sees an edit.
    tree = ast.parse(text)
    imports = frozenset(_imports(tree))
    return hashlib.sha256(ast.dump(_Meaning().visit(tree)).encode()).hexdigest(), imports


def _module(name: str) -> tuple[str, frozenset[str]]:
    path = _module_file(name)
    if path is None:
        raise ModuleNotFoundError(f"{name} is not a module of this package")
    return _meaning(path.read_text())


@functools.cache
def code_digest(*modules: str) -> str:
    """Digest of modules of this package and of all that they import from it, directly or not.

    Parameters
    ----------
    *modules
        Dotted names, such as ``pipeline.normalized.fundus.clahe``.

    Returns
    -------
    str
        Twelve hexadecimal digits, independent of the order of the modules.
    """
    waiting, seen = set(modules), {}
    while waiting:
        name = waiting.pop()
        if name in seen or _is_value_free(name):
            continue
        seen[name], imports = _module(name)
        waiting |= imports - seen.keys()
    text = "\n".join(f"{name} {digest}" for name, digest in sorted(seen.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _parts(script: Path, function: str) -> list[ast.stmt]:
    # The function, the script's functions that it names, directly or not, and everything outside functions.
    tree = ast.parse(script.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    waiting, reached = {function}, set[str]()
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= {
            node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)
        } & functions.keys() - reached
    return [node for node in tree.body if not isinstance(node, ast.FunctionDef) or node.name in reached]


def function_imports(script: Path, function: str) -> tuple[str, ...]:
    """Modules of this package imported by a function of a script or by the script's functions that it names.

    A stage script has one function per rule, so the imports of a function are the code of a rule. Imports outside
    functions count for all rules.
    """
    return tuple(sorted(set[str]().union(*map(_imports, _parts(script, function)))))


@functools.cache
def function_digest(script: Path, function: str) -> str:
    """Digest of the code behind a rule: its function in a stage script and the library modules that the function imports.

    Snakemake itself goes by the date of the script, so a new comment or a fresh checkout would retrain networks.
    """
    meaning = ast.dump(_Meaning().visit(ast.Module(_parts(script, function), [])))
    text = f"{meaning} {code_digest(*function_imports(script, function))}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]
