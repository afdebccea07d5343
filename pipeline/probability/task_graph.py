"""Task graph of the blocks of an image for Dask, and its evaluation on threads.

A block may start only when the block ``in_flight`` places before it is finished, so at most ``in_flight`` blocks are in
memory. Blocks run in row-major order and receive halos only from earlier ones, so there is no deadlock.
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
"""Maps the number of a block to a function and its first arguments."""


def windows_done(task: SlidingWindow) -> int:
    """Number of windows that an earlier job evaluated and that are not evaluated again."""
    return sum(
        len(task.windows(block)) for block in task.plan.blocks if task.is_done(block) and not task.lacks_halo(block)
    )


def run_on_threads(task: SlidingWindow, *, workers: int) -> None:
    """Evaluation of all unfinished blocks on ``workers`` threads, whose number does not change the result.

    Parameters
    ----------
    task
        The pass. Blocks that a killed job left in its journals are not repeated.
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
    if workers == 1:  # In the thread that set torch's threads: elsewhere a network took 5 % longer.
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

    Dask keeps a result until every task that depends on it has run. Receivers of a halo therefore depend on ``sent``,
    which stands for the block without its sums, and only ``finish`` takes the sums. The graph is one plain mapping:
    with one object per task each would hold all earlier ones, a million for a slide of a thousand blocks.

    Parameters
    ----------
    task
        The pass.
    compute
        Maps the number of a block to a function and its first arguments; the number and the tasks to wait for follow.
        The function returns sums.
    finish
        The same for a function that also takes the sums after the number, and returns None.
    in_flight
        Blocks in memory at a time.
    name
        Name prefix of the tasks, by which a scheduler distinguishes several graphs.
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
