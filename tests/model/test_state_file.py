"""Weights come from files of tensors alone, of the expected size and digest; whatever else there is is one message."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline.errors import ModelError
from pipeline.model.encoder_file import load_encoder_file
from pipeline.model.state_file import load_state, read_state, size_of_state
from pipeline.stores.provenance import file_digest
from tests.model.malformed import MALFORMED, saved

ASKED = {"expected": "a state", "remedy": "Give another."}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 40, 3), nn.BatchNorm2d(40), nn.Conv2d(40, 40, 3))


def refused(problem: BaseException, path: Path, found: str) -> bool:
    text = str(problem)
    return text.startswith("The weights cannot be loaded.") and found in text and str(path) in text and "to do:" in text


@pytest.mark.parametrize("wrong", MALFORMED)
def test_a_malformed_file_is_one_message_and_nothing_in_it_is_executed(network, tmp_path, wrong):
    write, found = MALFORMED[wrong]
    path, mark = tmp_path / "weights.pt", tmp_path / "executed"
    path.write_bytes(write(network.state_dict(), mark))
    with pytest.raises(ModelError) as problem:
        load_state(network, path, digest=file_digest(path), **ASKED)
    assert refused(problem.value, path, found)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"0.weight": torch.zeros(40, 3, 1, 1)}, "size mismatch for 0.weight"),
        ({"more": torch.zeros(3)}, "Unexpected key"),
    ],
)
def test_a_state_of_another_network_is_refused(network, tmp_path, other, found):
    (tmp_path / "w.pt").write_bytes(saved(dict(network.state_dict()) | other))
    with pytest.raises(ModelError) as problem:
        load_state(network, tmp_path / "w.pt", digest=file_digest(tmp_path / "w.pt"), **ASKED)
    assert refused(problem.value, tmp_path / "w.pt", found)


def test_a_good_state_is_loaded_unless_it_is_of_another_digest(network, tmp_path):
    path, before = tmp_path / "w.pt", {name: value.clone() for name, value in network.state_dict().items()}
    torch.save(before, path)
    nn.init.zeros_(network[0].weight)
    with pytest.raises(ModelError, match="of digest"):
        load_state(network, path, digest="0" * 64, **ASKED)
    load_state(network, path, digest=file_digest(path), **ASKED)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("times", [1.0, 3.0])
def test_a_file_of_more_than_twice_the_size_of_the_network_is_not_read(tmp_path, monkeypatch, times):
    path, need = tmp_path / "w.pt", 2**16
    path.write_bytes(saved({"a": torch.zeros(int(times * need) // 4)}))
    asked: list[str] = []
    monkeypatch.setattr(torch, "load", lambda *_, **__: asked.append("read") or {"a": torch.zeros(1)})
    if times > 2:
        with pytest.raises(ModelError, match=f"at most {2 * need} can be meant"):
            read_state(path, need=need, digest=None, **ASKED)
    else:
        read_state(path, need=need, digest=None, **ASKED)
    assert asked == (["read"] if times < 2 else [])


def test_missing_files_and_folders_are_the_same_message(tmp_path):
    for path, found in ((tmp_path / "w.pt", "No such file"), (tmp_path, "directory")):
        with pytest.raises(ModelError) as problem:
            read_state(path, need=100, digest=None, **ASKED)
        assert refused(problem.value, path, found)


@pytest.mark.parametrize("wrong", MALFORMED)
def test_encoder_weights_are_refused_alike(network, tmp_path, wrong):
    (write, found), path = MALFORMED[wrong], tmp_path / "weights.pt"
    path.write_bytes(write(network.state_dict(), tmp_path / "executed"))
    with pytest.raises(ModelError) as problem:
        load_encoder_file(network, path, need=size_of_state(network))
    assert refused(problem.value, path, found)
    assert not (tmp_path / "executed").exists()


def test_good_encoder_weights_are_loaded_unless_they_are_of_another_digest(network, tmp_path):
    state, need = {name: value + 1 for name, value in network.state_dict().items()}, size_of_state(network)
    torch.save(state, tmp_path / "w.pt")
    save_file(state, tmp_path / "w.safetensors")
    for path in (tmp_path / "w.pt", tmp_path / "w.safetensors"):
        nn.init.zeros_(network[0].weight)
        with pytest.raises(ModelError, match="of digest"):
            load_encoder_file(network, path, need=need, digest="0" * 64)
        load_encoder_file(network, path, need=need, digest=file_digest(path))
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    data = (tmp_path / "w.safetensors").read_bytes()
    for bad in (data[:1000], b"", b"\xff" * 100, data[:8] + b"[" + data[9:]):
        (tmp_path / "w.safetensors").write_bytes(bad)
        with pytest.raises(ModelError, match="cannot be loaded"):
            load_encoder_file(network, tmp_path / "w.safetensors", need=need)
