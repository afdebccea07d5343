"""The memory of a job is above what such a job held, and not far above it; every rule of the workflow has one."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.config import Gaussian, NormalizedConfig, Rescale, StageConfig
from pipeline.config.normalized import FieldShare
from pipeline.config.run import merge
from pipeline.config.yaml_file import load_yaml
from pipeline.normalized.fundus.blur import gaussian_halo
from pipeline.normalized.truth_counts import COUNTED
from pipeline.runtime import job_memory
from pipeline.runtime.job_memory import Picture, job_mb, normalized_mb, rules_memory, stage_memory
from pipeline.runtime.measured import JOBS, SNAKEMAKE, activations_of
from pipeline.runtime.memory import INTERPRETER, normalized_bytes
from pipeline.segmentation import threshold_file
from pipeline.words import WORDS

PROJECT = Path(__file__).parents[2]
DEFAULT = load_yaml(PROJECT / "stages" / "config.yaml")
IDRID = Picture(2848, 4288, truth=5)
SHARE = FieldShare(fov_share=1 / 60)
SNAKEMAKE_MB = SNAKEMAKE / 2**20


def config(change: dict[str, Any] | None = None) -> StageConfig:
    tree = merge({name: DEFAULT[name] for name in StageConfig.model_fields}, change or {})
    return StageConfig.model_validate(tree)


QUARTER, TWICE = ({"normalized": {"rescale": {"factor": factor}}} for factor in (0.25, 2.0))
MEASURED = [
    # On the twelve images of IDRiD, the largest of them.
    ("raw_image", {}, 450),
    ("normalized_image", {}, 595),
    ("normalized_image", QUARTER, 600),
    ("normalized_image", TWICE, 1036),
    ("index_candidates", {}, 305),
    ("index_candidates", TWICE, 309),
    ("index_sampling", {}, 388),
    ("index_sampling", TWICE, 464),
    ("model_fit", {}, 7517),
    ("probability_image", {}, 2079),
    ("segmentation_thresholds", {}, 602),
    ("segmentation_image", {}, 955),
    ("segmentation_image", TWICE, 875),
    ("report_metrics", {}, 263),
    ("report_borders", {}, 448),
    ("report_page", {}, 485),
]


@pytest.mark.parametrize(("rule", "change", "measured"), MEASURED)
def test_what_was_measured_on_real_images_is_predicted_within_a_factor_of_two(
    rule: str, change: dict[str, Any], measured: int
) -> None:
    model = "unet" if rule in ("model_fit", "probability_image") else ""
    found = job_mb(rule, config=config(change), picture=IDRID, classes=5, images=12, model=model)
    assert measured + SNAKEMAKE_MB <= found <= 2 * (measured + SNAKEMAKE_MB)


def test_every_rule_of_the_workflow_that_runs_a_script_has_its_memory() -> None:
    texts = [path.read_text() for path in sorted((PROJECT / "stages").glob("*.smk"))]
    asked = {job for text in texts for job in re.findall(r'mem_mb=memory_of\("(\w+)"\)', text)}
    scripts, resources = (sum(text.count(word) for text in texts) for word in ("script:", "mem_mb=memory_of("))
    # These three belong to no data set, or to no stage, and hold no more than the interpreter.
    assert scripts - 3 == resources
    assert asked == {*job_memory.COMPUTED, *JOBS}


def test_the_tile_of_the_fit_of_thresholds_is_that_of_its_memory() -> None:
    assert job_memory.CLEANED_SIDE == threshold_file.TILE


def test_measures_on_the_grid_of_the_originals_add_their_truth_and_a_block() -> None:
    plain, rescaled = (
        job_mb("report_metrics", config=config(change), picture=IDRID, classes=5, images=12)
        for change in ({}, {"normalized": {"rescale": {"factor": 0.5}}})
    )
    assert rescaled - plain == pytest.approx((2**26 + IDRID.truth * IDRID.pixels) / 2**20 + 12 * 5, abs=1)


def test_the_largest_job_of_each_stage_counts() -> None:
    small = Picture(300, 200, truth=5)
    rules = rules_memory(config(), [small, IDRID, small], classes=5)
    assert rules == rules_memory(config(), [IDRID, small, small], classes=5)
    stages = stage_memory(config(), [small, IDRID], classes=5)
    assert tuple(stages) == WORDS
    assert stages["model"] == rules["model_fit"]
    assert stages["normalized"] == rules["normalized_image"] == normalized_mb(config().normalized, IDRID)
    assert rules_memory(config(), [], classes=5) == {}


def test_memory_does_not_grow_with_a_picture_that_is_read_piece_by_piece() -> None:
    for chain in ("fundus", "histology"):
        slides = [Picture(side, side, whole=False) for side in (20_000, 200_000)]
        first, second = (normalized_mb(NormalizedConfig(chain=chain), each) for each in slides)
        assert first == second < 1024


def test_a_picture_that_is_decoded_whole_is_held_with_its_masks() -> None:
    tiled, whole = (Picture(30_000, 30_000, whole=each, truth=2) for each in (False, True))
    difference = normalized_mb(NormalizedConfig(), whole) - normalized_mb(NormalizedConfig(), tiled)
    assert (difference + 128) * 2**20 == pytest.approx(9 * 30_000**2, rel=1e-3)


def test_normalising_is_the_arithmetic_of_its_blocks() -> None:
    block = {"rows": 2048, "columns": 4288, "halo": gaussian_halo(10.0), "classes": 5, "workers": 1}
    expected = INTERPRETER + SNAKEMAKE + normalized_bytes(**block, stained=False, whole=12 * IDRID.pixels)
    narrow = NormalizedConfig(gaussian=Gaussian(sigma=10.0))
    assert normalized_mb(narrow, IDRID) == pytest.approx(expected / 2**20, abs=2)
    # A wide blur reads no halo, and one of a share of the field of view may turn out narrow.
    wide, share = (normalized_mb(NormalizedConfig(gaussian=Gaussian(sigma=s)), IDRID) for s in (500.0, SHARE))
    assert normalized_mb(narrow, IDRID) < wide == share < normalized_mb(narrow, IDRID) + 10


def test_workers_count_no_further_than_there_are_blocks() -> None:
    def found(workers: int) -> int:
        return normalized_mb(NormalizedConfig(workers=workers), IDRID)

    assert found(1) < found(2) == found(8)


def test_a_field_of_view_is_taken_to_be_as_wide_as_the_shorter_side() -> None:
    by_diameter = NormalizedConfig(rescale=Rescale(fov_diameter=1424))
    by_factor = NormalizedConfig(rescale=Rescale(factor=0.5))
    assert normalized_mb(by_diameter, IDRID) == normalized_mb(by_factor, IDRID)


def test_each_member_of_an_ensemble_adds_its_weights_and_not_its_activations() -> None:
    models = {name: {"encoder": "resnet50", "encoder_weights": "none"} for name in "ab"}
    tree = config({"model": {"models": models, "ensembles": {"both": ["a", "b"]}}})
    one, both = (
        job_mb("probability_image", config=tree, picture=IDRID, classes=5, model=model) for model in ("a", "both")
    )
    assert both - one == pytest.approx(2 * activations_of("unet", "resnet50").weights / 2**20, abs=1)


def test_an_encoder_that_was_not_measured_is_taken_to_be_as_large_as_any() -> None:
    known = [activations_of("unetplusplus", each) for each in ("efficientnet-b0", "resnet34", "resnet50")]
    found = activations_of("unetplusplus", "tu-something")
    assert found.predicting == max(each.predicting for each in known)
    assert found.training == max(each.training for each in known)


def test_the_largest_picture_whose_lost_regions_are_counted_is_that_of_the_stage() -> None:
    assert job_memory.COUNTED == COUNTED


NORMALISE = """
import json, sys
from pathlib import Path
import numpy as np
from PIL import Image
from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.peak import peak_bytes
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

