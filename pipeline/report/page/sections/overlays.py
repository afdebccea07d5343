"""Section on overlays: prediction, errors and probability of some images over their pictures, with a legend."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.report.page.facts import Facts
from pipeline.report.page.sections.images import flags
from pipeline.report.page.tables.cells import Table, chips
from pipeline.report.page.tables.results import results_table
from pipeline.report.pictures import gallery
from pipeline.report.pictures.canvas import colour_code
from pipeline.report.pictures.overlays import ERROR_COLOURS

__all__ = ["overlays_section"]

ERROR_NAMES = {
    "hit": "true positive",
    "false_positive": "false positive",
    "false_negative": "false negative",
    "other_class": "another class than the truth",
}


def _held(overlay: gallery.Overlay) -> str:
    if overlay.split == "predict":
        return "no truth: prediction only"
    return f"holds {', '.join(overlay.codes)}" if overlay.codes else "holds no class"


def _shown(facts: Facts) -> list[gallery.Overlay]:
    if facts.choice is None:
        return []
    result = facts.choice.result
    images = stores.read_table(result.metrics_images)
    measured = dict(zip(images["image_id"].astype(str), images["split"].astype(str), strict=True))
    return [
        gallery.overlay(
            row,
            store=facts.inputs.normalized[str(row["image_id"])],
            result=result,
            record=facts.record,
            folder=facts.folder,
            side=facts.config.picture_side,
        )
        for row in gallery.results_to_show(facts.table, result, measured=measured, most=facts.config.images)
    ]


def _every_image(facts: Facts, *, linked: Sequence[str]) -> Table | None:
    """Table of all measured images; None where nothing was measured."""
    if facts.choice is None:
        return None
    rows = stores.read_table(facts.choice.result.metrics_images)
    if rows.empty:
        return None
    noted = Counter(image for image, _ in flags(facts.inputs.normalized, facts.stained))
    return results_table(
        rows, facts.record, flags=noted, shown=facts.choice.result.name, linked=linked, pages=facts.inputs.pages
    )


def _legends(record: DatasetRecord) -> dict[str, Any]:
    """Legends of classes, errors and the heat map."""
    lesions = [each.code for each in record.classes if each.kind == "lesion"] or list(record.codes)
    text = f"Probability, highest of {', '.join(lesions)}" if len(lesions) > 1 else f"Probability of {lesions[0]}"
    errors = [(ERROR_NAMES[kind], colour_code(rgb), ERROR_NAMES[kind]) for kind, rgb in ERROR_COLOURS.items()]
    if len(record.classes) == 1:
        errors = errors[:3]
    legend = [(f"{code} {name}", colour, name) for code, colour, name in chips(record.codes, record)]
    return {"legend": legend, "errors": errors, "heat_text": text}


def overlays_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on overlays, its pictures written."""
    shots, pages = _shown(facts), facts.inputs.pages
    overlays = [{"overlay": found, "text": _held(found), "href": pages.get(found.image_id, "")} for found in shots]
    shown = facts.choice.result.name if facts.choice else ""
    ids = [found.image_id for found in shots]
    return {
        "overlays": overlays,
        "shown": shown,
        "every_image": _every_image(facts, linked=ids),
        **_legends(facts.record),
    }
