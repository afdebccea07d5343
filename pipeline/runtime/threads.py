"""Thread workers: an ordered map over items with Dask's threads, and OpenMP threads of torch that sleep while waiting.

Torch splits each operator of a network among its threads, hundreds of times per window. A thread that waits for the
others spins. If another program uses the same cores, the spinning takes the core that the awaited part needs: two
simultaneous trainings of U-Net with EfficientNet-B0 on two cores did less in 100 s than one does in 20 s. If threads
sleep at once, a single training on small patches takes up to half as long again, because waking takes time. If they
spin briefly first, it takes about an eighth longer, and two at once take twice as long as one.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["each", "let_waiting_threads_sleep"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


SPINS = 3000
"""Spins before sleep, a hundredth of libgomp's default. 1000 slows a single training, 10 000 slows two simultaneous
ones."""


def each(work: Callable[[Item], Answer], items: Iterable[Item], *, workers: int) -> list[Answer]:
    """Call a function for each item, ``workers`` at a time; results keep the order of the items.

    Parameters
    ----------
    work
        A function that depends only on its item.
    items
        Items.
    workers
        Threads; 1 uses the calling thread.
    """
    if workers == 1:
        return [work(item) for item in items]
    import dask  # The import takes a tenth of a second, which every job would pay.
    from dask.delayed import delayed

    tasks = [delayed(work, pure=False, traverse=False)(item) for item in items]
    return list(dask.compute(*tasks, scheduler="threads", num_workers=workers))


def let_waiting_threads_sleep() -> None:
    """Set OpenMP's wait policy; call it before torch is imported, because OpenMP reads it only once. Changes no value.

    A policy set by the user in the environment is kept.
    """
    if "torch" not in sys.modules and "OMP_WAIT_POLICY" not in os.environ:  # noqa: TID251 OpenMP can be told in no other way
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # noqa: TID251
        os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))  # noqa: TID251 of libgomp alone, where it comes first
