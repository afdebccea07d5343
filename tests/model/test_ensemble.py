"""An ensemble is the mean of its members' probabilities, window by window, and is used like a model."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import nn

from pipeline.errors import ModelError
from pipeline.model.ensemble import MeanNetwork, load_networks, members_of, model_files, write_ensemble
from pipeline.model.network import probabilities
from pipeline.predict.new_image import predict_new_image
from pipeline.predict.options import PredictOptions
from pipeline.stores import open_array
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from tests.scenes.tiny_run import QUICK, TinyRun, bare, copied

ORIGIN = Provenance("model", {}, "code")
TEST = "tiny_3"


class Fixed(nn.Module):
    """Gives the same logits whatever it sees."""

    def __init__(self, logits: np.ndarray) -> None:
        super().__init__()
        self.logits = torch.from_numpy(logits)

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return self.logits


@pytest.mark.parametrize("scale", [1.0, 30.0, 300.0])
@pytest.mark.parametrize(("task", "outputs"), [("multiclass", 4), ("multilabel", 3), ("binary", 1)])
def test_the_probabilities_are_the_mean_of_the_members(task, outputs, scale):
    random = np.random.Generator(np.random.PCG64(outputs))
    logits = [(scale * random.standard_normal((2, outputs, 5, 7))).astype(np.float32) for _ in range(3)]
    mean = probabilities(MeanNetwork([Fixed(each) for each in logits], task=task)(torch.zeros(1)), task).numpy()
    wide = [each.astype(np.float64) for each in logits]
    expected = [softmax(each, axis=1)[:, 1:] if task == "multiclass" else expit(each) for each in wide]
    np.testing.assert_allclose(mean, np.mean(expected, axis=0), atol=2e-6)


@pytest.mark.parametrize(("task", "outputs"), [("multiclass", 4), ("multilabel", 3), ("binary", 1)])
def test_members_weigh_by_class(task, outputs):
    random = np.random.Generator(np.random.PCG64(outputs))
    logits = [(5 * random.standard_normal((2, outputs, 5, 7))).astype(np.float32) for _ in range(3)]
    classes = outputs - (task == "multiclass")
    shares = random.integers(0, 4, (classes, 3)) + np.eye(classes, 3)
    network = MeanNetwork([Fixed(each) for each in logits], task=task, shares=shares.tolist())
    mean = probabilities(network(torch.zeros(1)), task).numpy()
    wide = [each.astype(np.float64) for each in logits]
    single = np.stack([softmax(each, axis=1)[:, 1:] if task == "multiclass" else expit(each) for each in wide])
    expected = np.einsum("ck,knchw->nchw", shares / shares.sum(axis=1, keepdims=True), single)
    if task == "multiclass":
        expected /= np.maximum(expected.sum(axis=1, keepdims=True), 1)
    np.testing.assert_allclose(mean, expected, atol=2e-6)


@pytest.mark.parametrize("task", ["multiclass", "multilabel"])
def test_equal_weights_are_no_weights(task):
    random = np.random.Generator(np.random.PCG64(0))
    logits = [random.standard_normal((2, 3, 5, 7)).astype(np.float32) for _ in range(2)]
    members = [Fixed(each) for each in logits]
    plain, weighed = (
        probabilities(MeanNetwork(members, task=task, shares=shares)(torch.zeros(1)), task).numpy()
        for shares in ((), [[0.5, 0.5]] * (2 if task == "multiclass" else 3))
    )
    np.testing.assert_allclose(plain, weighed, atol=1e-6)


def test_classes_that_leave_no_background_are_divided_by_their_sum():
    low, high = -40.0, 40.0
    first = np.full((1, 3, 1, 1), low, np.float32)
    second = first.copy()
    first[:, 1], second[:, 2] = high, high
    network = MeanNetwork([Fixed(first), Fixed(second)], task="multiclass", shares=[[1, 0], [0, 1]])
    found = probabilities(network(torch.zeros(1)), "multiclass").numpy()
    np.testing.assert_allclose(found.ravel(), [0.5, 0.5], atol=1e-6)


@pytest.fixture(scope="module")
def run(finished_run: Callable[[str], TinyRun], tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """A finished run with two models and an ensemble of both."""
    run = copied(finished_run("fundus"), tmp_path_factory.mktemp("two"))
    run.train("second", settings=QUICK.model_copy(update={"seed": 7}), target=None)
    write_ensemble(
        [run.model("unet"), run.model("second")],
        name="both",
        job=Job(bare(run.record), ORIGIN),
        output=run.model("both"),
    )
    for model in ("second", "both"):
        run.predict(TEST, model=model)
    return run


def maps(run: TinyRun, model: str, fusion: str) -> np.ndarray:
    return np.asarray(open_array(run.maps(TEST, fusion, model=model), "0")[:]).astype(np.float32)


def test_linear_fusions_of_the_mean_are_the_mean_of_the_fusions(run: TinyRun) -> None:
    for fusion in ("none", "mean", "gaussian"):
        first, second = (maps(run, model, fusion) for model in ("unet", "second"))
        assert np.abs(first - second).max() > 0.02
        np.testing.assert_allclose(maps(run, "both", fusion), (first + second) / 2, atol=1e-3)


def test_the_mean_is_taken_before_the_windows_are_fused(run: TinyRun) -> None:
    # The largest mean is never above the mean of the largest, and below it where members disagree in which window.
    above = (maps(run, "unet", "max") + maps(run, "second", "max")) / 2 - maps(run, "both", "max")
    assert above.min() > -1e-3
    assert above.max() > 2e-3


def test_a_new_file_gets_the_maps_of_the_ensemble(run: TinyRun, tmp_path: Path) -> None:
    options = PredictOptions(probability={"overlap": 0.5, "batch_size": 3})
    found = predict_new_image(run.files / f"{TEST}.png", model=run.model("both"), out=tmp_path, options=options)[0]
    assert np.array_equal(
        open_array(found.probability, "0")[:], open_array(run.maps(TEST, "gaussian", model="both"), "0")[:]
    )


def test_a_folder_says_what_its_maps_depend_on(run: TinyRun) -> None:
    assert members_of(run.model("both")) == (run.model("unet"), run.model("second"))
    assert members_of(run.model("unet")) == (run.model("unet"),)
    assert sorted(model_files(run.model("unet"))) == ["model", "weights"]
    assert model_files(run.model("both")) == {"model": run.model("both") / "ensemble.json"}


def test_a_member_that_was_trained_again_or_taken_away_is_named(run: TinyRun, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for name in ("unet", "second", "both"):
        shutil.copytree(run.model(name), folder / name)
    asked = {"device": "cpu", "codes": run.record.codes, "channels": 3, "task": "multiclass"}
    assert isinstance(load_networks(folder / "both", **asked), MeanNetwork)
    shutil.copyfile(folder / "unet" / "weights.pt", folder / "second" / "weights.pt")
    with pytest.raises(ModelError, match=r"another one now[\s\S]*second"):
        load_networks(folder / "both", **asked)
    shutil.rmtree(folder / "second")
    with pytest.raises(ModelError, match=r"another one now[\s\S]*nothing"):
        load_networks(folder / "both", **asked)
    with pytest.raises(ModelError, match="other classes"):
        load_networks(folder / "unet", **{**asked, "codes": ("OD", "MA")})


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"task": "multilabel"}, "task"),
        ({"normalisation": {"chain": "histology"}}, "normalisation"),
        ({"classes": [{"code": "OD"}, {"code": "MA", "name": "as in earlier cards"}]}, "codes"),
    ],
)
def test_members_that_do_not_fit_together_are_refused(run: TinyRun, tmp_path: Path, change: dict, word: str) -> None:
    other = tmp_path / "model" / "other"
    shutil.copytree(run.model("second"), other)
    card = json.loads((other / "card.json").read_text())
    (other / "card.json").write_text(json_text(card | change))
    with pytest.raises(ModelError, match=f"{word} of other"):
        write_ensemble(
            [run.model("unet"), other],
            name="x",
            job=Job(bare(run.record), ORIGIN),
            output=tmp_path / "model" / "x",
        )
    assert not (tmp_path / "model" / "x").exists()
