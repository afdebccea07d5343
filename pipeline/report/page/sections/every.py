"""Section on every image: one table of all of them, with small pictures, facts, scores and flags."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.report.page.facts import Facts
from pipeline.report.page.sections.images import flags
from pipeline.report.page.sections.overlays import overlaid, scores_of
from pipeline.report.page.tables.results import Places, results_table
from pipeline.report.pictures.store_pictures import save_picture, store_picture

__all__ = ["every_section"]

SIDE, QUALITY = 256, 75
"""Longer side of a picture, pixels: the row shows it smaller, a click as it is."""


def _pictures(normalized: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Image id → file of its picture, written; one image is in memory at a time."""
    return {
        image: save_picture(
            store_picture(path, side=SIDE), folder, f"image.{image}.small.jpg", caption=image, quality=QUALITY
        ).name
        for image, path in normalized.items()
    }


def every_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on every image, its pictures written."""
    scores, noted = scores_of(facts), dict[str, list[str]]()
    for image, flag in flags(facts.inputs.normalized, facts.stained, facts.mismatched):
        noted.setdefault(image, []).append(flag)
    places = Places(
        pages=facts.inputs.pages,
        overlays={str(row["image_id"]) for row in overlaid(facts, scores)},
        pictures=_pictures(facts.inputs.normalized, facts.folder),
    )
    table = results_table(
        facts.table,
        scores,
        facts.record,
        shown=facts.choice.result.name if facts.choice else "",
        flags=noted,
        places=places,
        doubtful={each.image_id for each in facts.mismatched},
    )
    return {"every_image": table}
