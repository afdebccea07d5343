"""Hardest patches of a trained model: training and validation patches ranked by loss, and doubtful labels.

Each patch is evaluated once, with the box of the index and without augmentation. Its loss is the training loss of this
patch alone. A sampling draws small lesions many times, so of drawn patches whose centres lie in one cell of half a
patch only the first is evaluated. So the area of the images bounds the work, as for inference. Memory holds a row for
each patch and suspect, never the patches.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from pipeline.geometry import Box
from pipeline.model.card import Card
from pipeline.model.checkpoint import load_model
from pipeline.model.loss import WeightedLoss, build_loss
from pipeline.model.network import ScaledNetwork, probabilities
from pipeline.model.order import InOrder
from pipeline.model.patches import PatchDataset, loader
from pipeline.model.precision import computing_in, resolved_precision
from pipeline.model.rows import choose_rows
from pipeline.model.session import choose_device, session
from pipeline.model.suspects import Suspect, suspects_of
from pipeline.model.targets import IGNORE
from pipeline.stores import read_table, write_table
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.image_store import image_notes
from pipeline.stores.job import Job
from pipeline.stores.model_files import HARDEST

__all__ = ["COLUMNS", "distinct", "merge_hardest", "write_hardest"]

logger = logging.getLogger(__name__)

COLUMNS = {
    "kind": "category",
    "rank": "int32",
    "image_id": "category",
    "group_id": "category",
    "split": "category",
    "fold": "int8",
    "held_out": "bool",
    "model": "category",
    "patch_id": "str",
    "class_code": "category",
    **dict.fromkeys(("y", "x", "height", "width"), "int32"),
    **dict.fromkeys(("source_y", "source_x", "source_height", "source_width"), "float64"),
    "loss": "float32",
    "area": "int32",
    "surprise": "float32",
    "probability": "float32",
}
"""Columns and their types. `kind`: `patch`, ranked by `loss`; `unmarked` and `unseen`, ranked together by `surprise`,
see `pipeline.model.suspects`, with the class, the pixels and the mean probability. `held_out`: `model` was not trained
on it. Boxes in pixels of the normalised array, and from `source_y` on in pixels of the original image."""
KEPT = ["image_id", "group_id", "split", "fold", "held_out", "patch_id"]


def write_hardest(
    model: Path, *, index: Path, normalized: Mapping[str, Path], sure: float, job: Job, output: Path
) -> None:
    """Table ``hardest.parquet`` of a model, written, with a copy in its folder.

    Parameters
    ----------
    model
        ``model/{model}``.
    index
        Patch index that it was trained on.
    normalized
        Image id → store, of training and validation.
    sure
        Probability from which the network counts as sure.
    job
        Facts of the data set, record of origin.
    output
        The table.
    """
    network, card = load_model(model, device="cpu", codes=job.record.codes, task=job.record.task)
    device = choose_device(card.settings)
    chosen = choose_rows(read_table(index), fold=card.settings.fold)
    parts = [distinct(chosen.training).assign(held_out=False), distinct(chosen.validation).assign(held_out=True)]
    rows = pd.concat(parts, ignore_index=True).assign(model=card.model)
    logger.info("%d patches are seen of %d in the index", len(rows), len(chosen.training) + len(chosen.validation))
    dataset = PatchDataset(rows, normalized=normalized, record=job.record, side=card.patch)
    weights = tuple(card.class_weights.values()) or None
    loss = build_loss(card.settings.loss, task=job.record.task, weights=weights).to(device)
    with session(card.settings, seed=0):
        found = list(_judged(network.to(device), loss, dataset, card=card, rows=rows, sure=sure, device=device))
    _write(found, normalized=normalized, job=job, output=output, model=model)


def _judged(
    network: ScaledNetwork,
    loss: WeightedLoss,
    dataset: PatchDataset,
    *,
    card: Card,
    rows: pd.DataFrame,
    sure: float,
    device: torch.device,
) -> Iterator[dict[str, Any]]:
    """Rows of the table for each patch and its suspects, without positions in the original and ranks."""
    facts, codes, at = rows[[*KEPT, "model", "y", "x", "height", "width"]].to_dict("records"), card.codes, 0
    batches = InOrder(len(rows), size=card.settings.batch_size)
    for pixels, target, _, unknown in loader(dataset, batches=batches, readers=0):
        with torch.inference_mode():
            with _arithmetic(card, device):
                logits = network(pixels.to(device)).float()
            chances = probabilities(logits, card.task).cpu().numpy()
            losses = _losses(loss, logits, target.to(device), unknown.to(device))
        for value, p, wanted, never in zip(losses, chances, target.numpy(), unknown.numpy(), strict=True):
            own: dict[str, Any] = {str(key): each for key, each in facts[at].items()}
            yield own | {
                "kind": "patch",
                "class_code": "",
                "loss": value,
                "area": 0,
                "surprise": 0.0,
                "probability": 0.0,
            }
            truth, known = _truth(wanted, never, classes=len(codes))
            yield from (
                _suspect(own, each, code=codes[each.number]) for each in suspects_of(p, truth, known, sure=sure)
            )
            at += 1


def distinct(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of an index without repeated places.

    Parameters
    ----------
    rows
        Patches, in the order in which they were drawn.

    Returns
    -------
    DataFrame
        The first row of those whose centres lie in one cell of half a patch of an image.
    """
    cells = [(2 * rows[at] + rows[side]) // rows[side] for at, side in (("y", "height"), ("x", "width"))]
    places = pd.DataFrame({"image_id": rows["image_id"].astype(str), "row": cells[0], "column": cells[1]})
    return rows[~places.duplicated().to_numpy()]


def _arithmetic(card: Card, device: torch.device) -> AbstractContextManager[object]:
    """Precision of the training, unless this processor only emulates it."""
    trained = card.settings.precision
    wish: Literal["auto", "float32"] = "float32" if trained == "float32" else "auto"
    return computing_in(resolved_precision(wish, device=card.settings.device), device=device)


def _losses(loss: WeightedLoss, logits: torch.Tensor, target: torch.Tensor, unknown: torch.Tensor) -> list[float]:
    each = range(len(logits))
    return [float(loss(logits[at : at + 1], target[at : at + 1], unknown[at : at + 1])) for at in each]


def _truth(
    target: NDArray[np.uint8], unknown: NDArray[np.bool_], *, classes: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Truth and known pixels ``(class, h, w)`` of a target of labels or planes."""
    planes = np.stack([target == 1 + at for at in range(classes)]) if target.ndim == 2 else target == 1
    exists = np.broadcast_to(target != IGNORE, planes.shape)
    return planes, exists & ~unknown[:, None, None]


def _suspect(patch: Mapping[str, Any], found: Suspect, *, code: str) -> dict[str, Any]:
    box = found.box.shift(int(patch["y"]), int(patch["x"]))
    place = {"y": box.y0, "x": box.x0, "height": box.height, "width": box.width}
    measured = {"area": found.area, "surprise": found.surprise, "probability": found.probability}
    return {**patch, **place, **measured, "kind": found.kind, "class_code": code, "loss": found.surprise / found.area}


def _once(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Suspects without duplicates from neighbouring patches: of overlapping boxes the most surprising stays."""
    kept: dict[tuple[str, str, str], list[Box]] = {}
    once = []
    for each in found:
        box = Box(each["y"], each["x"], each["y"] + each["height"], each["x"] + each["width"])
        others = kept.setdefault((each["kind"], each["class_code"], each["image_id"]), [])
        if not any(box.intersect(other).area for other in others):
            others.append(box)
            once.append(each)
    return once


def _ranked(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Patches by loss, then suspects by surprise; ties in the order of image and place."""

    def key(name: str) -> Any:  # noqa: ANN401 a sort key
        return lambda each: (-each[name], each["image_id"], each["y"], each["x"], each["class_code"], each["patch_id"])

    patches = sorted((each for each in found if each["kind"] == "patch"), key=key("loss"))
    suspects = _once(sorted((each for each in found if each["kind"] != "patch"), key=key("surprise")))
    return [each | {"rank": at} for several in (patches, suspects) for at, each in enumerate(several, start=1)]


def _write(
    found: Sequence[dict[str, Any]], *, normalized: Mapping[str, Path], job: Job, output: Path, model: Path
) -> None:
    ranked = _ranked(found)
    frame = pd.DataFrame(ranked, columns=[name for name in COLUMNS if not name.startswith("source_")])
    mapping = {image: image_notes(normalized[image])["mapping"] for image in frame["image_id"].unique()}
    for axis, length in (("y", "height"), ("x", "width")):
        factor = frame["image_id"].map(lambda image, axis=axis: mapping[image][f"factor_{axis}"]).astype("float64")
        frame[f"source_{axis}"], frame[f"source_{length}"] = frame[axis] / factor, frame[length] / factor
    _save(frame, job=job, output=output, model=model)


def _save(frame: pd.DataFrame, *, job: Job, output: Path, model: Path) -> None:
    typed = frame[list(COLUMNS)].astype(COLUMNS).reset_index(drop=True)
    # The copy in the model's folder is no output of the rule. It must be on the disk before the output is, because once
    # the output exists nothing makes the copy anew.
    for path in (model / HARDEST, output):
        with file_in_progress(path) as partial:
            write_table(typed, partial, provenance=job.provenance.as_attributes())


def merge_hardest(members: Sequence[Path], *, job: Job, output: Path, model: Path) -> None:
    """Table ``hardest.parquet`` of an ensemble: the held-out rows of each member, ranked together.

    Parameters
    ----------
    members
        Tables of the members.
    job
        Record of origin.
    output
        The table.
    model
        Folder of the ensemble, for a copy.
    """
    tables = [read_table(path) for path in members]
    joined = pd.concat([table[table["held_out"]] for table in tables], ignore_index=True)
    found = joined.astype({name: "str" for name, kind in COLUMNS.items() if kind == "category"}).to_dict("records")
    frame = pd.DataFrame(
        _ranked([{str(key): value for key, value in each.items()} for each in found]), columns=list(COLUMNS)
    )
    _save(frame, job=job, output=output, model=model)
