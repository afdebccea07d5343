"""Documentation site: every page is reached, Python runs, what needs more than a processor says so, and it builds without a warning."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from docs.contents import with_contents
from pipeline.model.hardest import COLUMNS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if "_build" not in page.parts]
EXPLANATIONS = sorted((DOCS / "explanations").glob("*.md"))
NEEDS = {
    "GPU": r"examples/(idrid|digestpath|study)\.yaml|device=cuda|devices=",
    "cluster": r"slurm|dask ",
    "desktop": r"\bnapari\b|\bqupath\b",
}
"""What a block needs, and what of its text tells."""


def blocks(page: Path, language: str) -> list[tuple[str, str]]:
    """Blocks of a page, each with the paragraph before it."""
    text = page.read_text()
    found = re.finditer(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return [(text[: each.start()].rstrip().rsplit("\n\n", 1)[-1], each[1]) for each in found]


def test_every_page_is_in_the_contents_and_every_entry_is_a_page() -> None:
    text = with_contents((DOCS / "index.md").read_text())
    entries = set(re.findall(r"^(?:\w+/)?\w+$", text, re.MULTILINE))
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in PAGES if page.stem != "index"}
    assert entries == pages


def test_the_contents_are_links_with_the_titles_of_their_pages() -> None:
    text = (DOCS / "index.md").read_text()
    assert "{toctree}" not in text  # GitHub would show it as it stands
    for title, page in re.findall(r"^- \[(.*)\]\((.*)\)$", text, re.MULTILINE):
        assert (DOCS / page).read_text().partition("\n")[0] == f"# {title}"


def test_every_link_leads_to_a_page() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(((?!http|#)[^)#]+)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


@pytest.mark.parametrize("page", EXPLANATIONS, ids=lambda page: page.stem)
def test_an_explanation_has_its_formula_and_its_python_runs(page: Path) -> None:
    assert page.read_text().count("$$") >= 2
    for number, (_, block) in enumerate(blocks(page, "python"), start=1):
        assert "assert" in block
        exec(compile(block, f"{page.name}, block {number}", "exec"), {})


def test_labels_in_doubt_are_found_as_the_page_says(tmp_path, monkeypatch) -> None:
    rows = [
        {"kind": "patch", "image_id": "a", "loss": 0.1, "held_out": True},
        {"kind": "patch", "image_id": "b", "loss": 0.9, "held_out": False},
        {"kind": "unseen", "image_id": "a", "loss": 3.0, "held_out": True},
        {"kind": "unmarked", "image_id": "b", "loss": 4.0, "held_out": False},
    ]
    empty = {name: "" if kind in ("str", "category") else 0 for name, kind in COLUMNS.items()}
    folder = tmp_path / "results" / "idrid" / "model" / "unet"
    folder.mkdir(parents=True)
    pd.DataFrame([empty | row for row in rows]).astype(COLUMNS).to_parquet(folder / "hardest.parquet")
    monkeypatch.chdir(tmp_path)
    ((_, block),) = blocks(DOCS / "corrections.md", "python")
    names: dict[str, pd.DataFrame] = {}
    exec(compile(block, "corrections.md", "exec"), names)
    assert names["doubt"]["kind"].tolist() == ["unseen"]
    assert names["worst"].index.tolist() == ["b", "a"]
    assert np.allclose(names["worst"], [0.9, 0.1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_block_says_what_it_needs(page: Path) -> None:
    for before, block in blocks(page, "sh"):
        needed = {name for name, told in NEEDS.items() if re.search(told, block)}
        assert needed <= set(re.findall(r"\*Needs a (\w+)", before)), f"{page.name}: {block}"


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_asks_no_other_host(tmp_path) -> None:
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "-b", "html"]
    done = subprocess.run([*command, DOCS, tmp_path / "html"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for page in (tmp_path / "html").rglob("*.html"):
        assert not re.findall(r'(?:src|href)="https?://[^"]+\.(?:js|css|woff2?|png|svg)"', page.read_text()), page
    assert "<math" in (tmp_path / "html" / "explanations" / "fusion.html").read_text()
    assert (tmp_path / "html" / "_images" / "fundus_chain.png").stat().st_size > 10_000
