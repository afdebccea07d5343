"""A result that Snakemake has no note of is named where its own record says other values than are asked for."""

import base64

import pytest
import yaml

from pipeline.config.run import merge, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.runtime.torn_notes import unnoted
from pipeline.runtime.unnoted_results import asked_for, differing, differing_sentences, differs
from pipeline.stores.documents import write_json
from tests.workflow.project import MANIFEST, PROJECT, TINY


@pytest.fixture
def run(tmp_path):
    manifest = tmp_path / "tiny.yaml"
    manifest.write_text(yaml.safe_dump(MANIFEST))
    tree = merge(
        load_yaml(PROJECT / "stages" / "config.yaml"), TINY | {"manifest": str(manifest), "datasets": ["tiny"]}
    )
    return plan_run(tree, shipped_manifest=PROJECT / "datasets_manifest.yaml")[1][0]


def facts(entry, image):
    return {"image_id": image} if (entry, image) == ("tiny", "a") else None


def written(path, config):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json({"provenance": {"config": config}}, path)
    return path


def test_a_result_of_other_values_is_named_and_one_of_the_same_is_not(run, tmp_path):
    results = tmp_path / "results"
    path = results / "tiny" / "segmentation" / "unet" / "gaussian" / "thresholds.json"
    wanted = asked_for(path, results=results, runs=[run], facts=facts)
    written(path, wanted)
    options = {"results": results, "runs": [run], "facts": facts}
    notes = tmp_path / ".snakemake"
    assert differing(notes, [path], **options) == []
    written(path, {**wanted, "segmentation": {**wanted["segmentation"], "fill_holes": False}})
    assert differing(notes, [path], **options) == [path]
    assert not notes.exists()
    (said,) = differing_sentences([path])
    assert said.startswith("1 result was made with other parameters")
    assert said.endswith(f"rm -r {path}")
    (said,) = differing_sentences([path] * 7)
    assert said.endswith("and 2 more")


def test_a_key_that_an_older_result_lacks_is_no_difference(run, tmp_path):
    results = tmp_path / "results"
    path = results / "tiny" / "segmentation" / "unet" / "gaussian" / "thresholds.json"
    wanted = asked_for(path, results=results, runs=[run], facts=facts)
    older = {key: value for key, value in wanted["segmentation"].items() if key != "fill_holes"}
    assert not differs(written(path, {**wanted, "segmentation": older}), wanted)


def test_a_result_with_a_note_is_left_to_snakemake(run, tmp_path):
    results, notes = tmp_path / "results", tmp_path / ".snakemake"
    path = written(results / "tiny" / "segmentation" / "unet" / "gaussian" / "thresholds.json", {})
    name = base64.urlsafe_b64encode(path.as_posix().encode()).decode()
    (notes / "metadata").mkdir(parents=True)
    (notes / "metadata" / name).write_text("{}")
    assert unnoted(notes, [path]) == []
    assert differing(notes, [path], results=results, runs=[run], facts=facts) == []


@pytest.mark.parametrize(
    "name",
    [
        "other/probability/unet/gaussian/a.zarr",
        "tiny/probability/unet/gaussian/b.zarr",
        "tiny/probability/unet/mean/a.zarr",
        "tiny/probability/old/gaussian/a.zarr",
        "tiny/model/unet/card.json",
        "tiny/index/guided.parquet",
    ],
)
def test_what_is_not_of_this_run_and_what_may_have_been_brought_is_not_compared(run, tmp_path, name):
    assert asked_for(tmp_path / name, results=tmp_path, runs=[run], facts=facts) is None


@pytest.mark.parametrize("stage", ["normalized", "probability/unet/gaussian", "segmentation/unet/gaussian"])
def test_maps_images_and_masks_are_compared(run, tmp_path, stage):
    path = tmp_path / "tiny" / stage / "a.zarr"
    wanted = asked_for(path, results=tmp_path, runs=[run], facts=facts)
    assert wanted
    assert not differs(path, wanted)  # There is none.


def test_a_precision_that_was_resolved_is_what_auto_asks_for(tmp_path):
    wanted = {"probability": {"overlap": 0.25, "precision": "auto"}}
    path = written(tmp_path / "a.json", {"probability": {"overlap": 0.25, "precision": "bfloat16"}})
    assert not differs(path, wanted)
    assert differs(path, {"probability": {"overlap": 0.4, "precision": "auto"}})
    assert differs(path, {"probability": {"overlap": 0.25, "precision": "float32"}})
