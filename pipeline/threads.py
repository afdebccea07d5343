"""How do threads that wait leave the cores to others? They sleep, where OpenMP would let them spin.

Torch cuts each operator of a network into parts for its threads, hundreds of times a window. A thread that waits for
the others spins. Where something else works on the same cores, the part that is waited for is not being computed then,
because the core is spent on the waiting: with one other busy process on two cores, U-Net with EfficientNet-B0 took 3.0 s
for four patches of 128 x 128 pixels, and takes 0.18 s with threads that sleep.
"""

import os
import sys

__all__ = ["let_waiting_threads_sleep"]


def let_waiting_threads_sleep() -> None:
    """Ask OpenMP for it; to be called before torch is imported, because OpenMP asks only once. Changes no value.

    A policy that the user set in the environment is kept.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # noqa: TID251 OpenMP can be told in no other way
