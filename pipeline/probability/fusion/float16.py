"""How are rows of float32 rounded to float16 inside a compiled loop? By the processor, where it has an instruction for it.

NumPy's own conversion does one value at a time. Numba has no float16 on processors, so what LLVM offers is asked for here.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.registry import cpu_target
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["HAS_INSTRUCTION", "round_row", "round_row_by_bits", "round_row_by_instruction"]

Floats = NDArray[np.float32]
Bits = NDArray[np.uint16]

HAS_INSTRUCTION = "+f16c" in cpu_target.target_context.codegen().magic_tuple()[2].split(",")
"""Whether the processor that numba compiles for rounds to float16 itself; without, LLVM calls what is not there."""


@intrinsic  # type: ignore[untyped-decorator]
def _half_bits(_context: Any, _value: Any) -> tuple[Any, Any]:  # noqa: ANN401 types of the compiler
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.bitcast(builder.fptrunc(arguments[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(types.float32), generate


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def round_row_by_instruction(row: Floats, codes: Bits) -> None:
    """Bits of float16 that are nearest, ties to even; for any values. Needs ``HAS_INSTRUCTION``."""
    for x in range(row.size):
        codes[x] = _half_bits(row[x])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def round_row_by_bits(row: Floats, codes: Bits) -> None:
    """The same for values from 0 to 2, on any processor, with integers."""
    # By adding to the bits where float16 is normal. Below that in steps of 2^-24, which is the distance of float32
    # numbers from 0.5 to 1: adding 0.5 rounds to them. Every sum is cut to 32 bits, because numba would widen it to 64
    # and half as many fit a vector.
    raised = row + np.float32(0.5)
    bits, steps = row.view(np.uint32), raised.view(np.uint32)
    for x in range(row.size):
        b = bits[x]
        odd = np.uint32(np.uint32(b >> np.uint32(13)) & np.uint32(1))
        rounded = np.uint32(np.uint32(np.uint32(b + np.uint32(0xFFF)) + odd) - np.uint32(112 << 23))
        subnormal = np.uint32(steps[x] - np.uint32(126 << 23))
        codes[x] = np.uint16(np.uint32(rounded >> np.uint32(13)) if b >= np.uint32(113 << 23) else subnormal)


round_row = round_row_by_instruction if HAS_INSTRUCTION else round_row_by_bits
"""The one to use here; for values from 0 to 2."""