keep_freed()
folder, factor = Path(sys.argv[1]), float(sys.argv[2])
layout = {"images": "{image}.jpg", "masks": {"A": "{image}_A.png", "B": "{image}_B.png"}}
classes = [{"code": code, "name": code} for code in "AB"]
record = DatasetRecord.model_validate({"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel",
                                       "classes": classes, "folder": layout})
entry = ImageEntry("a", folder / "a.jpg", tuple((code, folder / f"a_{code}.png") for code in "AB"))
normalise_fundus(entry, config=NormalizedConfig(rescale={"factor": factor}), output=folder / "d" / "normalized" / "a.zarr",
                 job=Job(record, Provenance("normalized", {}, "c")))
print(json.dumps(peak_bytes() / 2**20))
"""


@pytest.mark.parametrize("factor", [1.0, pytest.param(0.5, marks=pytest.mark.slow)])
def test_a_picture_that_is_normalised_stays_below_its_prediction(tmp_path: Path, factor: float) -> None:
    rng = np.random.Generator(np.random.PCG64(1))
    coarse = Image.fromarray(rng.integers(0, 256, (50, 75, 3), dtype=np.uint8))
    coarse.resize((3000, 2000)).save(tmp_path / "a.jpg")
    for code in "AB":
        Image.fromarray(np.uint8(255) * (rng.random((2000, 3000)) < 0.01)).save(tmp_path / f"a_{code}.png")
    command = [sys.executable, "-c", NORMALISE, str(tmp_path), str(factor)]
    held = json.loads(subprocess.check_output(command, cwd=PROJECT))
    predicted = normalized_mb(NormalizedConfig(rescale=Rescale(factor=factor)), Picture(2000, 3000, truth=2))
    assert held <= predicted - SNAKEMAKE_MB
    assert predicted <= 2 * (held + SNAKEMAKE_MB)
