import json
from pathlib import Path

import pytest
from snakemake.cli import parse_config

from pipeline.config import NormalizedConfig, StageConfig, Storage
from pipeline.config.command_line import with_command_line
from pipeline.config.manifest import load_manifest
from pipeline.config.model import ModelConfig, ModelSettings
from pipeline.config.reference import reference_page
from pipeline.config.run import RunConfig, merge, plan_run, run_schema, sampling_from
from pipeline.config.yaml_file import load_yaml
from pipeline.errors import ConfigurationError, ManifestError, MissingDataError, PipelineError
from pipeline.raw.datasets.listing import list_images

PROJECT = Path(__file__).parents[2]
MANIFEST = PROJECT / "datasets_manifest.yaml"
DEFAULT = load_yaml(PROJECT / "stages" / "config.yaml")


def plan(change):
    return plan_run(merge(DEFAULT, change), shipped_manifest=MANIFEST)


WRONG = [
    (
        {"model": {"models": {"unet": {"encoder": "tu-hf-hub:a/b"}}}},
        ["model.models.unet.encoder", "hf-hub", "encoder_weights"],
    ),
    ({"model": {"models": {"unet": {"encoder": "tu-local-dir:/a"}}}}, ["model.models.unet.encoder", "tu-local-dir:/a"]),
    ({"modl": {}}, ["modl", "model"]),
    ({"model": {"models": {"unet": {"losss": []}}}}, ["model.models.unet.losss", "'loss'"]),
    ({"model": {"models": {"unet": {"loss": [{"name": "focal_tversky", "gamma": 0}]}}}}, ["loss", "gamma", "above 0"]),
    ({"model": {"models": {"unet": {"augmentation": [{"name": "scale"}, {"name": "scale"}]}}}}, ["scale", "twice"]),
    ({"index": {"samplings": {"guided": {"betta": 1}}}}, ["index.samplings.guided.betta", "'beta'"]),
    ({"index": {"samplings": {"guided": {"strategy": "gided"}}}}, ["index.samplings.guided", "gided", "guided"]),
    ({"index": {"samplings": {"b": {"strategy": "balanced", "ratio": [0, 0]}}}}, ["samplings.b", "ratio [0, 0]"]),
    ({"index": {"samplings": {"b": {"strategy": "balanced", "gama": 2}}}}, ["samplings.b.gama", "'gamma'"]),
    ({"index": {"samplings": {"guided": {"least_area": 9, "most_area": 3}}}}, ["samplings.guided", "most_area 3"]),
    (
        {"index": {"samplings": {"guided": {"hard_negatives": {"use": "drew"}}}}},
        ["hard_negatives.use", "drew", "avoid"],
    ),
    ({"seed": "3"}, ["seed", "'3'", "integer"]),
    ({"seed": -1}, ["seed", "-1", "greater"]),
    ({"normalized": {"clahe": {"space": "hsv"}}}, ["clahe.space", "hsv", "lab"]),
    ({"normalized": {"gaussian": {"apply": False}}}, ["difference.apply", "gaussian.apply"]),
    ({"normalized": {"rescale": {"factor": 0.5, "fov_diameter": 9}}}, ["factor", "fov_diameter"]),
    ({"normalized": {"storage": {"shard": 1000}}}, ["shard 1000", "chunk"]),
    ({"probability": {"fusions": ["gausian"]}}, ["fusions", "gausian", "gaussian"]),
    ({"model": {"models": {"unet": {"sampling": "x"}}}}, ["unet.sampling", "'x'", "guided"]),
    ({"model": {"models": {"unet": {"fold": 2}}}}, ["fold 2", "raw.folds"]),
    (
        {"model": {"folds": 2}, "index": {"samplings": {"guided.fold0": {"strategy": "guided", "total": 77}}}},
        ["guided.fold0", "rename"],
    ),
    (
        {"model": {"models": {"unet": {"encoder": "resnet34", "encoder_weights": "package"}}}},
        ["models.unet", "resnet34", "imagenet"],
    ),
    ({"model": {"models": {"model": {}}}}, ["model", "none of raw"]),
    ({"model": {"ensembles": {"all": ["unet", "unett"]}}}, ["ensembles.all", "unett", "unet"]),
    ({"model": {"ensembles": {"all": []}}}, ["ensembles.all", "none"]),
    ({"model": {"predict": ["all"]}}, ["predict", "all", "unet"]),
    ({"model": {"models": {"b": {}}, "ensembles": {"b": ["unet", "b"]}}}, ["ensembles.b", "name of a model"]),
    (
        {"model": {"models": {"b": {}}, "ensembles": {"all": {"members": ["unet", "b"], "weights": {"MA": [1]}}}}},
        ["weights.MA", "unet, b"],
    ),
    (
        {"model": {"models": {"b": {}}, "ensembles": {"all": {"members": ["unet", "b"], "weights": {"MB": [1, 2]}}}}},
        ["ensembles.all.weights", "MB", "'MA'"],
    ),
    (
        {
            "index": {"samplings": {"small": {"strategy": "grid", "patch": 64}}},
            "model": {"models": {"b": {"sampling": "small"}}, "ensembles": {"all": ["unet", "b"]}},
        },
        ["ensembles.all", "probability.window"],
    ),
    ({"datasets": ["fundus_sampl"]}, ["fundus_sampl", "'fundus_sample'"]),
    ({"datasets": ["fundus_sample@clahe"]}, ["clahe", "'clahe_only'"]),
    ({"datasets": []}, ["datasets"]),
    ({"overrides": {"idridd": {}}}, ["overrides", "idridd", "'idrid'"]),
    ({"roots": {"idridd": "/x"}}, ["roots", "idridd"]),
    ({"recipes": {"mine": {"normalized": {"clahee": {}}}}}, ["recipes.mine", "clahee", "'clahe'"]),
    ({"segmentation": {"minimum_areas": {"EXX": 3}}}, ["minimum_areas", "EXX", "'EX'"]),
    (
        {"model": {"models": {"unet": {"augmentation": [{"name": "noise", "mots": 0.1}]}}}},
        ["model.models.unet.augmentation.0.mots", "'most'"],
    ),
    (
        {"model": {"models": {"unet": {"augmentation": [{"name": "scale", "range": [1.4, 0.7]}]}}}},
        ["model.models.unet.augmentation.0.range", "1.4 to 0.7 is no range"],
    ),
    ({"model": {"models": {"unet": {"class_weights": {"EXX": 2.0}}}}}, ["unet.class_weights", "EXX", "'EX'"]),
    ({"model": {"models": {"unet": {"augmentation": [{"name": "zoom"}]}}}}, ["augmentation.0", "zoom", "'scale'"]),
    ({"model": {"models": {"unet": {"augmentation": {"nois": 0.1}}}}}, ["unet.augmentation.nois", "'noise'"]),
    ({"index": {"samplings": {"guided": {"most_share": {"EXX": 0.1}}}}}, ["guided.most_share", "EXX", "'EX'"]),
    ({"index": {"samplings": {"guided": {"shares": {"EX": 0.0}}}}}, ["shares", "every class 0"]),
    *(({"report": {"zoom": each}}, ["report.zoom", str(each), "worst 3"]) for each in ("worst", "worst 0", "best 3")),
]


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[json.dumps(change) for change, _ in WRONG])
def test_a_wrong_configuration_names_key_value_and_remedy(change, words):
    with pytest.raises(ConfigurationError) as caught:
        plan(change)
    text = str(caught.value)
    assert all(word in text for word in [*words, "where:", "found:", "expected:", "to do:"]), text


