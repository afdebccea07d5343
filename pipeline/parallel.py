"""How are many like things worked on, some at a time? Dask's threads run them; the answers come in order."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import dask
from dask.delayed import delayed

__all__ = ["each"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


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
    tasks = [delayed(work, pure=False, traverse=False)(item) for item in items]
    return list(dask.compute(*tasks, scheduler="threads", num_workers=workers))
