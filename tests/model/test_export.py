"""An exported model gives the network's probabilities, in any batch and size, and takes its facts along."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from pipeline.cli import main
from pipeline.config import ModelSettings
from pipeline.errors import ModelError, StoreError
from pipeline.model.bioimageio import check_description, write_bioimageio
from pipeline.model.card import read_card
from pipeline.model.ensemble import load_networks, write_ensemble
from pipeline.model.export import (
    TOLERANCE,
    Exported,
    check_probabilities,
    of_one_size,
    open_for_export,
    pools_to_a_grid,
    write_torch,
)
from pipeline.model.export_input import sample_window
from pipeline.model.export_onnx import for_onnx, run_onnx, write_onnx
from pipeline.model.network import ScaledNetwork, build_network, probabilities
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from tests.scenes.tiny_run import QUICK, TinyRun, bare, copied

PROJECT = Path(__file__).parents[2]
SIZES = [(1, 32, 32), (1, 64, 96), (3, 32, 64)]
WARNING = "MA: no better than a trivial answer."


class Small(nn.Module):
    """Two convolutions and a softmax over three outputs, behind the scaling of the input."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1)]
        self.network = ScaledNetwork(nn.Sequential(*layers), outputs=3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return probabilities(self.network(pixels), "multiclass")


@pytest.fixture(scope="module")
def card(finished_run: Callable[[str], TinyRun]):
    return read_card(finished_run("fundus").model())


@pytest.fixture(scope="module")
def small(card) -> Exported:
    """A model that is exported in a second, with the card of another."""
    torch.manual_seed(0)
    facts = {"input": "pixels", "output": "probabilities", "warnings": [WARNING], "measures": {}}
    return Exported("small", Small().eval(), card, 32, facts)


def patches(n: int, height: int, width: int) -> np.ndarray:
    random = np.random.Generator(np.random.PCG64(height + width))
    return random.integers(0, 256, (n, 3, height, width)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory) -> Path:
    """A file of torch, and a folder of bioimage.io, which holds one of ONNX."""
    place = tmp_path_factory.mktemp("export")
    sample = sample_window(small, None)
    assert write_torch(small, place / "small.pt2", sample=sample) <= TOLERANCE
    assert write_bioimageio(small, place / "small", sample=sample, origin="ramps", licence="CC-BY-4.0") <= TOLERANCE
    assert sorted(path.name for path in place.iterdir()) == ["small", "small.pt2"]
    return place


def test_torch_loads_the_file_without_this_package(small, folder):
    for number, size in enumerate(SIZES):
        np.save(folder / f"{number}.npy", patches(*size))
    code = """
import sys; sys.modules.update({"pipeline": None, "segmentation_models_pytorch": None})
import numpy, torch
extra = {"lesionmap.json": ""}
network = torch.export.load("small.pt2", extra_files=extra).module()
for number in range(3):
    numpy.save(f"found{number}.npy", network(torch.from_numpy(numpy.load(f"{number}.npy"))).detach().numpy())
print(extra["lesionmap.json"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["warnings"] == [WARNING]
    for number, size in enumerate(SIZES):
        expected = small.predict(patches(*size))
        np.testing.assert_allclose(np.load(folder / f"found{number}.npy"), expected, atol=1e-5)


def test_onnx_runtime_gives_the_same_probabilities(small, folder):
    import onnx

    path = folder / "small" / "weights.onnx"
    for size in SIZES:
        np.testing.assert_allclose(
            run_onnx(path.read_bytes(), patches(*size)), small.predict(patches(*size)), atol=1e-5
        )
    notes = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert notes["classes"] == ",".join(small.codes)
    assert notes["warnings"] == WARNING
    assert json.loads(notes["lesionmap"])["warnings"] == [WARNING]


@pytest.mark.parametrize("name", ["small.pt2", "small/weights.onnx", "small/rdf.yaml", "small/lesionmap.json"])
def test_a_file_holds_no_path_of_this_machine(folder, name):
    content = (folder / name).read_bytes()
    assert str(PROJECT).encode() not in content
    assert b"site-packages" not in content
    assert str(folder).encode() not in content


def test_bioimage_io_accepts_the_folder_and_no_damaged_one(small, folder, tmp_path):
    description = folder / "small" / "rdf.yaml"
    check_description(description)
    assert yaml.safe_load(description.read_text())["license"] == "CC-BY-4.0"
    kept, made = (np.load(folder / "small" / f"{name}.npy") for name in ("pixels", "probabilities"))
    np.testing.assert_array_equal(small.predict(kept), made)
    shutil.copytree(folder / "small", tmp_path / "damaged")
    with (tmp_path / "damaged" / "weights.onnx").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ModelError, match=r"weights\.onnx"):
        check_description(tmp_path / "damaged" / "rdf.yaml")
    readme = (folder / "small" / "README.md").read_text()
    assert WARNING in readme
    assert "# Validation" in readme


def test_the_code_of_the_page_runs(small, folder, tmp_path, monkeypatch):
    shutil.copy(folder / "small" / "weights.onnx", tmp_path / "unet.onnx")
    shutil.copy(folder / "small.pt2", tmp_path / "unet.pt2")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "export.md").read_text(), re.DOTALL)
    found = [dict[str, Any]() for _ in blocks]
    for block, names in zip(blocks, found, strict=True):
        exec(compile(block, "docs/export.md", "exec"), names)
    expected = small.predict(np.zeros((1, 3, 64, 96), np.float32))
    for names in found:
        np.testing.assert_allclose(np.asarray(names["probabilities"]), expected, atol=1e-5)
    assert found[0]["classes"] == list(small.codes)
    assert found[1]["facts"]["warnings"] == [WARNING]


class Pooled(Small):
    """The same, with the mean over each cell of a grid of 3 by 3 added, as in PSPNet."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d((3, 3))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        means = nn.functional.interpolate(self.pool(pixels / 255), size=pixels.shape[-2:], mode="bilinear")
        return (super().forward(pixels) + means[:, :2]) / 2


def test_a_network_that_pools_to_a_grid_is_exported_for_the_size_of_its_patch(small, tmp_path):
    import onnx

    torch.manual_seed(0)
    whole = Exported("pooled", Pooled().eval(), small.card, 32, small.facts)
    assert for_onnx(small) is small
    model, side = for_onnx(whole), whole.card.patch
    sample = sample_window(model, None)
    assert write_bioimageio(model, tmp_path / "pooled", sample=sample, origin="ramps") <= TOLERANCE
    path = tmp_path / "pooled" / "weights.onnx"
    found = run_onnx(path.read_bytes(), patches(2, side, side))
    np.testing.assert_allclose(found, whole.predict(patches(2, side, side)), atol=TOLERANCE)
    shape = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in shape] == ["batch", 3, side, side]
    notes = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert f"h and w are {side}, no other size" in json.loads(notes["lesionmap"])["input"]
    axes = yaml.safe_load((tmp_path / "pooled" / "rdf.yaml").read_text())["inputs"][0]["axes"]
    assert [each["size"] for each in axes[2:]] == [side, side]
    write_torch(whole, tmp_path / "pooled.pt2", sample=sample)
    free = torch.export.load(tmp_path / "pooled.pt2").module()
    for size in SIZES:
        expected = whole.predict(patches(*size))
        np.testing.assert_allclose(free(torch.from_numpy(patches(*size))).detach().numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "encoder", "pools"),
    [
        ("pspnet", "resnet18", True),
        ("upernet", "resnet18", True),
        ("unet", "resnet18", False),
        ("manet", "resnet18", False),
        ("unet", "vgg11", False),  # Its classifier's pool is there, and nothing runs it.
    ],
)
def test_networks_that_pool_to_a_grid_are_known(network, encoder, pools):
    settings = ModelSettings(network=network, encoder=encoder, encoder_weights="none")
    assert pools_to_a_grid(build_network(settings, classes=1, task="binary").eval(), side=64) == pools