def test_every_problem_is_listed_at_once():
    with pytest.raises(ConfigurationError) as caught:
        plan({"seed": "x", "raw": {"fold": 1}})
    assert "seed" in str(caught.value)
    assert "'folds'" in str(caught.value)


def test_the_shipped_configuration_names_every_key_with_its_default():
    blocks = {name: DEFAULT[name] for name in StageConfig.model_fields if name != "index"}
    for name, block in blocks.items():
        if isinstance(block, dict):
            assert set(block) == set(type(getattr(StageConfig(), name)).model_fields), name


def test_a_recipe_an_override_and_a_variant_change_just_their_keys():
    change = {
        "datasets": ["idrid", "idrid@clahe_only"],
        "overrides": {"idrid": {"normalized": {"clahe": {"clip_limit": 3.0}}}, "idrid@clahe_only": {"seed": 5}},
    }
    _, (plain, variant) = plan(change)
    assert (plain.entry, variant.entry) == ("idrid", "idrid@clahe_only")
    assert plain.config.normalized.clahe.clip_limit == variant.config.normalized.clahe.clip_limit == 3.0
    assert plain.config.normalized.difference.apply
    assert not variant.config.normalized.difference.apply
    assert (plain.config.seed, variant.config.seed) == (0, 5)


def test_a_shipped_part_that_is_not_used_does_not_stand_in_the_way():
    change = {"datasets": ["idrid"], "normalized": {"rescale": {"fov_diameter": 800}}}
    _, (run,) = plan(change)
    assert run.config.normalized.rescale.fov_diameter == 800


