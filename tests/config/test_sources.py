"""Each parameter has the source that wins when files, recipes and overrides are merged."""

from pathlib import Path

from pipeline.cli import main
from pipeline.config.run import merge, plan_run
from pipeline.config.sources import DEFAULT, sourced_values

PROJECT = Path(__file__).parents[2]
BASE = {"datasets": ["fundus_sample@strong"], "raw": {"folds": 2}, "recipes": {"fundus": {"raw": {"folds": 3}}}}
MINE = {
    "recipes": {"strong": {"normalized": {"clahe": {"clip_limit": 4.0}}}},
    "overrides": {"fundus_sample": {"seed": 3}, "fundus_sample@strong": {"probability": {"fusions": ["mean"]}}},
    "raw": {"validation_share": 0.3},
}


def test_each_value_names_what_gave_it():
    given = [("base", BASE), ("mine", MINE), ("--config", {"seed": 1})]
    tree = {}
    for _, each in given:
        tree = merge(tree, each)
    _, (run,) = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    found = {key: (value, source) for key, value, source in sourced_values(run, given)}
    assert found["raw.folds"] == (3, "base, recipes.fundus")
    assert found["raw.validation_share"] == (0.3, "mine")
    assert found["normalized.clahe.clip_limit"] == (4.0, "mine, recipes.strong")
    assert found["seed"] == (3, "mine, overrides.fundus_sample")
    assert found["probability.fusions"] == (["mean"], "mine, overrides.fundus_sample@strong")
    assert found["report.bootstrap"] == (1000, DEFAULT)


def test_the_command_shows_every_key_once(capsys):
    assert main(["config", "show", "fundus_sample", "--config", "raw={folds: 5}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (folds,) = [line for line in lines if line.startswith("raw.folds:")]
    assert folds.split("#")[1].strip() == "--config"
    assert len({line.split(":")[0] for line in lines}) == len(lines)


def test_an_unknown_data_set_is_one_message(capsys):
    assert main(["config", "show", "fundus_sampel"]) == 1
    assert "Did you mean 'fundus_sample'?" in capsys.readouterr().err
