"""The page on experiments: its configuration is planned as it says, and its question to the table has an answer."""

import re
from pathlib import Path

import pytest
import yaml

from pipeline.config.arms import arms_in
from pipeline.config.run import merge, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.report.experiments import experiment_tables, write_tables
from pipeline.seeds import stream
from tests.report.measures.test_arms import arm

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "experiments.md").read_text()


def test_the_configurations_are_planned_and_models_have_the_names_that_are_told() -> None:
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        if "my_normalisation" not in text:
            tree = merge(tree, yaml.safe_load(text))
    run, (dataset,) = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    arms = arms_in(run.experiments, dataset.arms)["sampling"]
    assert len(arms) == 2 * 2 * 2
    assert {len(each.models) for each in arms} == {3}
    told = set(re.findall(r"`(unet|unet-grid|deeplabv3plus-grid-seed1)`", PAGE))
    assert told == {"unet", "unet-grid", "deeplabv3plus-grid-seed1"} <= set(dataset.config.model.models)
    assert run.experiments["sampling"].published[0].name == "PBDA"


def test_recipes_of_normalisation_are_shipped() -> None:
    (text,) = re.findall(r"```yaml\n# my_normalisation.yaml\n(.*?)```", PAGE, re.DOTALL)
    tree = merge(load_yaml(PROJECT / "stages" / "config.yaml"), yaml.safe_load(text))
    _, runs = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    assert [run.config.normalized.stain.method for run in runs] == ["vahadane", "macenko", "reinhard", "none"]


def test_the_question_to_the_table_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = stream(0, "test", "docs", "experiments")
    images, classes = random.random((2, 2, 5, 3, 3)), random.random((2, 2, 3, 2))
    arms = [arm(name, images[at], classes[at], base=not at) for at, name in enumerate(("grid", "guided"))]
    tables = experiment_tables(arms, draws=0, seed=0)
    write_tables([tables], tmp_path / "results" / "experiments", provenance={})
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    *before, last = block.strip().splitlines()
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec("\n".join(before), names)
    found = eval(last, names)
    assert found["arm"].tolist() == ["grid", "guided"]
    expected = classes[:, :, :2, 1].mean(axis=(1, 2))
    assert found["ap_pooled.lesions"].tolist() == pytest.approx(expected.tolist())
    kinds = {path.name for path in (tmp_path / "results" / "experiments").iterdir() if path.is_file()}
    assert kinds == {
        f"{name}.{kind}"
        for name in re.findall(r"^\| `(\w+)` \|", PAGE.split("What comes out")[1], re.MULTILINE)
        for kind in ("parquet", "csv")
    }
