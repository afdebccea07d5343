"""A precision that the machine cannot compute, or only very slowly, is said before hours are lost."""

import logging

import pytest

from pipeline.config import ModelSettings
from pipeline.errors import ModelError

torch = pytest.importorskip("torch")

from pipeline.model.session import choose_device  # noqa: E402


@pytest.mark.parametrize(
    ("capability", "precision", "warned"),
    [("AVX2", "bfloat16", True), ("AVX2", "float32", False), ("AVX512", "bfloat16", False)],
)
def test_bfloat16_without_instructions_for_it_is_warned_of(monkeypatch, caplog, capability, precision, warned) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    with caplog.at_level(logging.WARNING):
        assert choose_device(ModelSettings(device="cpu", precision=precision)).type == "cpu"
    assert ("many times slower" in caplog.text) == warned


def test_float16_on_a_cpu_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="float16 on a CPU"):
        choose_device(ModelSettings(precision="float16"))


def test_a_gpu_that_is_not_there_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="no GPU"):
        choose_device(ModelSettings(device="cuda"))