def test_nested_values_of_the_command_line_are_what_yaml_reads_and_others_stay():
    text = ["raw={folds: 5}", "normalized={clahe: {clip_limit: 3.0, apply: false}, rescale: {factor: null}}"]
    typed = [*text, 'roots={"idrid": "/data/1"}', "results=2026", 'datasets=["idrid"]']
    given = parse_config(typed)
    assert given["raw"] == {"folds": "5"}
    read = with_command_line(merge(DEFAULT, given), typed)
    _, (run,) = plan_run({**read, "results": "r", "roots": {}}, shipped_manifest=MANIFEST)
    assert (run.config.raw.folds, run.config.normalized.clahe.clip_limit) == (5, 3.0)
    assert (run.config.normalized.clahe.apply, run.config.normalized.rescale.factor) == (False, None)
    assert read["roots"] == {"idrid": "/data/1"}
    assert read["results"] == given["results"]


def test_null_takes_a_named_model_away():
    _, (run, _) = plan(
        {
            "model": {"models": {"unet": None, "other": {"network": "deeplabv3plus"}}},
            "overrides": {
                "fundus_sample": {"model": {"models": {"unet": None}}},
                "histology_sample": {"model": {"models": {"unet": None}}},
            },
        }
    )
    assert list(run.config.model.models) == ["other"]


def test_a_model_that_names_no_sampling_learns_from_the_first_that_draws():
    _, (fundus, histology) = plan(
        {"index": {"samplings": {"plain": {"strategy": "grid"}}}, "model": {"models": {"other": {}}}}
    )
    assert {name: each.sampling for name, each in fundus.config.model.models.items()} == dict.fromkeys(
        ("unet", "other"), "guided"
    )
    assert set(histology.config.index.samplings) == {"balanced", "plain"}
    assert histology.config.model.models["other"].sampling == "balanced"


