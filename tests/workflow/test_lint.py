"""The workflow's own linter, but for what does not apply here."""

import ast
import re
import subprocess
import sys

import pytest

from tests.workflow.project import PROJECT

# The software is pinned by constraints.txt for all rules at once, not by conda or a container for each.
NOT_APPLICABLE = "Specify a conda environment or container for each rule"


def findings(text: str) -> list[str]:
    return re.findall(r"^\s+\* (.+?):\n", text, re.MULTILINE)


def test_the_findings_of_the_linter_that_apply_are_none(tmp_path):
    command = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "--lint"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    applying = [each for each in findings(text) if not each.startswith(NOT_APPLICABLE)]
    assert not applying, text
    assert "Traceback" not in text
    assert done.returncode == 0 or findings(text), text


def test_the_snakefile_is_a_table_of_contents():
    assert len((PROJECT / "Snakefile").read_text().splitlines()) <= 40


def test_every_rule_records_what_its_results_depend_on_and_has_a_log():
    for path in sorted((PROJECT / "stages").glob("[0-9]_*.smk")):
        rules = re.split(r"^ *(?:rule|checkpoint)(?: \w+)?:\n", path.read_text(), flags=re.MULTILINE)[1:]
        for body in rules:
            if "localrule: True" in body:
                continue
            params = re.search(r"^ *params:\n( +)(?!#)(.*)\n", re.sub(r" *#.*\n", "", body), re.MULTILINE)
            assert params, body
            assert params[2].startswith("**recorded("), body
            assert "log:" in body, body


def test_figures_of_a_data_set_are_in_the_report_of_snakemake_with_caption_and_category():
    text = (PROJECT / "stages" / "6_report.smk").read_text()
    marked = re.search(r"figures=report\(\n(.*?)\n        \),\n", text, re.DOTALL)
    assert marked
    given = dict(re.findall(r"^            (\w+)=(.*),$", marked[1], re.MULTILINE))
    assert set(given) == {"patterns", "caption", "category", "subcategory", "labels"}
    caption = PROJECT / "stages" / ast.literal_eval(given["caption"])
    kinds = set(re.findall(r'kind == "(\w+)"', caption.read_text()))
    sorted_by = ast.literal_eval(re.search(r"^FIGURES = (\{.*?^\})", text, re.DOTALL | re.MULTILINE)[1])
    assert set(sorted_by) - {"borders"} <= kinds  # every world has figures of these
    assert "stains" in kinds


def test_what_every_stage_asks_is_short():
    assert len((PROJECT / "stages" / "common.smk").read_text().splitlines()) <= 150


@pytest.mark.parametrize("script", sorted((PROJECT / "stages").glob("[0-9]_*.py")), ids=lambda path: path.name)
def test_a_script_takes_no_input_and_no_resource_that_no_rule_gives(script):
    given = set(re.findall(r"^\s+\"?(\w+)\"?[=:] ?[^=]", script.with_suffix(".smk").read_text(), re.MULTILINE))
    taken = {
        node.attr
        for node in ast.walk(ast.parse(script.read_text()))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("smk.input", "smk.output", "smk.resources", "resources")
    }
    assert taken - {"items"} <= given
