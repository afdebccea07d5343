"""Content of the page of one data set: everything that its template needs, section by section."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from pipeline import stores
from pipeline.config import ReportConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.summary import OVER_CLASSES, average_of
from pipeline.report.page import sections, tables
from pipeline.report.page.border_section import BorderSection, border_section
from pipeline.report.page.stain_section import stain_section, stain_sentence
from pipeline.report.page.stains import read_stains, stained_images
from pipeline.report.page.window_coverage import window_table
from pipeline.report.paths import Inputs, Result
from pipeline.report.pictures import gallery
from pipeline.report.pictures.overlays import ERROR_COLOURS
from pipeline.report.pictures.pairs import Pair, before_after, pairs_to_show
from pipeline.stores.provenance import Provenance

__all__ = ["Content", "page_context"]

PAIRS = 4
ERROR_NAMES = {
    "hit": "true positive",
    "false_positive": "false positive",
    "false_negative": "false negative",
    "other_class": "another class than the truth",
}


@dataclass(frozen=True, slots=True)
class _Key:
    value: str
    what: str


@dataclass(slots=True)
class Content:
    """Facts that the sections share."""

    record: DatasetRecord
    config: ReportConfig
    inputs: Inputs
    results: Sequence[Result]
    table: pd.DataFrame
    folder: Path
    summaries: dict[str, pd.DataFrame] = field(default_factory=dict)
    choice: sections.Choice | None = None
    alike: bool = True
    """Whether all results were validated on the same images."""

    @property
    def split(self) -> str:
        """The split whose numbers come first: test where there is one."""
        found = self.summaries[self.choice.result.name] if self.choice else pd.DataFrame({"split": []})
        return next((split for split in sections.SHOWN if (found["split"] == split).any()), "")

    def average(self, average: str, measure: str) -> float:
        """A named average of the shown result on that split."""
        if self.choice is None:
            return math.nan
        return average_of(self.summaries[self.choice.result.name], split=self.split, average=average, measure=measure)


def _keys(content: Content) -> list[_Key]:
    usable = content.table[content.table["rejected"] == ""]
    left_out = len(content.table) - len(usable)
    keys = [_Key(tables.counted(len(usable)), f"images used, {left_out} left out")]
    if content.choice is None or not content.split:
        return keys
    lesions, split = content.choice.average, content.split
    name = content.choice.result.name
    for average, measure, text in (
        (lesions, "dice_pooled", "Dice"),
        (lesions, "ap_pooled", "AUPR"),
        (OVER_CLASSES, "iou_pooled", "mIoU without background"),
    ):
        keys.append(
            _Key(
                tables.number(content.average(average, measure)),
                f"{text}, {average}, pooled over {split} images ({name})",
            )
        )
    return keys


def _metrics(content: Content) -> dict[str, Any]:
    context: dict[str, Any] = {
        "comparisons": [],
        "comparison_plots": [],
        "measured": [],
        "choice": "",
        "shown": "",
        "thresholds": "",
    }
    context |= {
        "inference": window_table(content.results),
        "interval": False,
        "no_metrics": "No model has results on images with truth.",
        "unseen": None,
    }
    if content.choice is None:
        return context
    shown = content.choice.result.name
    context |= {"shown": shown, "choice": content.choice.reason}
    if not content.split:
        return context
    summary = content.summaries[shown]
    splits = [split for split in sections.SHOWN if (summary["split"] == split).any()]
    return context | {
        "comparisons": [
            tables.comparison_table(
                content.summaries, split=split, shown=shown, comparable=content.alike or split != "validation"
            )
            for split in splits
        ],
        "thresholds": sections.origin_of_thresholds(content.choice.result.thresholds),
        "comparison_plots": sections.compared(content.summaries, content.record, folder=content.folder),
        "measured": sections.measured(content.choice, summary, content.record, folder=content.folder),
        "interval": bool(summary["low"].notna().any()),
        "unseen": _unseen(content.choice.result),
    }


def _borders(content: Content) -> BorderSection | None:
    inputs, shown = content.inputs, content.choice.result if content.choice else None
    return border_section(
        inputs.borders,
        results=content.results,
        shown=shown,
        record=content.record,
        normalized=inputs.normalized,
        folder=content.folder,
    )


def _unseen(result: Result) -> tables.Table | None:
    """Truth outside the roi, per class, where there is any."""
    rows = stores.read_table(result.metrics_images)
    rows = rows[rows["truth_outside_roi"] > 0]
    if not len(rows):
        return None
    found = [
        (
            row["image_id"],
            row["class_code"],
            tables.counted(row["truth_outside_roi"]),
            f"{100 * row['truth_outside_roi'] / row['truth_pixels']:.2f} %",
        )
        for row in rows.to_dict("records")
    ]
    caption = "Truth pixels outside the region of interest; they count as missed where no window reached them"
    return tables.plain_table(caption, ("Image", "Class", "Pixels", "Share of the class"), found)


def _overlays(content: Content) -> dict[str, Any]:
    record, shown = content.record, []
    if content.choice is not None:
        result = content.choice.result
        images = stores.read_table(result.metrics_images)
        measured = dict(zip(images["image_id"].astype(str), images["split"].astype(str), strict=True))
        for row in gallery.results_to_show(content.table, result, measured=measured, most=content.config.images):
            found = gallery.overlay(
                row,
                store=content.inputs.normalized[str(row["image_id"])],
                result=result,
                record=record,
                folder=content.folder,
                side=content.config.picture_side,
            )
            shown.append({"overlay": found, "text": _held(found)})
    lesions = [each.code for each in record.classes if each.kind == "lesion"] or list(record.codes)
    text = f"Probability, highest of {', '.join(lesions)}" if len(lesions) > 1 else f"Probability of {lesions[0]}"
    errors = [
        (ERROR_NAMES[kind], "#{:02x}{:02x}{:02x}".format(*rgb), ERROR_NAMES[kind])
        for kind, rgb in ERROR_COLOURS.items()
    ]
    legend = [(f"{each[0]} {each[2]}", each[1], each[2]) for each in tables.chips(record.codes, record)]
    if len(record.classes) == 1:
        errors = errors[:3]
    return {"overlays": shown, "legend": legend, "errors": errors, "heat_text": text}


def _held(overlay: gallery.Overlay) -> str:
    if overlay.split == "predict":
        return "no truth: prediction only"
    return f"holds {', '.join(overlay.codes)}" if overlay.codes else "holds no class"


def _pairs(content: Content) -> list[Pair]:
    rows = [row for row in pairs_to_show(content.table, most=PAIRS) if row["image_id"] in content.inputs.normalized]
    return [
        before_after(
            row,
            store=content.inputs.normalized[row["image_id"]],
            look=content.inputs.originals.get(row["image_id"]),
            folder=content.folder,
            side=content.config.picture_side,
            near=content.record.modality == "histology",
        )
        for row in rows
    ]


def _fundus_sentence(steps: Mapping[str, Any]) -> str:
    names = {"clahe": "CLAHE", "gaussian": "Gaussian blur", "difference": "difference enhancement"}
    used = [text for key, text in names.items() if steps.get(key, {}).get("apply")]
    return f"Fundus chain: {', then '.join(used)}." if used else "No enhancement was asked for."


def _normalisation(content: Content, provenance: Provenance, stage_config: Mapping[str, Any]) -> dict[str, Any]:
    inputs, steps = content.inputs, stage_config.get("normalized", {})
    settings: Mapping[str, Any] = steps.get("stain", {})
    stained = stained_images(inputs.stains, content.table, normalized=inputs.normalized)
    target = read_stains(inputs.target) if inputs.target else None
    histology = steps.get("chain") == "histology"
    return {
        "flags": sections.flags(inputs.normalized, stained),
        "pairs": _pairs(content),
        "normalisation": stain_sentence(settings, target=target) if histology else _fundus_sentence(steps),
        "stains": stain_section(stained, target, settings=settings, folder=content.folder, provenance=provenance),
    }


def _run(content: Content, provenance: Provenance, stage_config: Mapping[str, Any]) -> dict[str, Any]:
    record = provenance.as_attributes()
    stages = [*_earlier(content), ("report", record["code"], record["seed"])]
    files = sorted({path.name for each in content.results for path in (each.metrics_images, each.metrics_classes)})
    return {
        "config": yaml.safe_dump(dict(stage_config), sort_keys=False, allow_unicode=True),
        "stages": tables.plain_table("Code digest of each stage", ("Stage", "Code", "Seed"), stages),
        "versions": tables.plain_table("Packages", ("Package", "Version"), record["versions"].items()),
        "files": files,
    }


def _earlier(content: Content) -> Iterable[tuple[str, str, str]]:
    records = [stores.table_metadata(content.inputs.images).get("provenance", {})]
    first = content.choice.result if content.choice else None
    paths = (content.inputs.normalized, first.probability if first else {}, first.segmentation if first else {})
    found: list[Any] = [dict(stores.open_group(each[min(each)]).attrs)["provenance"] if each else {} for each in paths]
    index = [
        stores.table_metadata(path).get("provenance", {}) for _, path in sorted(content.inputs.indexes.items())[:1]
    ]
    for each in [*records, *found[:1], *index, *found[1:]]:
        if each:
            yield str(each.get("stage", "")), str(each.get("code", "")), str(each.get("seed", ""))


def _facts(content: Content, provenance: Provenance, dataset: str) -> list[tuple[str, str]]:
    recipe = dataset.partition("@")[2] or f"{content.record.modality} (default)"
    versions = provenance.as_attributes()["versions"]
    return [
        ("Recipe", recipe),
        ("Task", content.record.task),
        ("Seed", str(provenance.seed)),
        ("Version", str(versions["lesionmap"])),
        ("Licence of the data", content.record.licence),
    ]


def page_context(
    content: Content, *, dataset: str, link: str, provenance: Provenance, stage_config: Mapping[str, Any]
) -> dict[str, Any]:
    """Context of the template: the pictures written, and everything that it names.

    Parameters
    ----------
    content
        What the sections share.
    dataset
        ``name`` or ``name@recipe``.
    link
        The folder of figures as the page links to it.
    provenance
        Record of origin.
    stage_config
        The resolved configuration, to be shown.
    """
    record, table = content.record, content.table
    return {
        "dataset": dataset,
        "title": record.title,
        "facts": _facts(content, provenance, dataset),
        "keys": _keys(content),
        "folder": link,
        "images_total": len(table),
        "rejections": sections.rejections(table),
        "leaks": sections.leaks(table),
        "splits": tables.splits_table(table, record),
        "images_table": tables.images_table(table, record),
        **_normalisation(content, provenance, stage_config),
        "samplings": sections.samplings(
            content.inputs.indexes,
            record,
            normalized=content.inputs.normalized,
            folder=content.folder,
            most=content.config.images,
            side=content.config.picture_side * 2 // 3,
        ),
        "models": sections.models(content.inputs.models, record, folder=content.folder),
        **_metrics(content),
        "borders": _borders(content),
        **_overlays(content),
        **_run(content, provenance, stage_config),
        "footer": f"Source: {record.source or 'not given'}. Licence of the data: {record.licence}.",
    }