def test_an_image_smaller_than_the_only_size_is_refused(small, finished_run):
    model = of_one_size(dataclasses.replace(small, card=small.card.model_copy(update={"patch": 1024})))
    with pytest.raises(StoreError, match=r"(?s)too small.*at least 1024"):
        sample_window(model, finished_run("fundus").store("tiny_0"))


@pytest.mark.slow
def test_a_second_file_is_the_same(small, folder, tmp_path):
    write_onnx(small, tmp_path / "again.onnx", sample=patches(1, 32, 32))
    assert (tmp_path / "again.onnx").read_bytes() == (folder / "small" / "weights.onnx").read_bytes()


def test_other_probabilities_are_refused(tmp_path):
    expected = np.full((1, 2, 4, 4), 0.5, np.float32)
    assert check_probabilities(expected + np.float32(5e-5), expected, path=tmp_path) <= TOLERANCE
    for found in (expected + np.float32(2e-4), expected * np.nan, expected[:, :1]):
        with pytest.raises(ModelError, match="other probabilities"):
            check_probabilities(found, expected, path=tmp_path)


def test_facts_are_those_of_card_measures_and_thresholds(finished_run, tmp_path):
    run = copied(finished_run("fundus"), tmp_path)
    (source,) = run.root.glob("segmentation/unet/gaussian/thresholds.json")
    (run.model() / "thresholds.gaussian.json").write_bytes(source.read_bytes())
    model = open_for_export(run.model())
    assert model.codes == ("MA", "OD")
    assert set(model.facts["thresholds"]["gaussian"]) == {"MA", "OD"}
    assert model.facts["normalisation"]["chain"] == "fundus"
    assert set(model.warnings) >= set(model.card.warnings)
    assert str(tmp_path) not in json.dumps(dict(model.facts))
    store = next(iter(sorted(run.root.glob("normalized/*.zarr"))))
    window = sample_window(model, store)
    expected = probabilities(
        load_networks(run.model(), device="cpu", codes=model.codes, channels=3, task="multiclass")(
            torch.from_numpy(window).to(torch.uint8)
        ),
        "multiclass",
    )
    np.testing.assert_array_equal(model.predict(window), expected.detach().numpy())


