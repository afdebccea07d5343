"""Header of the page of one data set: title, facts of the run, key figures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.raw.data_warnings import NAMED, DataWarning
from pipeline.report.measures.average_words import average_words, named_measure
from pipeline.report.measures.summary import OVER_CLASSES, TRIVIAL
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import counted, number
from pipeline.report.page.tables.measured import grid_text, trivial_note
from pipeline.words import SPLITS

__all__ = ["page_header"]


@dataclass(frozen=True, slots=True)
class _Key:
    value: str
    what: str


def _keys(facts: Facts) -> list[_Key]:
    usable = facts.table[facts.table["rejected"] == ""]
    left_out = len(facts.table) - len(usable)
    keys = [_Key(counted(len(usable)), f"{'image' if len(usable) == 1 else 'images'} used, {left_out} left out")]
    if facts.choice is None or not facts.split:
        return keys
    lesions, split, name = facts.choice.average, facts.split, facts.choice.result.name
    grid = grid_text(facts.summaries[name], facts.grid)
    measures = (
        (lesions, "dice_pooled", "Dice"),
        (lesions, "ap_pooled", "AUPR"),
        (OVER_CLASSES, "iou_pooled", "mIoU without background"),
    )
    for average, measure, text in measures:
        trivial = trivial_note(facts.average(average, TRIVIAL[measure], grid=facts.grid)) if measure in TRIVIAL else ""
        said = named_measure(text, average_words(average, facts.record))
        what = f"{said}, pooled over {split} images{grid} ({name})" + (f"; {trivial}" if trivial else "")
        keys.append(_Key(number(facts.average(average, measure, grid=facts.grid)), what))
    return keys


def _run_facts(facts: Facts) -> list[tuple[str, str]]:
    recipe = facts.dataset.partition("@")[2] or f"{facts.record.modality} (default)"
    versions = facts.provenance.as_attributes()["versions"]
    splits = facts.table.loc[facts.table["rejected"] == "", "split"].astype(str).value_counts()
    return [
        ("Images", ", ".join(f"{splits[split]} {split}" for split in SPLITS if split in splits) or "none"),
        ("Classes", ", ".join(facts.record.codes)),
        ("Recipe", recipe),
        ("Task", facts.record.task),
        ("Seed", str(facts.provenance.seed)),
        ("Version", str(versions["lesionmap"])),
        ("Licence of the data", facts.record.licence),
    ]


def _linked(warning: DataWarning, pages: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pieces of a warning, each with a link or none: the names of images lead to their pages."""
    said, mark, named = warning.sentence.partition(NAMED)
    if not (mark and pages):
        return [(warning.advice, "")]
    count, opened, names = named.partition("(")
    longest_first = sorted(pages, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, longest_first))})(?![\w.-])")
    pieces = [(text, pages.get(text, "") if at % 2 else "") for at, text in enumerate(pattern.split(names))]
    todo = warning.advice.removeprefix(warning.sentence)
    return [(f"{said}{mark}{count}{opened}", ""), *pieces, (todo, "")]


def page_header(facts: Facts) -> dict[str, Any]:
    """Content of the header and the footer of a page."""
    record = facts.record
    return {
        "dataset": facts.dataset,
        "title": record.title,
        "facts": _run_facts(facts),
        "keys": _keys(facts),
        "serious": [_linked(each, facts.inputs.pages) for each in facts.warnings if each.serious],
        "warnings": [_linked(each, facts.inputs.pages) for each in facts.warnings if not each.serious],
        "footer": f"Source: {record.source or 'not given'}. Licence of the data: {record.licence}.",
    }
