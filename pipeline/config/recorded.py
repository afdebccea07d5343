"""Recorded lines: one short line of text for each value that a result depends on.

Snakemake records the parameters of a job as a set of texts, runs it again when the set differs, and shows the texts
that differ. With one line per value, beginning with the value's name, it shows only the changed lines and notices two
values that swap.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

__all__ = ["LONGEST", "named_values", "parameters", "recorded_lines"]

LONGEST = 35
"""Most characters of a line: two lines with Snakemake's words around them stay below 200."""
DIGEST = 8
"""Hexadecimal digits that a longer line ends with."""
KEPT = LONGEST - DIGEST - 2
"""Characters of a longer line that are kept, beside two omission marks."""
ONE_ARGUMENT = inspect.signature(lambda wildcards: wildcards)


def named_values(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Values of a tree as pairs of a name, ``block.key``, and JSON; any list without mappings is one value."""
    named = value
    if isinstance(value, list) and any(isinstance(each, Mapping | list) for each in value):
        named = dict(enumerate(value))
    # A record rarely changes, so one line per block is enough.
    if isinstance(named, Mapping) and named and not (depth > 1 and name.startswith("record.")):
        for key, each in named.items():
            yield from named_values(each, f"{name}.{key}" if name else str(key), depth + 1)
    else:
        yield name, json.dumps(value, ensure_ascii=False)


def _short(name: str, text: str) -> str:
    line = f"{name}: {text}"
    if len(line) <= LONGEST:
        return line
    # The last part of a name says more than the first ones, and a name more than the end of a long value.
    value = text if len(text) <= KEPT // 2 else f"{text[: KEPT // 2 - 1]}…"
    while len(name) + len(value) + 2 > KEPT and "." in name:
        name = name.partition(".")[2]
    shown = f"…{name[: KEPT - len(value) - 2]}: {value}"
    return f"{shown} {hashlib.sha256(line.encode()).hexdigest()[:DIGEST]}"


def recorded_lines(values: Mapping[str, Any], *, slots: int) -> tuple[str, ...]:
    """Lines of text for the values of a tree, one per slot.

    Parameters
    ----------
    values
        Plain values: mappings, lists, texts, numbers, truth values, None. Parts of a mapping, and of a list of
        mappings, have lines of their own, named ``block.key`` and ``block.0.key``; any other list is one value, and so
        is each key of ``record``.
    slots
        Number of lines. With fewer values the last line is repeated, which does not change a set; with more the last
        line is a digest of the rest.

    Returns
    -------
    tuple of str
        At most 35 characters each. A longer line is cut and ends with eight hexadecimal digits of its SHA-256.

    Examples
    --------
    >>> recorded_lines({"gaussian": {"sigma": 2.0, "apply": True}, "splits": ["test"]}, slots=4)
    ('gaussian.sigma: 2.0', 'gaussian.apply: true', 'splits: ["test"]', 'splits: ["test"]')
    """
    lines = [_short(name, text) for name, text in named_values(values)] or ["no value"]
    if len(lines) > slots:
        rest = hashlib.sha256("\n".join(lines[slots - 1 :]).encode()).hexdigest()[:8]
        lines = [*lines[: slots - 1], f"and {len(lines) - slots + 1} more values: {rest}"]
    return (*lines, *[lines[-1]] * (slots - len(lines)))


def parameters(
    values: Callable[[Any], Mapping[str, Any]], *, code: Callable[[Any], str], slots: int
) -> dict[str, Callable[..., Any]]:
    """Parameters of a rule of the workflow, as functions of the wildcards of a job.

    ``config`` and ``code`` are for the script. They take the inputs as argument, so Snakemake does not record them; it
    records the lines.

    Parameters
    ----------
    values
        Wildcards → values that the results of the job depend on.
    code
        Wildcards → digest of the code of the job.
    slots
        Number of lines.
    """
    known: dict[tuple[Any, ...], tuple[Mapping[str, Any], str, tuple[str, ...]]] = {}

    def of(wildcards: Iterable[str]) -> tuple[Mapping[str, Any], str, tuple[str, ...]]:
        job = tuple(wildcards)
        if job not in known:
            tree, digest = values(wildcards), code(wildcards)
            # The record comes last: where there are more values than lines, most of them are its classes.
            ordered = {"code": digest, **dict(sorted(tree.items(), key=lambda item: item[0] == "record"))}
            known[job] = tree, digest, recorded_lines(ordered, slots=slots)
        return known[job]

    def line(slot: int) -> Callable[[Any], str]:
        def text(wildcards: Iterable[str]) -> str:
            return of(wildcards)[2][slot]

        # Snakemake asks for the signature three times per line and job; a ready one halves the time of a dry run.
        text.__signature__ = ONE_ARGUMENT  # type: ignore[attr-defined]
        return text

    return {
        "config": lambda wildcards, input: of(wildcards)[0],  # noqa: A006, ARG005
        "code": lambda wildcards, input: of(wildcards)[1],  # noqa: A006, ARG005
        **{f"value_{slot}": line(slot) for slot in range(slots)},
    }
