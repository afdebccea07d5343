"""Records of a data set in results: facts of the manifest that a result depends on, as plain values."""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.config.run import DatasetRun

__all__ = ["bare_record", "full_record", "pixel_record", "shown_record", "without"]

Values = dict[str, Any]
"""Plain values by name, as dumped to JSON."""

UNSEEN = {"title": "", "source": "", "licence": "", "root": None, "group": None, "centre": None}
"""Facts of a data set that no array or table depends on. Groups and centres have by then become facts of each image."""
UNRECORDED = ("untried", "corrections")
"""Further such facts, without a place in the record; an image that was corrected says so itself."""
OF_IMAGES = ("reviewed", "negative")
"""Keys of a layout that have by then become facts of each image."""
IF_ANY = ("ignore", "excluded", "aliases")
"""Keys of layouts and classes that are recorded only where set, so that records older than these keys stay valid."""
FOUND = "{image}"
"""Pattern of any file."""


def without(block: Mapping[str, Any], keys: Iterable[str]) -> Values:
    """Values of a block without some keys."""
    return {key: value for key, value in block.items() if key not in set(keys)}


@functools.cache
def full_record(run: DatasetRun) -> Values:
    """Facts of a data set without the folder of its files; colours are given as bytes, however they are named."""
    facts = run.record.model_dump(mode="json")
    classes = [each | shown for each, shown in zip(facts["classes"], run.record.shown, strict=True)]
    return facts | {"root": None, "corrections": None, "classes": classes}


@functools.cache
def bare_record(run: DatasetRun, *, named: bool = False) -> Values:
    """Facts of a data set that results depend on: no title, colour, licence or folder, and no pattern of files.

    ``named`` keeps the names of the classes, which polygons refer to; a data set of polygons always keeps them.
    """
    facts = without(run.record.model_dump(mode="json"), UNRECORDED) | UNSEEN
    layouts = [facts[name] for name in ("folder", "slide") if facts[name]]
    # Polygons name their class; anywhere else a class is known by its code.
    named = named or any(layout["annotations"] for layout in layouts)
    plain = [each if named else each | {"name": each["code"], "aliases": []} for each in facts["classes"]]
    facts["classes"] = [_given(each | {"colour": "red"}) for each in plain]
    for name in [name for name in ("folder", "slide") if facts[name]]:
        layout = without(facts[name], OF_IMAGES)
        facts[name] = _given(layout | _kinds_of_truth(layout, codes=run.record.codes))
    return facts | {"priority": list(run.record.order)}


def _given(part: Mapping[str, Any]) -> Values:
    return {key: value for key, value in part.items() if value or key not in IF_ANY}


def _kinds_of_truth(layout: Mapping[str, Any], *, codes: Iterable[str]) -> Values:
    # A job gets its files as inputs. Patterns only say where they are found.
    patterns = {name: FOUND if layout[name] else None for name in ("label", "annotations")}
    masks = {code: FOUND for code in codes if code in layout["masks"]}
    return patterns | {"images": FOUND, "masks": masks, "test": None}


@functools.cache
def pixel_record(run: DatasetRun, *, named: bool = False) -> Values:
    """Facts of a data set that pixels and truth depend on; of classes only the codes, with ``named`` the names too."""
    facts = bare_record(run, named=named)
    classes = [each | {"kind": "lesion"} for each in facts["classes"]]
    return facts | {"classes": classes, "task": "multilabel", "priority": []}


@functools.cache
def shown_record(run: DatasetRun) -> Values:
    """Facts of a data set that masks and outlines show, with names and colours of classes, but no title or licence."""
    return bare_record(run) | {"classes": [without(each, ("aliases",)) for each in full_record(run)["classes"]]}
