"""Precision of a network's arithmetic: the meaning of ``auto`` on this machine.

Mixed precision in bfloat16 pays on processors with instructions for it (AVX512_BF16 or AMX) and in the channels-last
layout: U-Net with EfficientNet-Lite0 at 512² took 0.41 of the processor time of float32 with AMX. Elsewhere operators
are emulated, 13 to 120 times slower. So the choice depends on the processor and is recorded.

The gradient of depthwise convolutions is an exception: oneDNN computes it four to eight times slower in bfloat16 than in
float32, and with EfficientNet it was half of a training step.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["Precision", "computes_bfloat16", "computing_in", "depthwise_in_float32", "resolved_precision"]

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]
"""float32, or the type that autocast computes in."""


def computes_bfloat16() -> bool:
    """Support of this processor for bfloat16 by own instructions, not emulation."""
    cpu = torch.cpu
    return bool(cpu._is_avx512_bf16_supported() or cpu._is_amx_tile_supported())


def resolved_precision(wish: Literal["auto"] | Precision, *, device: Literal["auto", "cpu", "cuda"]) -> Precision:
    """Precision behind the configured one on this machine: itself, or for ``auto`` one that the device computes fast.

    Parameters
    ----------
    wish
        Configured precision.
    device
        Configured device; ``auto`` is a GPU where there is one.

    Returns
    -------
    str
        For ``auto`` on a GPU bfloat16, or float16 if it emulates bfloat16; on a CPU bfloat16 if it has instructions for
        it, else float32.
    """
    if wish != "auto":
        return wish
    if device != "cpu" and torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    return "bfloat16" if computes_bfloat16() else "float32"


def computing_in(precision: str, *, device: torch.device) -> AbstractContextManager[object]:
    """Context in which operators compute in a precision: autocast, or no context for float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=getattr(torch, precision))


def depthwise_in_float32(network: nn.Module) -> int:
    """Depthwise convolutions of a network, set to compute in float32 on a CPU; returns their number.

    Parameters
    ----------
    network
        Changed in place; names and values of its weights stay, and types of input and output too.
    """
    found = [each for each in network.modules() if isinstance(each, nn.Conv2d) and each.groups == each.in_channels > 1]
    for each in found:
        each.forward = partial(_float32_forward, each)  # type: ignore[method-assign]
    return len(found)


def _float32_forward(convolution: nn.Conv2d, features: Tensor) -> Tensor:
    with torch.autocast(features.device.type, enabled=False):
        return type(convolution).forward(convolution, features.float()).to(features.dtype)
