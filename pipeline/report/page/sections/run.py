"""Section on the run: configuration, code digests, versions of packages, files behind the page."""

from collections.abc import Iterator
from typing import Any

import yaml

from pipeline import stores
from pipeline.report.page.facts import Facts
from pipeline.report.page.tables.cells import plain_table

__all__ = ["run_section"]


def _earlier(facts: Facts) -> Iterator[tuple[str, str, str]]:
    records = [stores.table_metadata(facts.inputs.images).get("provenance", {})]
    first = facts.choice.result if facts.choice else None
    paths = (facts.inputs.normalized, first.probability if first else {}, first.segmentation if first else {})
    found: list[Any] = [dict(stores.open_group(each[min(each)]).attrs)["provenance"] if each else {} for each in paths]
    index = [stores.table_metadata(path).get("provenance", {}) for _, path in sorted(facts.inputs.indexes.items())[:1]]
    for each in [*records, *found[:1], *index, *found[1:]]:
        if each:
            yield str(each.get("stage", "")), str(each.get("code", "")), str(each.get("seed", ""))


def run_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on the run."""
    record = facts.provenance.as_attributes()
    stages = [*_earlier(facts), ("report", record["code"], record["seed"])]
    files = sorted({path.name for each in facts.results for path in (each.metrics_images, each.metrics_classes)})
    return {
        "config": yaml.safe_dump(dict(facts.stage_config), sort_keys=False, allow_unicode=True),
        "stages": plain_table("Code digest of each stage", ("Stage", "Code", "Seed"), stages),
        "versions": plain_table("Packages", ("Package", "Version"), record["versions"].items()),
        "files": files,
    }
