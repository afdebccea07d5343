"""Workers of a dask.distributed scheduler, which share the blocks of one image.

The workers see the results under the same paths, as on a cluster's shared disk. Each opens image, stores and network
once. Results in a lost worker's memory are computed again elsewhere; blocks in the store and its journal are not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any
from uuid import uuid4

from pipeline.errors import ConfigurationError, ModelError
from pipeline.probability.fusion.accumulate import Sums
from pipeline.probability.predictor import load_predictors, torch_threads
from pipeline.probability.sliding_window import SlidingWindow
from pipeline.probability.spec import PassSpec
from pipeline.probability.task_graph import blocks_graph
from pipeline.runtime.allocator import keep_freed
from pipeline.runtime.progress import WindowProgress
from pipeline.runtime.threads import let_waiting_threads_sleep

__all__ = ["run_on_cluster"]

PATIENCE_S = 60
"""Seconds to wait for a scheduler and its first worker."""

_opening = Lock()


class _Keyed:
    """Specification that is compared by its digest, so that a worker process opens it once."""

    def __init__(self, work: PassSpec) -> None:
        self.work = work
        self._key = (work.digest, str(work.normalized), *sorted(map(str, work.folders.values())))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=1)
def _opened_pass(keyed: _Keyed) -> SlidingWindow:
    keep_freed()
    let_waiting_threads_sleep()
    work = keyed.work
    return work.open(load_predictors(work.model, record=work.record, config=work.config))


def _here(work: PassSpec) -> SlidingWindow:
    with _opening:  # The threads of a worker share one network.
        return _opened_pass(_Keyed(work))


def _compute(work: PassSpec, number: int, _after: object) -> Sums:
    task = _here(work)
    with torch_threads(work.config.threads):
        return task.compute(work.plan.blocks[number])


def _finish(work: PassSpec, number: int, sums: Sums, _after: object) -> None:
    # Copies, because finishing adds to them, and a retiring worker hands its results on to be finished anew.
    _here(work).finish(work.plan.blocks[number], {name: each.copy() for name, each in sums.items()})


@contextmanager
def _client(address: str) -> Iterator[Any]:
    import distributed

    connect: Any = distributed.Client  # the package has no types
    try:
        client = connect(address, timeout=PATIENCE_S, set_as_default=False)
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except (OSError, TimeoutError) as error:
        raise ConfigurationError(
            "The Dask scheduler cannot be used.",
            where="probability.dask.scheduler",
            found=f"{address}: {error}",
            expected="a scheduler with at least one worker",
            remedy="Start dask scheduler and dask worker there, or set scheduler to threads.",
        ) from error
    with client, client.as_current():
        yield client


def _killed(image: str, found: str) -> ModelError:
    return ModelError(
        "Workers died on the same block again and again.",
        where=image,
        found=found,
        expected="workers that outlive their work",
        remedy="Give them more memory, or choose a smaller storage.shard or batch_size.",
    )


def run_on_cluster(work: PassSpec, *, progress: WindowProgress) -> None:
    """Evaluation of all unfinished blocks on the workers of ``work.config.dask.scheduler``.

    Raises
    ------
    ConfigurationError
        No scheduler, or no worker, at that address.
    ModelError
        The network gives NaN, infinity or another shape, or workers are killed repeatedly.
    """
    import distributed

    plain, name = work.open(()), uuid4().hex
    with _client(work.config.dask.scheduler) as client:
        threads = client.nthreads()
        # A task goes to a worker that holds its inputs, and the others wait a second until they may steal it. So each
        # worker has its own pass.
        copies = [f"{name}-pass-{number}" for number in range(len(threads))]
        graph, ends = blocks_graph(
            plain,
            compute=lambda number: (_compute, copies[number % len(copies)]),
            finish=lambda number: (_finish, copies[number % len(copies)]),
            in_flight=sum(threads.values()) + 1,  # For a worker that would wait for the halo of a slower neighbour.
            name=name,
        )
        tasks: dict[Any, Any] = {**dict.fromkeys(copies, work), **graph}
        futures = dict(zip(client.get(tasks, list(ends.values()), sync=False), ends, strict=True))
        try:
            finished: Any = distributed.as_completed
            for future in finished(futures):
                future.result()
                progress.add(len(plain.windows(futures[future])))
        except distributed.KilledWorker as error:
            raise _killed(plain.name, str(error)) from error
