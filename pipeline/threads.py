"""How do threads that wait leave the cores to others? They sleep soon, where OpenMP would let them spin on.

Torch cuts each operator of a network into parts for its threads, hundreds of times a window. A thread that waits for
the others spins. Where something else works on the same cores, the part that is waited for is not being computed then,
because the core is spent on the waiting: two trainings of U-Net with EfficientNet-B0 at once on two cores did not do in
100 s what one does in 20 s. With threads that sleep at once, one alone takes up to half as long again for small patches,
because waking takes time too. With some spins before, it takes about an eighth more, and two at once take twice as long as one.
"""

import os
import sys

__all__ = ["let_waiting_threads_sleep"]


SPINS = 3000
"""A hundredth of what libgomp does unasked; of 1000, 3000 and 10 000, the first costs one alone more, and the last two at once."""


def let_waiting_threads_sleep() -> None:
    """Ask OpenMP for it; to be called before torch is imported, because OpenMP asks only once. Changes no value.

    A policy that the user set in the environment is kept.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:  # noqa: TID251 OpenMP can be told in no other way
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # noqa: TID251
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))  # noqa: TID251 of libgomp alone, where it comes first
