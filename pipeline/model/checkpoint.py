"""Checkpoint of a trained model, loaded: the network that ``card.json`` describes with the state in ``weights.pt``."""

from collections.abc import Sequence
from pathlib import Path

import torch

from pipeline.config.manifest import Task
from pipeline.errors import ModelError
from pipeline.model.card import Card, read_card
from pipeline.model.network import ScaledNetwork, build_network
from pipeline.model.state_file import MOST, load_state, size_of_state
from pipeline.stores.model_files import CARD, WEIGHTS

__all__ = ["load_model"]

HARMLESS = 2**30
"""Bytes up to which a network is built whatever the size of its weights; loading these then names the fault."""


def load_model(
    folder: Path,
    *,
    device: torch.device | str,
    codes: Sequence[str] | None = None,
    channels: int | None = None,
    task: Task | None = None,
) -> tuple[ScaledNetwork, Card]:
    """Trained network with its card, ready for inference.

    Parameters
    ----------
    folder
        ``model/{model}/``.
    device
        Device that it runs on.
    codes
        Class codes that the caller expects, in order; not checked where not given.
    channels
        Channels of the images; not checked where not given.
    task
        Task of the data set; not checked where not given.

    Returns
    -------
    tuple
        The network in evaluation mode, uint8 ``(n, 3, h, w)`` in and logits out, and its card.

    Raises
    ------
    ModelError
        Files are missing, or classes, channels, task or weights do not match.
    """
    card = read_card(folder)
    _expect(folder, "classes", found=card.codes, expected=None if codes is None else tuple(codes))
    _expect(folder, "channels", found=card.channels, expected=channels)
    _expect(folder, "tasks", found=card.task, expected=task)
    _refuse_larger(folder, card)
    network = build_network(card.network_settings, classes=len(card.classes), task=card.task)
    digest = card.files.get(WEIGHTS, "unknown")
    load_state(
        network,
        folder / WEIGHTS,
        digest=digest,
        expected=f"the state of the network that {CARD} describes, of digest {digest}",
        remedy=f"Delete {folder} and run again: it is made anew. A copied folder is to be copied again.",
    )
    return network.to(device).eval(), card


def _refuse_larger(folder: Path, card: Card) -> None:
    """Refusal of a network far larger than its weights file, before its memory is allocated."""
    try:
        with torch.device("meta"):
            need = size_of_state(build_network(card.network_settings, classes=len(card.classes), task=card.task))
        size = (folder / WEIGHTS).stat().st_size
    except (ModelError, OSError):  # Reported where it is built or where the weights are read.
        return
    if need > max(MOST * size, HARMLESS):
        raise ModelError(
            "The card of the model names a far larger network than its weights.",
            where=folder / CARD,
            found=f"{card.settings.network} on {card.settings.encoder}: {need} bytes; {WEIGHTS} has {size}",
            expected=f"the network that {WEIGHTS} belongs to",
            remedy=f"Delete {folder} and run again: it is made anew. A copied folder is to be copied again.",
        )


def _expect(folder: Path, what: str, *, found: object, expected: object) -> None:
    if expected is not None and found != expected:
        raise ModelError(
            f"The model knows other {what}.",
            where=folder,
            found=found,
            expected=expected,
            remedy="Use a model that was trained for this data set, or train one.",
        )
