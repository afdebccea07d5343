"""Strict reading of YAML files: duplicate keys, exploding or self-referring aliases, and deep nesting are refused."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigurationError, PipelineError

__all__ = ["check_yaml_files", "lines_with", "load_yaml", "read_argument", "read_scalar", "read_value"]

LARGEST_FILE = 2**23
"""Most bytes of a file."""
MOST_NODES = 200_000
"""Most keys and values of a file, with the content of aliases counted each time."""
DEEPEST = 50
"""Most levels of nesting."""


class _Refused(Exception):
    """Refusal of a value: what is wrong and what is expected."""


def load_yaml(path: Path, *, error: type[PipelineError] = ConfigurationError) -> dict[str, Any]:
    """YAML mapping of a file.

    Parameters
    ----------
    path
        The file.
    error
        Class of the error to raise.
    """
    text = _text(path, error=error)
    try:
        content = _plain(text, yaml.SafeLoader)
    except _Refused as problem:
        expected = "a YAML mapping in UTF-8, each key once, nested a few levels deep"
        raise error(
            "The file is no YAML.",
            where=path,
            found=str(problem),
            expected=expected,
            remedy="Mend the place that is named.",
        ) from None
    if not isinstance(content, dict):
        raise error(
            "The file holds no keys.",
            where=path,
            found=type(content).__name__,
            expected="a YAML mapping",
            remedy="Write `key: value` lines.",
        )
    return content


def lines_with(text: str, *, path: Path) -> list[int]:
    """Lines of the values that are a text, from 1, in the order of a file that `load_yaml` takes."""
    content = path.read_text(encoding="utf-8")
    root = yaml.compose(content, yaml.SafeLoader) if text in content else None
    return list(_lines_of(root, text)) if root is not None else []


def _lines_of(node: yaml.Node, text: str) -> Iterator[int]:
    if isinstance(node, yaml.ScalarNode) and node.value.strip() == text:
        yield node.start_mark.line + 1
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            yield from _lines_of(value, text)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _lines_of(each, text)


def check_yaml_files(paths: Iterable[Path | str]) -> None:
    """Check of configuration files that another program reads too; JSON files are skipped.

    Raises
    ------
    ConfigurationError
        Reports the first file that ``load_yaml`` refuses.
    """
    for path in map(Path, paths):
        if path.suffix != ".json":
            load_yaml(path)


def _text(path: Path, *, error: type[PipelineError]) -> str:
    try:
        # Neither a folder nor a pipe, which might never end.
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "no regular file"
        elif path.is_file() and path.stat().st_size > LARGEST_FILE:
            found = f"{path.stat().st_size:,} bytes"
        else:
            return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise error(
            "The file does not exist.",
            where=path,
            found="nothing",
            expected="a YAML file",
            remedy="Check the path; it is relative to the working folder.",
        ) from None
    except UnicodeDecodeError as problem:
        found = str(problem)
    except (OSError, ValueError) as problem:
        found = getattr(problem, "strerror", None) or str(problem)
    raise error(
        "The file is no YAML.",
        where=path,
        found=found,
        expected=f"a text file in UTF-8 of at most {LARGEST_FILE:,} bytes",
        remedy="Give another file, or save it as UTF-8.",
    )


def _plain(text: str, loader_of: type[yaml.SafeLoader | yaml.BaseLoader]) -> Any:  # noqa: ANN401 any YAML
    """Value of a text; `_Refused` says what is wrong with it."""
    try:
        loader = loader_of(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise _Refused(f"more than {DEEPEST} levels of nesting") from None
    except (yaml.YAMLError, ValueError) as problem:
        raise _Refused(str(problem)[:500]) from None


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        yield from (each for pair in node.value for each in pair)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _place(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}, column {node.start_mark.column + 1}"


def _check(root: yaml.Node) -> None:
    """Walk over all nodes, following aliases each time, as far as the limits allow."""
    seen, waiting = 0, [(root, frozenset[int]())]
    while waiting:
        node, above = waiting.pop()
        seen += 1
        if id(node) in above:
            raise _Refused(f"{_place(node)}: an alias that refers to itself")
        if len(above) > DEEPEST:
            raise _Refused(f"{_place(node)}: more than {DEEPEST} levels of nesting")
        if seen > MOST_NODES:
            raise _Refused(f"more than {MOST_NODES:,} values, what aliases stand for counted each time")
        _check_keys(node)
        inside = above | {id(node)}
        waiting += [(each, inside) for each in _children(node)]


def _check_keys(node: yaml.Node) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    found: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if key.value in found and key.value != "<<":
                raise _Refused(f"{_place(key)}: the key {key.value!r} stands there twice")
            found.add(key.value)


def read_argument(text: str, *, where: str) -> Any:  # noqa: ANN401 any YAML
    """Value of an argument ``KEY=VALUE``: YAML in brackets, braces or quotes, else one plain value.

    Parameters
    ----------
    text
        Text after the equals sign.
    where
        The option and the key, for messages.

    Raises
    ------
    ConfigurationError
        The text is no YAML, or would be refused in a file: equal keys, exploding aliases, deep nesting.

    Examples
    --------
    >>> read_argument("{folds: 5, splits_csv: null}", where="--config raw")
    {'folds': 5, 'splits_csv': None}
    """
    if text[:1] not in tuple("[{'\""):
        return read_scalar(text)
    try:
        # Scalars inside YAML stay texts, as in Snakemake, and are then interpreted.
        return read_value(_plain(text, yaml.BaseLoader))
    except _Refused as problem:
        raise ConfigurationError(
            "A value is no YAML.",
            where=where,
            found=str(problem),
            expected="a number, a text, [a, list] or {a: mapping}, each key once, nested a few levels deep",
            remedy="Put quotes around the whole argument, and a space behind each colon; mend the place that is named.",
        ) from None


def read_scalar(text: str) -> str | int | float | bool | None:
    """Plain value of a command-line text: a number, a truth value, nothing, or the text itself.

    Examples
    --------
    >>> [read_scalar(text) for text in ("5", "0.5", "true", "null", "2024-01-01", "1e5")]
    [5, 0.5, True, None, '2024-01-01', 100000.0]
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if text in ("", "null", "~"):
        return None
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def read_value(value: Any) -> Any:  # noqa: ANN401 any YAML
    """Plain values of a tree whose scalars may be texts.

    Examples
    --------
    >>> read_value({"raw": {"folds": "5", "splits_csv": "null"}, "datasets": ["a"]})
    {'raw': {'folds': 5, 'splits_csv': None}, 'datasets': ['a']}
    """
    if isinstance(value, dict):
        return {key: read_value(each) for key, each in value.items()}
    if isinstance(value, list):
        return [read_value(each) for each in value]
    return read_scalar(value) if isinstance(value, str) else value