def test_the_reference_page_is_the_one_of_the_code_and_explains_every_key():
    page = (PROJECT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert page == reference_page()
    assert [line for line in page.splitlines() if line.startswith("| `") and line.endswith("|  |")] == []


def test_the_schema_for_editors_is_the_one_of_the_code():
    assert json.loads((PROJECT / "stages" / "config.schema.json").read_text()) == run_schema()


def numbers_in(tree, place=()):
    """Place and schema of each number of a schema that is no choice among a few."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield from numbers_in(value, (*place, str(key)))
    if isinstance(tree, dict) and tree.get("type") in ("integer", "number") and "enum" not in tree:
        yield ".".join(place), tree


def test_every_number_of_the_configuration_has_a_largest_and_a_least_value():
    found = {place: set(each) for place, each in numbers_in(run_schema()) if "Published" not in place}
    assert len(found) > 100
    without = [place for place, keys in found.items() if not keys & {"maximum", "exclusiveMaximum"}]
    without += [place for place, keys in found.items() if not keys & {"minimum", "exclusiveMinimum"}]
    assert not without


def test_a_configuration_survives_the_way_through_a_job():
    _, (run, _) = plan({})
    plain = json.loads(json.dumps(run.config.model_dump(mode="json")))
    assert StageConfig.model_validate(plain) == run.config
    assert sampling_from(plain["index"]["samplings"]["guided"]) == run.config.index.samplings["guided"]


@pytest.mark.parametrize("path", sorted((PROJECT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_is_a_valid_configuration(path):
    _, runs = plan_run(merge(DEFAULT, load_yaml(path)), shipped_manifest=MANIFEST)
    assert runs


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"classes": [{"code": "M A", "name": "x"}]}, ["code", "M A"]),
        ({"classes": [{"code": "A", "name": "x"}, {"code": "a", "name": "y"}]}, ["unique"]),
        ({"classes": [{"code": "A", "name": "x", "colour": "rood"}]}, ["rood", "red"]),
        ({"priority": ["MA"]}, ["priority", "EX"]),
        ({"task": "binary"}, ["binary", "exactly one class"]),
        ({"adaptor": "folder"}, ["folder"]),
        ({"adaptr": "idrid"}, ["adaptr", "'adaptor'"]),
        ({"group": {"pattern": "a", "csv": "b"}}, ["exactly one"]),
    ],
)
def test_a_wrong_manifest_names_key_value_and_remedy(tmp_path, change, words):
    import yaml

    manifest = load_yaml(MANIFEST)
    manifest["datasets"]["idrid"] |= change
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(manifest))
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    assert all(word in str(caught.value) for word in [*words, str(path)]), caught.value


@pytest.mark.parametrize("name", ["../idrid", "raw", "a b"])
def test_a_data_set_whose_name_is_no_folder_is_refused(tmp_path, name):
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"datasets": {name: {}}}))
    with pytest.raises(ManifestError, match="name"):
        load_manifest(path)


@pytest.mark.parametrize("text", ["", "a: [", "- 1"])
def test_a_file_that_is_no_mapping_is_explained(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PipelineError, match=r"mine\.yaml"):
        load_yaml(path)


def test_a_missing_root_says_which_data_set_where_to_get_it_and_how_it_must_look():
    record = load_manifest(MANIFEST).datasets["idrid"]
    with pytest.raises(MissingDataError) as caught:
        list_images(record, dataset="idrid", root=Path("/nowhere"))
    assert all(
        word in str(caught.value) for word in ["idrid", "/nowhere", "ieee-dataport", "A. Segmentation", "roots="]
    )


def test_defaults_are_themselves_valid():
    """Pydantic takes a default as it is: only written and read again it is validated."""
    assert RunConfig.model_validate_json(RunConfig().model_dump_json()) == RunConfig()


def test_blocks_that_are_not_given_follow_the_shards_and_those_that_are_must():
    """Results do not record blocks, so they are validated again without them, whatever the shards."""
    for shard in (512, 4096, 16_384):
        config = NormalizedConfig(storage=Storage(chunk=shard // 4, shard=shard))
        assert config.strip_rows % shard == config.strip_columns % shard == 0
        assert NormalizedConfig.model_validate(config.of_the_values()) == config
    with pytest.raises(ValueError, match=r"strip_rows 2048 must be a multiple of storage.shard 4096"):
        NormalizedConfig(strip_rows=2048, storage=Storage(chunk=512, shard=4096))


def test_what_predicts_can_be_an_ensemble_alone():
    models = {name: ModelSettings() for name in "ab"}
    all_of_them = ModelConfig(models=models, ensembles={"both": ("a", "b")})
    assert all_of_them.predictors == ("a", "b", "both")
    assert ModelConfig(models=models, ensembles={"both": ("a", "b")}, predict=("both",)).predictors == ("both",)


def test_folds_train_each_model_once_a_fold_with_an_index_of_its_own():
    tree = {
        "model": {"folds": 3, "models": {"unet": {}, "plain": {"sampling": "grid"}}},
        "index": {"samplings": {"guided": {"strategy": "guided"}, "grid": {"strategy": "grid"}}},
    }
    config = StageConfig.model_validate(tree)
    assert config.raw.folds == 3
    assert config.model.folds_of("unet") == config.model.folds_of("plain") == (0, 1, 2)
    assert config.model.members("unet") == ("unet.fold0", "unet.fold1", "unet.fold2")
    assert [config.model.models[f"unet.fold{at}"].sampling for at in range(3)] == [
        f"guided.fold{at}" for at in range(3)
    ]
    assert [config.index.samplings[f"guided.fold{at}"].fold for at in range(3)] == [0, 1, 2]
    assert {config.model.models[f"plain.fold{at}"].sampling for at in range(3)} == {"grid"}
    assert config.model.predictors == tuple(sorted({"unet", "plain", *config.model.models}))


def test_an_ensemble_with_folds_is_one_of_each_fold_and_one_of_all():
    """Thresholds come from the ensemble of a fold, so that a member that weighs nothing in a class says nothing there."""
    names = {"fine": {}, "wide": {"downsample": 2}}
    both = {"members": ["fine", "wide"], "weights": {"MA": [1, 0]}}
    config = StageConfig.model_validate(
        {
            "model": {"folds": 2, "models": names, "ensembles": {"both": both}},
            "index": {"samplings": {"guided": {"strategy": "guided"}}},
        }
    )
    model = config.model
    assert model.members("both") == ("fine.fold0", "wide.fold0", "fine.fold1", "wide.fold1")
    assert model.ensemble_weights("both") == {"MA": (1, 0, 1, 0)}
    for fold in (0, 1):
        assert model.members(f"both.fold{fold}") == (f"fine.fold{fold}", f"wide.fold{fold}")
        assert model.ensemble_weights(f"both.fold{fold}") == {"MA": (1, 0)}
        assert model.held_out_by(f"both.fold{fold}") == {f"fine.fold{fold}": fold, f"wide.fold{fold}": fold}
    assert model.held_out_by("both") == {"both.fold0": 0, "both.fold1": 1}
    assert StageConfig.model_validate(config.model_dump(mode="json")) == config, "jobs are given it divided"
    assert model.held_out_by("fine") == {"fine.fold0": 0, "fine.fold1": 1}
    assert model.out_of_fold("both") == {"both.fold0": 0, "both.fold1": 1}
    assert model.out_of_fold("fine") == {"fine.fold0": 0, "fine.fold1": 1}
    assert model.out_of_fold("fine.fold0") == model.out_of_fold("both.fold0") == {}


@pytest.mark.parametrize("folds", [(-1, -1), (0, 0), (-1, 0), (0, 1, 1)])
def test_an_ensemble_in_which_nobody_speaks_alone_for_an_image_is_not_validated_out_of_fold(folds):
    names = {f"m{at}": ModelSettings(fold=fold) for at, fold in enumerate(folds)}
    assert ModelConfig(models=names, ensembles={"all": tuple(names)}).out_of_fold("all") == {}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"model": {"folds": 3}, "raw": {"folds": 4}}, r"model\.folds 3.*raw\.folds 3 or 0, not 4"),
        ({"model": {"folds": 1}}, "at least 2"),
        ({"model": {"folds": 2, "models": {"a": {}, "a.fold1": {"fold": 1}}}}, "a.fold1 is the name that a fold of a"),
        # Its patches would hold images that thresholds and scores come from.
        ({"raw": {"folds": 3}, "index": {"samplings": {"guided": {"fold": 2}}}}, "unet has fold -1.*drawn for fold 2"),
        (
            {"model": {"folds": 2, "models": {"a": {}, "b": {"fold": 0}}, "ensembles": {"c": ["a", "b"]}}},
            "ensembles.c cannot hold a beside",
        ),
    ],
)
def test_folds_that_cannot_be_are_refused(tree, words):
    with pytest.raises(ValueError, match=words):
        StageConfig.model_validate(merge({"index": {"samplings": {"guided": {"strategy": "guided"}}}}, tree))


def test_another_encoder_alone_can_be_named_in_a_recipe():
    """Configurations of before name an encoder and no weights."""
    _, runs = plan({"recipes": {"fundus": {"model": {"models": {"unet": {"encoder": "mobilenet_v2"}}}}}})
    weights = {run.name: run.config.model.models["unet"].encoder_weights for run in runs}
    assert weights == {"fundus_sample": "none", "histology_sample": "package"}


def test_without_a_model_no_result_is_shown_first():
    assert StageConfig.model_validate({"model": {"models": {}}}).shown_result == ("", "gaussian")
