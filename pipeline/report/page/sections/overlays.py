"""Section on overlays: prediction, errors and probability of some images over their pictures, with a legend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of, region_noun
from pipeline.report.measures.out_of_fold import OUT_OF_FOLD, read_measures
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import chips, number
from pipeline.report.page.tables.results import ImageScore, extremes, image_scores
from pipeline.report.pictures import gallery
from pipeline.report.pictures.colours import colour_code
from pipeline.report.pictures.overlays import ERROR_COLOURS
from pipeline.report.pictures.store_pictures import Shot

__all__ = ["Extreme", "overlaid", "overlays_section", "scores_of"]

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


def scores_of(facts: Facts) -> list[ImageScore]:
    """Scores of the images that the shown result was measured on, the worst first; none where nothing was measured."""
    if facts.choice is None or not facts.split:
        return []
    rows = read_measures(facts.choice.result.metrics_images, facts.choice.result)
    return image_scores(rows, facts.record) if len(rows) else []


def overlaid(facts: Facts, scores: Sequence[ImageScore]) -> list[dict[Any, Any]]:
    """Rows of the images whose overlays are shown: the extremes first."""
    if facts.choice is None:
        return []
    result = facts.choice.result
    images = stores.read_table(result.metrics_images)
    measured = dict(zip(images["image_id"].astype(str), images["split"].astype(str), strict=True))
    first = [each.image for each in extremes(scores, split=facts.split).values()]
    return gallery.results_to_show(facts.table, result, measured=measured, most=facts.config.images, first=first)


def _shown(facts: Facts, rows: Sequence[dict[Any, Any]]) -> list[gallery.Overlay]:
    if facts.choice is None:
        return []
    return [
        gallery.overlay(
            row,
            store=facts.inputs.normalized[str(row["image_id"])],
            result=facts.choice.result,
            record=facts.record,
            folder=facts.folder,
            side=facts.config.picture_side,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Extreme:
    """Image of the best, the median or the worst Dice."""

    name: str
    score: ImageScore
    shot: Shot
    """Its errors, else its prediction."""
    href: str
    """Place of its overlays on the page."""
    noun: str
    """Of the regions that are counted."""

    @property
    def text(self) -> str:
        """Its score, in words."""
        each = self.score
        return (
            f"Dice {number(each.dice)}; {each.found} of {number_of(each.lesions, self.noun)} found, {each.false} false"
        )


def _extremes(
    named: Mapping[str, ImageScore], shots: Sequence[gallery.Overlay], record: DatasetRecord
) -> list[Extreme]:
    noun = region_noun(
        (each.kind for each in record.classes if each.code in record.lesion_codes), modality=record.modality
    )
    by_image = {each.image_id: each.whole for each in shots}
    found = []
    for name, score in named.items():
        if whole := by_image.get(score.image):
            kinds = sorted(whole, key=lambda shot: ("errors" not in shot.name, "prediction" not in shot.name))
            found.append(Extreme(name, score, kinds[0], f"#overlay-{quote(score.image)}", noun))
    return found


def _extremes_legend(found: Sequence[Extreme], record: DatasetRecord) -> list[tuple[str, str, str]]:
    """Legend of the pictures of the first screen: of errors, else of the classes of a prediction."""
    if all("errors" in each.shot.name for each in found):
        return _legends(record)["errors"] if found else []
    return list(chips(record.codes, record))


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
    scores, pages = scores_of(facts), facts.inputs.pages
    named = extremes(scores, split=facts.split)
    shots = _shown(facts, overlaid(facts, scores))
    apart = facts.choice is not None and OUT_OF_FOLD in set(facts.summaries[facts.choice.result.name]["split"])
    badges = {each.image: name for name, each in named.items()}
    overlays = [
        {
            "overlay": each,
            "split": OUT_OF_FOLD if apart and each.split == "validation" else each.split,
            "text": _held(each),
            "href": pages.get(each.image_id, ""),
            "rank": badges.get(each.image_id, ""),
        }
        for each in shots
    ]
    found = _extremes(named, shots, facts.record)
    return {
        "overlays": overlays,
        "extremes": found,
        "shown": facts.choice.result.name if facts.choice else "",
        "extremes_legend": _extremes_legend(found, facts.record),
        **_legends(facts.record),
    }