def test_an_image_below_the_least_window_is_refused(small, finished_run):
    store = finished_run("fundus").store("tiny_0")
    with pytest.raises(StoreError, match="too small"):
        sample_window(Exported("small", small.network, small.card, 1024, small.facts), store)


def test_a_missing_library_an_old_file_and_a_lost_licence_are_refused(tmp_path, monkeypatch, capsys):
    (tmp_path / "there.onnx").touch()
    call = ["export", str(tmp_path / "unet"), "--format", "onnx", "--out"]
    assert main([*call, str(tmp_path / "there.onnx")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main([*call, str(tmp_path / "new.onnx"), "--licence", "MIT"]) == 1
    assert "--licence" in capsys.readouterr().err
    assert main([*call, str(tmp_path / "new.onnx")]) == 1
    assert "no trained model" in capsys.readouterr().err
    monkeypatch.setattr("pipeline.cli.export.find_spec", lambda _: None)
    assert main([*call, str(tmp_path / "new.onnx")]) == 1
    assert "[export]" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["torch", "onnx", "bioimageio"])
def test_the_command_exports_a_model_and_an_ensemble_without_a_connection(finished_run, tmp_path, form):
    run = copied(finished_run("fundus"), tmp_path)
    deep = QUICK.model_copy(update={"network": "deeplabv3plus"})
    run.train("deep", settings=deep, target=None)
    job = Job(bare(run.record), Provenance("model", {}, "code"))
    write_ensemble([run.model(), run.model("deep")], name="both", job=job, output=run.model("both"))
    notes = tmp_path / "connections"
    guard = PROJECT / "tests" / "workflow" / "offline"
    environment = os.environ | {"LESIONMAP_TEST_CONNECTIONS": str(notes), "PYTHONPATH": f"{guard}:{PROJECT}"}  # noqa: TID251
    for name in ("deep", "both"):
        call = ["export", str(run.model(name)), "--format", form, "--sample", str(run.store("tiny_3"))]
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *call], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "largest difference" in done.stdout
    assert not notes.exists()
