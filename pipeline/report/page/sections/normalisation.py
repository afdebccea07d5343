"""Section on normalisation: a sentence on the chain, and pairs of pictures before and after it."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.page.facts import Facts
from pipeline.report.page.stains import METHODS, Stains
from pipeline.report.pictures.pairs import Pair, before_after, pairs_to_show

__all__ = ["normalisation_section", "stain_sentence"]

PAIRS = 4
FUNDUS_STEPS = {"clahe": "CLAHE", "gaussian": "Gaussian blur", "difference": "difference enhancement"}
FALLBACKS = {
    "reference": "takes the reference vectors",
    "macenko": "takes Macenko's",
    "keep": "is left as it is",
}


def _fundus_sentence(steps: Mapping[str, Any]) -> str:
    used = [text for key, text in FUNDUS_STEPS.items() if steps.get(key, {}).get("apply")]
    return f"Fundus chain: {', then '.join(used)}." if used else "No enhancement was asked for."


def stain_sentence(settings: Mapping[str, Any], *, target: Stains | None) -> str:
    """Method, target and background of stain normalisation.

    Parameters
    ----------
    settings
        The block ``normalized.stain`` of the configuration.
    target
        The look that is aimed at, where it was written.
    """
    method = str(settings.get("method", "none"))
    if method == "none":
        return "Histology, no stain normalisation was asked for."
    source = (target.source if target else "") or str(settings.get("target", "reference"))
    light = {
        "estimate": "Light through bare glass is estimated per image and channel, so that glass comes out neutral.",
        "white": "Light through bare glass is taken as 255.",
    }.get(str(settings.get("background")), "")
    outside = {
        "normalise": "Pixels outside tissue are mapped like all.",
        "keep": "Pixels outside tissue are kept as they are.",
    }.get(str(settings.get("outside")), "")
    fallback = FALLBACKS.get(str(settings.get("fallback")), "")
    odd = f"An image whose stains cannot be trusted {fallback}." if fallback and method != "reinhard" else ""
    parts = [f"Histology, stain normalisation: {METHODS.get(method, method)}. Target: {source}.", light, outside, odd]
    return " ".join(part for part in parts if part)


def _pairs(facts: Facts) -> list[Pair]:
    rows = [row for row in pairs_to_show(facts.table, most=PAIRS) if row["image_id"] in facts.inputs.normalized]
    return [
        before_after(
            row,
            store=facts.inputs.normalized[row["image_id"]],
            look=facts.inputs.originals.get(row["image_id"]),
            folder=facts.folder,
            side=facts.config.picture_side,
            near=facts.record.modality == "histology",
        )
        for row in rows
    ]


def normalisation_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on normalisation, its pictures written."""
    steps = facts.stage_config.get("normalized", {})
    histology = steps.get("chain") == "histology"
    text = stain_sentence(steps.get("stain", {}), target=facts.target) if histology else _fundus_sentence(steps)
    return {"text": text, "pairs": _pairs(facts)}
