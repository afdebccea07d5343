"""Task graph of the blocks of an image for Dask, and its evaluation on threads.

A block may start only when the one ``in_flight`` places before it is finished, so at most so many of them are in memory.
The order of the blocks is row-major, and a block receives halos from earlier ones only: nothing waits in a circle.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

import dask
import dask.threaded

from pipeline.probability.fusion.accumulate import Sums
from pipeline.probability.fusion.halo import received_halos
from pipeline.probability.plan import Block
from pipeline.probability.sliding_window import SlidingWindow

__all__ = ["Key", "blocks_graph", "run_on_threads", "windows_done"]

Key: TypeAlias = tuple[str, int]
"""Name of a task of a graph."""
Call: TypeAlias = Callable[[int], tuple[Any, ...]]
"""Gives for the number of a block a function and its first arguments."""


def windows_done(task: SlidingWindow) -> int:
    """Number of windows that an earlier job evaluated and that need not be evaluated again."""
    return sum(
        len(task.windows(block)) for block in task.plan.blocks if task.is_done(block) and not task.lacks_halo(block)
    )


def run_on_threads(task: SlidingWindow, *, workers: int) -> None:
    """Evaluation of all unfinished blocks on ``workers`` threads; the result is the same for every number of them.

    Parameters
    ----------
    task
        The pass. What its journals hold from a job that was killed is not done again.
    workers
        Threads, and blocks in memory at a time.

    Raises
    ------
    ModelError
        For a network that gives NaN, infinity, or another shape.
    """
    blocks = task.plan.blocks

    def compute(number: int, _after: object) -> Sums:
        return task.compute(blocks[number])

    def finish(number: int, sums: Sums, _after: object) -> None:
        task.finish(blocks[number], sums)

    graph, ends = blocks_graph(task, compute=lambda _: (compute,), finish=lambda _: (finish,), in_flight=workers)
    if workers == 1:  # here, where torch's threads are: called from another thread, a network took a twentieth longer
        dask.get(graph, list(ends.values()))
        return
    with ThreadPoolExecutor(workers) as pool:
        dask.threaded.get(graph, list(ends.values()), pool=pool)


def _stands_for(_sums: Sums) -> None:
    pass


def blocks_graph(
    task: SlidingWindow, *, compute: Call, finish: Call, in_flight: int, name: str = "block"
) -> tuple[dict[Key, Any], dict[Block, Key]]:
    """Dask graph of all unfinished blocks, and the task that ends each of them, in row-major order.

    Dask keeps a result until all that depend on it have run. The receivers of a halo therefore depend on ``sent``,
    which stands for the block without its sums, and the sums go to ``finish`` alone. The graph is one plain mapping:
    with an object for each task, each would hold all before it, and a slide of a thousand blocks a million of them.

    Parameters
    ----------
    task
        The pass.
    compute
        Gives for the number of a block a function, and what it is given before that number and what must be over →
        sums.
    finish
        The same, for one that is given the number, the sums, and what must be over → None.
    in_flight
        Blocks in memory at a time.
    name
        Of the tasks; a scheduler that runs several graphs tells them apart by it.
    """
    graph: dict[Key, Any] = {}
    ends: dict[Block, Key] = {}
    earlier: list[Key] = []
    for number, block in enumerate(task.plan.blocks):
        done = task.is_done(block)
        if done and not task.lacks_halo(block):
            continue
        sums, sent, end = (f"{name}-compute", number), (f"{name}-sent", number), (f"{name}-finish", number)
        graph[sums] = (*compute(number), number, earlier[-in_flight] if len(earlier) >= in_flight else None)
        graph[sent] = (_stands_for, sums)
        if not done:
            sources = [
                task.plan.number(source) for _, source in received_halos(task.plan, block, evaluated=task.evaluated)
            ]
            before = [(f"{name}-sent", each) for each in (number, *sources) if (f"{name}-sent", each) in graph]
            graph[end] = (*finish(number), number, sums, before)
        ends[block] = sent if done else end
        earlier.append(ends[block])
    return graph, ends
