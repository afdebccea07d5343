"""Ensemble: several models as one network that averages their probabilities, on windows that are read once.

An ensemble is a folder ``model/{ensemble}/`` beside those of its members. ``ensemble.json`` names them with the digests
of their cards and weights. As a network it gives logits whose probabilities are that mean, so it can replace a network
everywhere.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn
from torch.nn.functional import log_softmax, logsigmoid

from pipeline.config.manifest import Task
from pipeline.errors import ModelError
from pipeline.model.card import Card, read_card
from pipeline.model.checkpoint import load_model
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.documents import json_text, read_json
from pipeline.stores.flush import write_whole
from pipeline.stores.job import Job
from pipeline.stores.model_files import CARD, ENSEMBLE, WEIGHTS
from pipeline.stores.provenance import file_digest

__all__ = ["MeanNetwork", "load_networks", "members_of", "model_files", "write_ensemble"]


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Member(_Frozen):
    name: str
    fold: int
    card: str
    weights: str


class _Ensemble(_Frozen):
    schema_version: Literal[1] = 1
    name: str
    members: tuple[_Member, ...]
    weights: dict[str, tuple[float, ...]] = {}
    provenance: dict[str, Any]


class MeanNetwork(nn.Module):
    """Networks of one task as one network that averages their probabilities.

    Notes
    -----
    With log-probabilities ``l_i`` of n networks, ``logsumexp(l_i) − log n`` is the logarithm of their mean. This form
    does not saturate. Its softmax, or the sigmoid of its difference to that of the complement, is the mean. With shares
    ``s_i`` of a class, ``log s_i`` is added. Where the shares of a multiclass task differ between classes, background
    is the remainder of the class means; if nothing remains, the means are divided by their sum.
    """

    shares: Tensor

    def __init__(self, networks: Sequence[nn.Module], *, task: Task, shares: Sequence[Sequence[float]] = ()) -> None:
        """Take the networks as they are; each maps uint8 ``(n, 3, h, w)`` to logits.

        Parameters
        ----------
        networks
            The members.
        task
            Meaning of their logits.
        shares
            For each class the weight of each member, 0 or more; empty for equal weights.
        """
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.task, self.weighted = task, bool(shares)
        by_class = torch.tensor(shares or [[1.0] * len(networks)], dtype=torch.float32)
        self.register_buffer("shares", (by_class / by_class.sum(1, keepdim=True)).T[:, None, :, None, None])

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits ``(n, output, h, w)`` float32 of the mean probabilities."""
        logits = torch.stack([network(pixels).float() for network in self.networks])
        if self.task == "multiclass":
            return self._of_classes(log_softmax(logits, dim=2))
        return self._mean(logsigmoid(logits)) - self._mean(logsigmoid(-logits))

    def _mean(self, logarithms: Tensor) -> Tensor:
        return torch.logsumexp(logarithms + self.shares.log() if self.weighted else logarithms, dim=0)

    def _of_classes(self, logarithms: Tensor) -> Tensor:
        if not self.weighted:
            return torch.logsumexp(logarithms, dim=0)
        classes = self._mean(logarithms[:, :, 1:])
        left = 1 - classes.exp().sum(dim=1, keepdim=True)
        return torch.cat([left.clamp(min=torch.finfo(left.dtype).tiny).log(), classes], dim=1)


def _agreeing(cards: Sequence[Card], *, names: Sequence[str]) -> None:
    first = cards[0]
    for name, card in zip(names[1:], cards[1:], strict=True):
        for what in ("codes", "task", "channels", "normalisation", "stain_target"):
            if getattr(card, what) != getattr(first, what):
                raise ModelError(
                    "The members of an ensemble do not fit together.",
                    where=f"{what} of {name}",
                    found=getattr(card, what),
                    expected=f"{getattr(first, what)}, as {names[0]}",
                    remedy="Take members that were trained on the same normalised images.",
                )


