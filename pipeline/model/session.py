"""Settings of torch while a model trains: device, threads, deterministic operators, random generator.

They come from the configuration alone and are restored afterwards. The number of torch threads changes the last digits
of a step, so it is a parameter of the model, never of the scheduler or the machine.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from pipeline.config import ModelSettings
from pipeline.errors import ModelError
from pipeline.model.precision import computes_bfloat16
from pipeline.model.refusals import refuse_float16

__all__ = ["choose_device", "session"]

logger = logging.getLogger(__name__)

LOUD = ("lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero")
"""Loggers that print advertisements and the configuration on the terminal."""

HARMLESS = (
    r".*isinstance\(treespec, LeafSpec\).*",  # lightning against a newer torch
    r".*does not have many workers.*",  # readers = 0 is a choice: the network keeps the cores busy
    r".*[Cc]onsider increasing the value of the `num_workers`.*",
    r".*have no `val_dataloader`.*",  # no validation patches: said once, in our own words
    r".*module\(s\) in eval mode at the start of training.*",  # batch_statistics: frozen is a choice
    r".*GPU available but not used.*",  # device: cpu is a choice
    r".*does not have a deterministic implementation.*",  # on a GPU; on a CPU all operators have one
    r".*Deterministic behavior was enabled with either.*",
)


def choose_device(settings: ModelSettings) -> torch.device:
    """Device that the configuration means.

    Raises
    ------
    ModelError
        ``cuda`` without a GPU, or float16 on a CPU.
    """
    gpu = torch.cuda.is_available()
    if settings.device == "cuda" and not gpu:
        raise ModelError(
            "There is no GPU.",
            where="model.models.*.device",
            found="cuda, and torch sees no CUDA device",
            expected="a GPU and a torch built for it",
            remedy="Set device to auto or cpu.",
        )
    if gpu and settings.device != "cpu" and torch.cuda.device_count() < settings.devices:
        raise ModelError(
            "There are too few GPUs.",
            where="model.models.*.devices",
            found=f"{settings.devices} devices, and torch sees {torch.cuda.device_count()}",
            expected="a GPU for each process",
            remedy="Set devices lower, or device to cpu.",
        )
    device = torch.device("cuda" if gpu and settings.device != "cpu" else "cpu")
    if device.type == "cpu":
        refuse_float16(settings)
    if device.type == "cpu" and settings.precision == "bfloat16" and not computes_bfloat16():
        logger.warning("this CPU computes bfloat16 many times slower than float32: set precision to auto or float32")
    return device


@contextmanager
def session(settings: ModelSettings, *, seed: int) -> Iterator[None]:
    """Context with torch's threads, deterministic operators and global generator for one training.

    Parameters
    ----------
    settings
        Gives the threads.
    seed
        Seed of the global generator, which determines the initial weights.
    """
    deterministic: Any = torch.utils.deterministic  # Its attribute is hidden from type checkers.
    threads, loud = torch.get_num_threads(), {name: logging.getLogger(name).level for name in LOUD}
    exact, filled = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    deterministic.fill_uninitialized_memory = False  # It only costs time: nothing reads such memory.
    for name in LOUD:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with torch.random.fork_rng(), warnings.catch_warnings():
            for message in HARMLESS:
                warnings.filterwarnings("ignore", message=message)
            torch.manual_seed(seed)
            yield
    finally:
        for name, level in loud.items():
            logging.getLogger(name).setLevel(level)
        deterministic.fill_uninitialized_memory = filled
        torch.use_deterministic_algorithms(exact)
        torch.set_num_threads(threads)
