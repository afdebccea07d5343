"""A job reads no parameter that it is not given: of a missing one it would take the default, without a word."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import ReportConfig, SegmentationConfig, Stain, Strict, depends
from pipeline.normalized.stain.colour_table import COLOURS, colour_table, count_colours
from pipeline.normalized.stain.method import estimate
from pipeline.raw.phantom.histology import histology_phantom

LIBRARY = Path(depends.__file__).parents[1]
ROWS_AT_A_TIME = {"storage"}
"""Read for the side of a shard alone: how many rows are in memory at a time."""


def read_of(module: str) -> set[str]:
    """Attributes of whatever is called ``config`` in a module."""
    tree = ast.parse((LIBRARY / module).read_text())
    named = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name))
    found = {node.attr for node in named if node.value.id == "config"}
    return found | ({"minimum_area", "minimum_areas"} if "area_of" in found else set())


@pytest.mark.parametrize(
    ("module", "model", "given"),
    [
        ("segmentation/threshold_file.py", SegmentationConfig, depends.FITTED),
        ("segmentation/false_positives.py", SegmentationConfig, depends.MISSED),
        (
            "segmentation/segment.py",
            SegmentationConfig,
            set(SegmentationConfig.model_fields) - {*depends.UNCLEANED, "smoothing_of"},
        ),
        ("report/measures/evaluate.py", ReportConfig, depends.MEASURED),
    ],
)
def test_what_a_job_reads_is_what_its_results_depend_on(module: str, model: type[Strict], given: set[str]) -> None:
    found = read_of(module) & set(model.model_fields)
    assert found
    assert found - ROWS_AT_A_TIME == set(given) - ROWS_AT_A_TIME


def spied(settings: Strict) -> tuple[Any, set[str]]:
    """The same settings, and the names that are read of them from now on."""
    read: set[str] = set()

    class Spy(type(settings)):  # type: ignore[misc]
        def __getattribute__(self, name: str) -> Any:
            if name in type(settings).model_fields:
                read.add(name)
            return super().__getattribute__(name)

    copy = Spy.model_validate(settings.model_dump())
    read.clear()
    return copy, read


@pytest.mark.parametrize("method", ["vahadane", "macenko", "reinhard"])
def test_an_estimate_reads_nothing_that_it_is_said_not_to_depend_on(method: str) -> None:
    pixels = histology_phantom(0, size=160, seed=0).image
    counts = np.zeros(COLOURS, np.int64)
    count_colours(pixels, np.ones(pixels.shape[:2], np.bool_), counts)
    settings, read = spied(Stain(method=method, least_tissue=500, iterations=5))
    found = estimate(colour_table(counts), pixels.reshape(-1, 3)[::7], background=(240.0,) * 3, settings=settings)
    assert found is not None
    assert read
    assert not read & set(depends.ESTIMATE_FREE)
