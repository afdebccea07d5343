"""Training by several processes: each takes a part of every batch, and Lightning averages their gradients.

On GPUs each process has its own (NCCL); on a CPU they share it (gloo), which is meant for tests. Processes are started
anew, because Zarr's event loop does not survive a fork.
"""

import logging
import sys
from collections.abc import Callable
from logging.handlers import QueueHandler, QueueListener
from typing import Any, TypeVar

from torch.multiprocessing import get_context
from torch.multiprocessing.spawn import ProcessException, start_processes

from pipeline.errors import ModelError, PipelineError
from pipeline.model.operators import prepare_torchvision
from pipeline.model.order import Part

prepare_torchvision()  # Lightning imports it.
from lightning.fabric.plugins.environments.lightning import find_free_network_port  # noqa: E402
from lightning.pytorch.plugins.environments import LightningEnvironment  # noqa: E402

__all__ = ["SeveralProcesses", "train_together"]

Work = TypeVar("Work")


class SeveralProcesses(LightningEnvironment):
    """Already started processes of one host that connect on a port."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        self._part = part
        self.set_global_rank(part.rank)
        self.set_world_size(part.devices)

    @property
    def creates_processes_externally(self) -> bool:
        """External start of the processes: Lightning starts none."""
        return True

    @property
    def main_address(self) -> str:
        """Host of the first process."""
        return "127.0.0.1"

    @property
    def main_port(self) -> int:
        """Port of the first process."""
        return self._part.port

    def local_rank(self) -> int:
        """Number of the process, and of its GPU."""
        return self._part.rank

    def node_rank(self) -> int:
        """Number of the host."""
        return 0


def train_together(train: Callable[[Work, Part], None], work: Work, *, devices: int, name: str) -> None:
    """Training by several processes, which returns when all have ended.

    Parameters
    ----------
    train
        Function that trains the part of one process, at module level, so that processes can import it.
    work
        Its argument, which is pickled.
    devices
        Number of processes.
    name
        Of the model, for messages.

    Raises
    ------
    ModelError
        A process failed; the text holds its message, and the other processes are ended.
    """
    port, context = find_free_network_port(), get_context("spawn")
    log, failures = context.Queue(), context.SimpleQueue()
    listener = QueueListener(log, *logging.getLogger().handlers, respect_handler_level=True)
    listener.start()
    try:
        arguments = (devices, port, train, work, log, failures)
        start_processes(_run, arguments, nprocs=devices, start_method="spawn")  # type: ignore[no-untyped-call]
    except ProcessException as problem:
        if not failures.empty():
            raise ModelError(failures.get()) from None
        raise ModelError(
            "A process of the training failed.",
            where=f"model {name}",
            found=str(problem).strip().splitlines()[-1],
            expected=f"{devices} processes that end well",
            remedy="Look at the log; train with devices 1.",
        ) from problem
    finally:
        listener.stop()


def _run(rank: int, devices: int, port: int, train: Callable[[Work, Part], None], work: Work, *queues: Any) -> None:  # noqa: ANN401 of a context
    (log, failures), root = queues, logging.getLogger()
    if rank == 0:
        root.addHandler(QueueHandler(log))
        root.setLevel(logging.INFO)
    try:
        train(work, Part(rank, devices, port))
    except PipelineError as problem:
        failures.put(str(problem))
        sys.exit(1)
