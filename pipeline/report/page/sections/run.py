"""Section on the run: configuration, code digests, versions of packages, links to the tables behind the page."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from pipeline import stores
from pipeline.model.ensemble import members_of
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import Table, plain_table, text_cell
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import CARD

__all__ = ["run_section"]


def _earlier(facts: Facts) -> Iterator[tuple[str, str, str]]:
    records = [stores.table_metadata(facts.inputs.images).get("provenance", {})]
    first = facts.choice.result if facts.choice else None
    paths = (facts.inputs.normalized, first.probability if first else {}, first.segmentation if first else {})
    found: list[Any] = [dict(stores.open_group(each[min(each)]).attrs)["provenance"] if each else {} for each in paths]
    index = [stores.table_metadata(path).get("provenance", {}) for _, path in sorted(facts.inputs.indexes.items())[:1]]
    trained = [_shown_card(facts).get("provenance", {})]
    for each in [*records, *found[:1], *index, *trained, *found[1:]]:
        if each:
            yield str(each.get("stage", "")), str(each.get("code", "")), str(each.get("seed", ""))


def _shown_card(facts: Facts) -> dict[str, Any]:
    """Card of the model shown first, of an ensemble that of its first member; empty without models."""
    model = facts.inputs.models.get(facts.choice.result.model) if facts.choice else None
    return read_json(members_of(model)[0] / CARD) if model else {}


def _tables(facts: Facts) -> Iterator[tuple[str, Path]]:
    """Tables behind the page that are there, each with what it holds."""
    inputs, page = facts.inputs, facts.page
    yield "Headline figures, warnings, intervals", page / "summary.json"
    yield "The row of the overview", page / "summary.parquet"
    yield "Images: size, split, group, pixels of the truth, why left out", inputs.images
    for name, path in sorted(inputs.indexes.items()):
        yield f"Patches of {name}", path
    for name, folder in sorted(inputs.models.items()):
        yield f"Losses and scores of {name} by epoch", folder / "history.parquet"
    if inputs.hardest is not None:
        yield "Hardest patches and labels in doubt", inputs.hardest
    for each in facts.results:
        yield f"{each.name}: scores of classes and averages, with curves", each.metrics_classes
        yield f"{each.name}: scores of images", each.metrics_images
        yield f"{each.name}: regions of the truth and of the prediction", each.metrics_lesions
        yield f"{each.name}: centres and groups", each.metrics_parts
        yield f"{each.name}: errors by place", each.metrics_errors
        yield f"{each.name}: thresholds", each.thresholds
    for name, path in sorted(inputs.borders.items()):
        yield f"Window borders in the maps of {name}", path


def files_table(facts: Facts) -> Table:
    """Table of the files behind the page, each a link relative to it."""
    ours = {facts.page / "summary.json", facts.page / "summary.parquet"}  # written once the page is
    rows = tuple(
        (text_cell(what), text_cell(path.name, href=quote(Path(os.path.relpath(path, facts.page)).as_posix())))
        for what, path in _tables(facts)
        if path in ours or path.is_file()
    )
    return Table("Numbers behind this page", (text_cell("What"), text_cell("File")), rows)


def run_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on the run."""
    record = facts.provenance.as_attributes()
    versions = _shown_card(facts).get("versions", {})
    stages = [*_earlier(facts), ("report", record["code"], record["seed"])]
    return {
        "config": yaml.safe_dump(dict(facts.stage_config), sort_keys=False, allow_unicode=True),
        "stages": plain_table("Code digest of each stage", ("Stage", "Code", "Seed"), stages),
        "versions": plain_table("Packages", ("Package", "Version"), {**versions, **record["versions"]}.items()),
        "files": files_table(facts),
    }