def write_ensemble(
    members: Sequence[Path],
    *,
    name: str,
    job: Job,
    output: Path,
    weights: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Record of an ensemble, ``model/{ensemble}/ensemble.json``.

    Parameters
    ----------
    members
        Folders of trained models, beside the output.
    name
        Of the ensemble.
    job
        Facts of the data set, on which all members must agree; record of origin.
    output
        The folder.
    weights
        Class code → weight of each member, where weights are not equal.

    Raises
    ------
    ModelError
        Members of other classes, another task, or other normalisation.
    """
    record, cards = job.record, [read_card(folder) for folder in members]
    if cards[0].codes != record.codes or cards[0].task != record.task:
        raise ModelError(
            "The members of an ensemble know another data set.",
            where=members[0],
            found=cards[0].codes,
            expected=record.codes,
            remedy="Train them for this data set.",
        )
    _agreeing(cards, names=[folder.name for folder in members])
    found = tuple(
        _Member(
            name=folder.name,
            fold=card.settings.fold,
            card=file_digest(folder / CARD),
            weights=file_digest(folder / WEIGHTS),
        )
        for folder, card in zip(members, cards, strict=True)
    )
    shares = {code: tuple(each) for code, each in (weights or {}).items()}
    content = _Ensemble(name=name, members=found, weights=shares, provenance=job.provenance.as_attributes())
    with folder_in_progress(output, digest=job.provenance.digest) as folder:
        write_whole(folder / ENSEMBLE, [json_text(content.model_dump(mode="json")).encode()])


def _read(folder: Path) -> _Ensemble:
    try:
        return _Ensemble.model_validate_json(json.dumps(read_json(folder / ENSEMBLE)))
    except ValidationError as error:
        raise ModelError(
            "The record of the ensemble cannot be understood.",
            where=folder / ENSEMBLE,
            found=error.errors()[0]["msg"],
            expected="members with their digests",
            remedy="Delete the folder and run stage model again.",
        ) from error


def members_of(folder: Path) -> tuple[Path, ...]:
    """Folders of the members of an ensemble, or the folder itself where it is a single model."""
    if not (folder / ENSEMBLE).is_file():
        return (folder,)
    return tuple(folder.parent / each.name for each in _read(folder).members)


def model_files(folder: Path) -> dict[str, Path]:
    """Files that a model's maps depend on, by name: card and weights, or the ensemble record with their digests."""
    if (folder / ENSEMBLE).is_file():
        return {"model": folder / ENSEMBLE}
    return {"model": folder / CARD, "weights": folder / WEIGHTS}


def _unchanged(folder: Path) -> None:
    for each in _read(folder).members:
        place = folder.parent / each.name
        for path, digest in ((place / CARD, each.card), (place / WEIGHTS, each.weights)):
            if not path.is_file() or file_digest(path) != digest:
                raise ModelError(
                    "A member of the ensemble is another one now.",
                    where=path,
                    found="another file" if path.is_file() else "nothing",
                    expected=f"the file of digest {digest[:12]}",
                    remedy="Run stage model again, so that the ensemble is of its present members.",
                )


def load_networks(
    folder: Path, *, device: torch.device | str, codes: Sequence[str], channels: int, task: Task
) -> nn.Module:
    """Trained network, or ensemble as one network, ready for inference.

    Parameters
    ----------
    folder
        ``model/{model}/`` of a model or of an ensemble.
    device
        Where it shall run.
    codes, channels, task
        Those of the data set.

    Raises
    ------
    ModelError
        Files are missing or changed, or classes, channels, task or weights do not match.
    """
    if (folder / ENSEMBLE).is_file():
        _unchanged(folder)
    networks = [
        load_model(each, device=device, codes=codes, channels=channels, task=task)[0] for each in members_of(folder)
    ]
    if len(networks) == 1:
        return networks[0]
    weights = _read(folder).weights
    shares = [weights.get(code, (1.0,) * len(networks)) for code in codes] if weights else ()
    return MeanNetwork(networks, task=task, shares=shares).to(device).eval()
