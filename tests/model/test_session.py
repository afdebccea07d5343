"""A precision that the machine cannot compute, or only very slowly, is said before hours are lost."""

import logging

import pytest

from pipeline.config import ModelSettings
from pipeline.errors import ModelError

torch = pytest.importorskip("torch")

from pipeline.model.precision import resolved_precision  # noqa: E402
from pipeline.model.session import choose_device  # noqa: E402


def processor(monkeypatch, *, avx512: bool = False, amx: bool = False) -> None:
    """A processor with these instructions for bfloat16, and no GPU."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(("avx512", "amx"), [(True, False), (False, True), (False, False)])
def test_auto_is_bfloat16_on_a_processor_with_instructions_for_it_alone(monkeypatch, avx512, amx) -> None:
    processor(monkeypatch, avx512=avx512, amx=amx)
    for device in ("auto", "cpu"):
        assert resolved_precision("auto", device=device) == ("bfloat16" if avx512 or amx else "float32")
    assert resolved_precision("float32", device="auto") == "float32"


@pytest.mark.parametrize("native", [True, False])
def test_auto_is_a_half_precision_that_the_gpu_computes(monkeypatch, native) -> None:
    processor(monkeypatch)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert resolved_precision("auto", device="auto") == ("bfloat16" if native else "float16")
    assert resolved_precision("auto", device="cpu") == "float32"


@pytest.mark.parametrize(
    ("native", "precision", "warned"), [(False, "bfloat16", True), (False, "float32", False), (True, "bfloat16", False)]
)
def test_bfloat16_without_instructions_for_it_is_warned_of(monkeypatch, caplog, native, precision, warned) -> None:
    processor(monkeypatch, amx=native)
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


def test_more_processes_than_gpus_are_refused_on_gpus_alone(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ModelError, match="too few GPUs"):
        choose_device(ModelSettings(devices=2))
    assert choose_device(ModelSettings(devices=2, device="cpu")).type == "cpu"
