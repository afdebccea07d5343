"""Blocks of YAML in README and docs are YAML, and a manifest among them is one that the library takes."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.config.manifest import ManifestRecord

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
BLOCKS = [(page.name, text) for page in PAGES for text in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)]


@pytest.mark.parametrize(("page", "text"), BLOCKS, ids=[f"{page} {at}" for at, (page, _) in enumerate(BLOCKS)])
def test_a_block_is_yaml_and_a_manifest_is_valid(page: str, text: str) -> None:
    tree = yaml.safe_load(text)
    assert isinstance(tree, dict), page
    datasets = tree.get("datasets") or {}
    if isinstance(datasets, dict) and any(isinstance(each, dict) and "adaptor" in each for each in datasets.values()):
        ManifestRecord.model_validate(tree)


def test_the_readme_shows_a_manifest() -> None:
    assert any("adaptor:" in text for page, text in BLOCKS if page == "README.md")
