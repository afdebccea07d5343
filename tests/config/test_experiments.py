"""Expansion of experiments: arms become ordinary models and variants, what can be shared has one name, the rest is refused."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.arms import arms_in, known_steps
from pipeline.config.depends_experiments import experiments_page
from pipeline.config.experiments import AVERAGES
from pipeline.config.model import ModelSettings
from pipeline.config.run import merge, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
DEFAULT = load_yaml(PROJECT / "stages" / "config.yaml")
ARMS = {"dataset": "fundus_sample", "networks": ["unet", "fpn"], "samplings": ["guided", "grid"]}
BASE = {
    "datasets": ["fundus_sample"],
    "index": {"samplings": {"grid": {"strategy": "grid", "patch": 128}}},
    "overrides": {"fundus_sample": {"model": {"models": {"unet": {"steps": 100}}}}},
    "experiments": {"study": ARMS},
}


def plan(*changes):
    tree = merge(DEFAULT, BASE)
    for change in changes:
        tree = merge(tree, change)
    return plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")


def study(**keys):
    return {"experiments": {"study": keys}}


def arms_of(planned):
    run, runs = planned
    return arms_in(run.experiments, [arm for each in runs for arm in each.arms])


def models_of(planned):
    return {each.entry: set(each.config.model.models) for each in planned[1]}


def test_a_crossed_comparison_has_each_combination_once_and_its_base_first():
    planned = plan(study(fusions=["none", "gaussian"], base={"sampling": "grid"}))
    arms = arms_of(planned)["study"]
    levels = itertools.product(("unet", "fpn"), ("guided", "grid"), ("none", "gaussian"))
    assert {tuple(arm.levels.values()) for arm in arms} == set(levels)
    assert len(arms) == 8
    assert [arm.base for arm in arms] == [True, *[False] * 7]
    assert arms[0].name == "unet / grid / none"


def test_an_arm_is_an_ordinary_model_named_by_what_differs_and_fusions_share_it():
    planned = plan(study(fusions=["none", "gaussian"]))
    assert models_of(planned) == {"fundus_sample": {"unet", "unet-grid", "fpn", "fpn-grid"}}
    models = planned[1][0].config.model.models
    assert (models["fpn-grid"].network, models["fpn-grid"].sampling) == ("fpn", "grid")
    changed = models["fpn-grid"].model_copy(update={"network": "unet", "sampling": "guided"})
    assert changed == models["unet"]
    assert {arm.models for arm in arms_of(planned)["study"]} == {("unet",), ("unet-grid",), ("fpn",), ("fpn-grid",)}


def test_one_at_a_time_changes_one_level_of_the_base():
    arms = arms_of(plan(study(fusions=["none", "max", "gaussian"], design="one_at_a_time")))["study"]
    base = arms[0].levels
    assert len(arms) == 1 + 1 + 1 + 2
    assert {sum(base[axis] != level for axis, level in arm.levels.items()) for arm in arms[1:]} == {1}


def test_seeds_are_models_of_their_own_and_further_arms_rename_nothing():
    before = models_of(plan(study(seeds=[0, 1])))["fundus_sample"]
    assert before == {f"{name}{seed}" for name in ("unet", "unet-grid", "fpn", "fpn-grid") for seed in ("", "-seed1")}
    more = study(seeds=[0, 1, 2], losses={"own": None, "bce": [{"name": "bce"}]}, fusions=["none", "max"])
    assert before < models_of(plan(more))["fundus_sample"]


def test_folds_are_those_of_the_model_configuration():
    planned = plan({"model": {"folds": 2}})
    assert {"fpn-grid.fold0", "fpn-grid.fold1"} <= models_of(planned)["fundus_sample"]
    arm = arms_of(planned)["study"][-1]
    members = [member for model in arm.models for member in planned[1][0].config.model.members(model)]
    assert members == ["fpn-grid.fold0", "fpn-grid.fold1"]


def test_recipes_are_variants_that_have_only_the_models_they_need():
    planned = plan(study(recipes=["plain", "clahe_only"], design="one_at_a_time"))
    assert models_of(planned) == {
        "fundus_sample": {"unet", "unet-grid", "fpn"},
        "fundus_sample@clahe_only": {"unet"},
    }
    assert [arm.levels["recipe"] for arm in arms_of(planned)["study"]] == ["plain", "plain", "plain", "clahe_only"]


def test_two_comparisons_of_the_same_settings_share_a_model():
    other = {"dataset": "fundus_sample", "networks": ["unet", "fpn", "pspnet"]}
    assert models_of(plan({"experiments": {"other": other}}))["fundus_sample"] == {
        *("unet", "unet-grid", "fpn", "fpn-grid", "pspnet"),
    }


def test_any_key_of_a_model_can_be_varied():
    planned = plan(study(settings={"own": {}, "weighted": {"class_weights": "index"}}))
    models = planned[1][0].config.model.models
    assert {name for name, each in models.items() if each.class_weights == "index"} == {
        *("unet-weighted", "unet-grid-weighted", "fpn-weighted", "fpn-grid-weighted"),
    }


SMOOTH = {"as_they_are": None, "blurred": {"method": "gaussian", "sigma": 3.0}, "guided": {"method": "guided"}}


def test_smoothings_share_one_training_and_have_maps_of_their_own():
    planned = plan(study(samplings=["guided"], smoothings=SMOOTH))
    config = planned[1][0].config
    assert models_of(planned) == {"fundus_sample": {"unet", "fpn"}}
    arms = {arm.name: arm.models for arm in arms_of(planned)["study"]}
    assert arms["unet / as_they_are"] == ("unet",)
    assert arms["fpn / blurred"] == ("fpn-blurred",)
    assert config.model.members("fpn-blurred") == ("fpn",)
    assert config.segmentation.of_model("fpn-blurred").smoothing.sigma == 3.0
    assert config.segmentation.of_model("fpn").smoothing.method == "none"
    assert config.shown_result[0] == "fpn"
    found = {arm["name"]: arm for arm in experiments_page(planned[0], planned[1])["experiments"]["study"]["arms"]}
    assert (found["fpn / guided"]["models"], found["fpn / guided"]["trained"]) == (["fpn-guided"], ["fpn"])


def test_smoothings_with_folds_are_measured_by_what_stands_for_each_fold():
    planned = plan(study(networks=["unet"], samplings=[], smoothings=SMOOTH), {"model": {"folds": 2}})
    found = {arm["name"]: arm for arm in experiments_page(planned[0], planned[1])["experiments"]["study"]["arms"]}
    assert found["blurred"]["models"] == ["unet-blurred.fold0", "unet-blurred.fold1"]
    assert found["blurred"]["trained"] == found["as_they_are"]["models"] == ["unet.fold0", "unet.fold1"]
    cutting = planned[1][0].config.segmentation
    assert {cutting.of_model(name).smoothing.method for name in ("unet-blurred", "unet-blurred.fold1")} == {"gaussian"}


def test_arms_have_maps_and_fusions_where_models_are_chosen():
    planned = plan(
        study(fusions=["none", "max"]), {"model": {"predict": ["unet"]}, "probability": {"fusions": ["mean"]}}
    )
    config = planned[1][0].config
    assert config.model.predictors == ("fpn", "fpn-grid", "unet", "unet-grid")
    assert config.probability.fusions == ("mean", "none", "max")


def test_a_comparison_of_a_data_set_that_is_not_run_waits():
    planned = plan({"datasets": ["histology_sample"]})
    assert arms_of(planned) == {}
    assert models_of(planned) == {"histology_sample": {"unet"}}


def test_a_comparison_adds_models_to_a_variant_only_where_it_runs():
    planned = plan(study(recipes=["plain", "clahe_only"]), {"datasets": ["fundus_sample@clahe_only"]})
    assert arms_of(planned) == {}
    assert models_of(planned) == {"fundus_sample@clahe_only": {"unet"}}
    assert planned[1][0].arms == ()


@given(
    steps=st.none() | st.integers(1, 500),
    epochs=st.integers(1, 9),
    patches=st.integers(1, 200),
    batch=st.integers(1, 9),
    accumulate=st.integers(1, 4),
    devices=st.integers(1, 4),
)
def test_known_steps_are_those_of_the_training(steps, epochs, patches, batch, accumulate, devices):
    from pipeline.model.recipe import training_length

    values = {"steps": steps, "epochs": epochs, "batch_size": batch, "accumulate": accumulate, "devices": devices}
    settings = ModelSettings(**values, patches_per_epoch=patches)
    assert known_steps(settings) == training_length(settings, rows=7).steps
    assert known_steps(ModelSettings(**values)) == steps


def test_averages_have_the_names_of_those_that_are_measured():
    from pipeline.report.measures import averages, summary

    assert set(AVERAGES) == {summary.OVER_LESIONS, summary.OVER_CLASSES, averages.OVER_ALL}


EPOCHS = {"overrides": {"fundus_sample": {"model": {"models": {"unet": {"steps": None, "epochs": 3}}}}}}
HALF = {"recipes": {"half": {"index": {"samplings": {"guided": {"total": 50}}}}}}
SMALL = {"recipes": {"small": {"normalized": {"rescale": {"factor": 0.5}}}}}


def recipes(*names, **keys):
    return study(networks=[], samplings=[], recipes=["plain", *names], **keys)


def test_epochs_of_all_patches_are_one_length_where_the_indexes_are_alike():
    arms = arms_of(plan(EPOCHS, recipes("clahe_only")))["study"]
    assert {arm.length for arm in arms} == {"3 epochs of all patches of guided, 8 patches a step"}
    assert len(arms_of(plan(EPOCHS, HALF, recipes("half", unequal_steps=True)))["study"]) == 2
    assert len(arms_of(plan(HALF, recipes("half")))["study"]) == 2  # 100 steps, whatever the index


def test_epochs_of_a_number_of_patches_are_compared_as_steps():
    same = {"settings": {"own": {}, "long": {"steps": None, "epochs": 5, "patches_per_epoch": 160}}}
    assert {arm.length for arm in arms_of(plan(study(**same)))["study"]} == {"100 steps"}


WRONG = [
    (EPOCHS | HALF | recipes("half"), ["study", "guided", "for plain", "for half", "`steps`"]),
    (EPOCHS | SMALL | recipes("small"), ["study", "for plain", "for small", "`steps`"]),
    (
        study(published=[{"name": "x", "source": "y", "measure": "dice_pooled", "values": {"MAA": 0.5}}]),
        ["study.published.0.values", "MAA", "'MA'", "mean over lesions"],
    ),
    (
        study(published=[{"name": "x", "source": "y", "measure": "dice_pooled", "values": {"mean over lesion": 0.5}}]),
        ["mean over lesion", "'mean over lesions'"],
    ),
    (study(dataset="fundus_sampl"), ["experiments", "fundus_sampl", "'fundus_sample'"]),
    (study(model="unett"), ["study.model", "unett", "'unet'"]),
    (
        study(model="both")
        | {"model": {"models": {"fpn": {"network": "fpn"}}, "ensembles": {"both": ["unet", "fpn"]}}},
        ["study.model", "both"],
    ),
    (study(smoothings=SMOOTH) | {"model": {"models": {"unet-blurred": {}}}}, ["experiments.study", "unet-blurred"]),
    (study(networks=["unet", "unett"]), ["networks.1", "unett", "unet"]),
    (study(networks=["unet", "unet"]), ["study", "listed twice"]),
    (study(networks=["unet"], samplings=[]), ["study", "one arm compares nothing"]),
    (study(samplings=["guided", "gird"]), ["unet-gird", "'gird'", "grid"]),
    (study(recipes=["plain", "clahe"]), ["fundus_sample@clahe", "'clahe_only'"]),
    (study(dataset="fundus_sample@clahe_only", recipes=["plain", "study_fundus"]), ["recipes", "@clahe_only"]),
    (
        {
            **study(smoothings=SMOOTH),
            "model": {"ensembles": {"unet-blurred": ["unet"]}},
            "segmentation": {"smoothing_of": {"unet-blurred": {"method": "guided"}}},
        },
        ["unet-blurred", "other settings", "Rename"],
    ),
    ({"segmentation": {"smoothing_of": {"unett": {"method": "guided"}}}}, ["smoothing_of", "unett", "unet"]),
    (study(base={"network": "pspnet"}), ["base.network", "'pspnet'", "unet, fpn"]),
    (study(settings={"own": {}, "slow": {"learning_rte": 1e-4}}), ["study", "learning_rte", "'learning_rate'"]),
    (study(settings={"own": {}, "other": {"seed": 3}}), ["settings.other", "seeds"]),
    (study(settings={"own": {}, "other": {"network": "fpn"}}), ["settings.other", "networks"]),
    (study(settings={"own": {}, "long": {"steps": 200}}), ["study", "100 steps; 200 steps", "unequal_steps"]),
    (
        {"overrides": {"fundus_sample": {"model": {"models": {"unet": {"patience": 3}}}}}},
        ["study", "at most 100 steps", "patience"],
    ),
    (
        {"overrides": {"fundus_sample": {"model": {"models": {"unet": {"steps": None}}}}}},
        ["study", "all patches of grid", "all patches of guided", "`steps`"],
    ),
    ({"model": {"models": {"fpn": {"network": "pspnet"}}}}, ["fpn", "other settings", "Rename"]),
    (
        study(published=[{"name": "x", "source": "y", "measure": "dice", "values": {"EX": 0.5}}]),
        ["measure", "dice_pooled"],
    ),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[str(change) for change, _ in WRONG])
def test_a_wrong_comparison_names_place_value_and_remedy(change, words):
    with pytest.raises(ConfigurationError) as caught:
        plan(change)
    text = str(caught.value)
    assert all(word in text for word in [*words, "where:", "found:", "expected:", "to do:"]), text


def test_unequal_steps_are_taken_where_that_is_said():
    keys = study(settings={"own": {}, "long": {"steps": 200}}, unequal_steps=True)
    assert {arm.length for arm in arms_of(plan(keys))["study"]} == {"100 steps", "200 steps"}


def test_the_study_compares_networks_samplings_and_fusions_in_two_worlds():
    tree = merge(DEFAULT, load_yaml(PROJECT / "examples" / "study.yaml"))
    planned = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    arms = arms_of(planned)
    assert {name: len(each) for name, each in arms.items()} == {"fundus": 3 * 2 * 4, "histology": 3 * 2 * 4}
    assert {arm.length for each in arms.values() for arm in each} == {"6000 steps"}
    for run in planned[1]:
        assert len(run.config.model.models) == 6
        assert {each.encoder_weights for each in run.config.model.models.values()} == {"package"}


def test_the_small_study_has_the_recipe_of_the_study_on_the_samples():
    tree = DEFAULT
    for name in ("study.yaml", "study_samples.yaml"):
        tree = merge(tree, load_yaml(PROJECT / "examples" / name))
    planned = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    assert {name: len(each) for name, each in arms_of(planned).items()} == {"fundus": 7, "histology": 7}
    for run in planned[1]:
        models = run.config.model.models
        assert len(models) == 4
        assert {(each.schedule, each.average_decay, each.steps) for each in models.values()} == {("plateau", 0.0, 60)}


def test_the_study_reduced_to_two_cores_shares_its_base_arm():
    tree = merge(DEFAULT, load_yaml(PROJECT / "examples" / "study_idrid.yaml"))
    planned = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    arms = arms_of(planned)
    assert {name: len(each) for name, each in arms.items()} == {"study": 7, "parts": 5}
    assert {arm.length for each in arms.values() for arm in each} == {"450 steps"}
    networks = {run.entry: len(run.config.model.models) for run in planned[1]}
    assert networks == {"idrid": 7, "idrid@clahe_only": 1}


def test_each_next_step_of_the_study_is_an_arm():
    tree = merge(DEFAULT, load_yaml(PROJECT / "examples" / "study_next.yaml"))
    planned = plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")
    (arms,) = arms_of(planned).values()
    models = {run.entry: set(run.config.model.models) for run in planned[1]}
    steps = ("small_lesions", "cleaned", "lovasz", "boundary", "class_weights")
    assert models["fundus_sample"] == {"unet", "fpn", "pspnet"} | {f"unet-{step}" for step in steps}
    assert len(arms) == len(models["fundus_sample"]) + 2
