"""What a user writes wins over what is shipped, and among the rest the more special part; what has no effect is said."""

from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.config.run import plan_run
from pipeline.config.sources import DEFAULT, outdone_sentences, sourced_values
from pipeline.config.yaml_file import load_yaml
from pipeline.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
SHIPPED = load_yaml(PROJECT / "stages" / "config.yaml")
PINK, EYE = "histology_sample", "fundus_sample"


def plan(own, *datasets):
    tree = {**own, "datasets": list(datasets)}
    _, runs = plan_run(SHIPPED, tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    return runs


def unet(own, dataset=PINK):
    return plan(own, dataset)[0].config.model.models["unet"]


def model(**settings):
    return {"model": {"models": {"unet": settings}}}


@pytest.mark.parametrize(
    ("own", "dataset", "path", "value"),
    [
        (model(select_by="dice_miou"), PINK, "model.models.unet.select_by", "dice_miou"),
        (model(epochs=1), PINK, "model.models.unet.epochs", 1),
        ({"normalized": {"rescale": {"factor": 0.2}}}, PINK, "normalized.rescale.factor", 0.2),
        ({"normalized": {"chain": "fundus"}}, PINK, "normalized.chain", "fundus"),
        ({"probability": {"outside_roi": "keep"}}, EYE, "probability.outside_roi", "keep"),
        ({"index": {"samplings": {"balanced": {"total": 30}}}}, PINK, "index.samplings.balanced.total", 30),
        ({"seed": 4}, EYE, "seed", 4),
    ],
)
def test_what_a_user_wrote_wins_over_recipe_and_sample_and_is_shown_as_theirs(own, dataset, path, value):
    (run,) = plan(own, dataset)
    found = {key: rest for key, *rest in sourced_values(run, [("shipped", SHIPPED), ("mine.yaml", own)])}
    assert found[path] == [value, "mine.yaml"]


def test_what_nobody_wrote_is_the_recipes_still():
    settings = unet(model(epochs=1))
    assert settings.sampling == "balanced"
    assert settings.select_by == "dice"
    assert [each.name for each in settings.loss] == ["tversky", "bce"]


def test_a_recipe_asked_for_by_name_and_an_override_win_over_what_is_said_of_all():
    own = {"normalized": {"stain": {"method": "macenko"}}, **model(epochs=7)}
    plain, variant = plan(own, PINK, f"{PINK}@unstained")
    assert (plain.config.normalized.stain.method, variant.config.normalized.stain.method) == ("macenko", "none")
    own["overrides"] = {PINK: {"normalized": {"stain": {"method": "reinhard"}}, **model(epochs=9)}}
    plain, variant = plan(own, PINK, f"{PINK}@unstained")
    assert (plain.config.normalized.stain.method, variant.config.normalized.stain.method) == ("reinhard", "reinhard")
    assert plain.config.model.models["unet"].epochs == 9


def test_blocks_of_a_user_need_fit_together_only_where_the_recipe_holds():
    patch = {
        "index": {"samplings": {"balanced": {"patch": 32}}},
        "probability": {"storage": {"chunk": 64, "shard": 64}},
    }
    assert plan(patch, PINK)[0].config.window("unet") == 32


def test_an_unknown_key_is_said_of_the_configuration_and_not_of_a_recipe():
    with pytest.raises(ConfigurationError, match=r"configuration: model\.models\.unet\.epoch\b"):
        plan(model(epoch=1), PINK)


def test_a_copy_of_the_shipped_file_means_the_same():
    for dataset in (EYE, PINK, f"{PINK}@macenko", f"{EYE}@study_fundus"):
        assert plan(SHIPPED, dataset)[0].config == plan({}, dataset)[0].config


def test_a_change_of_a_sampling_is_for_the_data_sets_that_have_it():
    own = {"index": {"samplings": {"guided": {"total": 30}, "balanced": {"total": 20}}}}
    eye, pink = plan(own, EYE, PINK)
    assert {name: each.total for name, each in eye.config.index.samplings.items()} == {"guided": 30}
    assert {name: each.total for name, each in pink.config.index.samplings.items()} == {"balanced": 20}
    assert outdone_sentences([eye, pink], [("shipped", SHIPPED), ("mine", own)]) == []
    whole = {"index": {"samplings": {"guided": {"strategy": "guided", "total": 30}}}}
    assert set(plan(whole, PINK)[0].config.index.samplings) == {"guided", "balanced"}


def test_a_sampling_of_no_strategy_that_nobody_has_is_refused():
    with pytest.raises(ConfigurationError, match="by the key 'strategy'"):
        plan({"index": {"samplings": {"gided": {"total": 30}}}}, EYE)


def test_what_holds_for_no_data_set_is_named_with_what_stands_above_it(capsys, tmp_path):
    own = {"index": {"samplings": {"guided": {"total": 30}}}, "overrides": {PINK: model(epochs=9)}, **model(epochs=7)}
    runs = plan(own, PINK)
    sampling, epochs = outdone_sentences(runs, [("shipped", SHIPPED), ("mine", own)])
    assert "index.samplings.guided.total: 30" in sampling
    assert "model.models.unet.epochs: 7" in epochs
    assert f"mine, overrides.{PINK}" in epochs
    assert main(["check", "--config", f"datasets=[{PINK}]", "index={samplings: {guided: {total: 30}}}"]) == 0
    assert "warning: index.samplings.guided.total: 30 holds for no data set" in capsys.readouterr().out


def test_keys_of_a_value_that_was_put_in_place_of_another_are_defaults():
    own = model(augmentation={"kind": "histology"})
    (run,) = plan(own, PINK)
    found = {key: source for key, _, source in sourced_values(run, [("shipped", SHIPPED), ("mine", own)])}
    assert found["model.models.unet.augmentation.kind"] == "mine"
    assert found["model.models.unet.augmentation.probability"] == DEFAULT


def test_values_that_follow_from_others_say_what_is_written_and_folds_where_the_one_for_all_is():
    own = {"model": {"folds": 2, "models": {"unet": {"epochs": 7}}}}
    (run,) = plan(own, EYE)
    found = {key: rest for key, *rest in sourced_values(run, [("shipped", SHIPPED), ("mine", own)])}
    assert found["raw.folds"] == [2, "follows from others; shipped says 0"]
    assert found["model.models.unet.fold1.epochs"] == [7, "mine"]
    assert found["model.models.unet.fold1.encoder_weights"] == ["package", 'follows from others; shipped says "auto"']
    assert found["model.models.unet.fold1.fold"] == [1, "follows from others; shipped says -1"]
    assert found["index.samplings.guided.fold1.total"] == [480, "shipped, overrides.fundus_sample"]
    assert found["report.images"] == [6, "shipped"]


def test_a_model_that_a_comparison_adds_is_shown_as_that():
    own = {"experiments": {"study": {"dataset": EYE, "networks": ["unet", "fpn"]}}}
    (run,) = plan(own, EYE)
    found = {key: source for key, _, source in sourced_values(run, [("shipped", SHIPPED), ("mine", own)])}
    assert found["model.models.fpn.network"] == "experiments"
    assert found["model.models.unet.network"] == "shipped"
