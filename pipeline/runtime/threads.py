"""Thread workers: an ordered map over items by Dask's threads, and OpenMP threads of torch that sleep while they wait.

Torch cuts each operator of a network into parts for its threads, hundreds of times a window. A thread that waits for
the others spins. Where something else works on the same cores, the part that is waited for is not being computed then,
because the core is spent on the waiting: two trainings of U-Net with EfficientNet-B0 at once on two cores did not do in
100 s what one does in 20 s. With threads that sleep at once, one alone takes up to half as long again for small
patches, because waking takes time too. With some spins before, it takes about an eighth more, and two at once take
twice as long as one.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["each", "let_waiting_threads_sleep"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


SPINS = 3000
"""A hundredth of what libgomp does unasked; of 1000, 3000 and 10 000, the first costs one alone more, and the last two at once."""


def each(work: Callable[[Item], Answer], items: Iterable[Item], *, workers: int) -> list[Answer]:
    """Call a function for each item, ``workers`` at a time; the answers come in the order of the items.

    Parameters
    ----------
    work
        A function of one item that depends on nothing else.
    items
        What it is called for.
    workers
        Threads; 1 works in this one.
    """
    if workers == 1:
        return [work(item) for item in items]
    import dask  # a tenth of a second, which every job would pay
    from dask.delayed import delayed

    tasks = [delayed(work, pure=False, traverse=False)(item) for item in items]
    return list(dask.compute(*tasks, scheduler="threads", num_workers=workers))


def let_waiting_threads_sleep() -> None:
    """Ask OpenMP for it; to be called before torch is imported, because OpenMP asks only once. Changes no value.

    A policy that the user set in the environment is kept.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:  # noqa: TID251 OpenMP can be told in no other way
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # noqa: TID251
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))  # noqa: TID251 of libgomp alone, where it comes first
