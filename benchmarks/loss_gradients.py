"""Gradients of losses at the logits: how much of a training step each class moves, before training and after it.

``python -m benchmarks.loss_gradients results/idrid fine`` with the model of a finished run. It prints a table for
``benchmarks/loss_gradients.md``.
"""

import argparse
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from pipeline.config import LossTerm, ModelSettings
from pipeline.config.manifest import load_manifest
from pipeline.model.checkpoint import load_model
from pipeline.model.loss import build_loss
from pipeline.model.network import ScaledNetwork, build_network
from pipeline.model.patches import PatchDataset
from pipeline.seeds import stream

MANIFEST = Path(__file__).parents[1] / "datasets_manifest.yaml"
LOSSES = {
    "Dice": [LossTerm(name="dice")],
    "cross-entropy": [LossTerm(name="cross_entropy")],
    "focal": [LossTerm(name="focal")],
    "Dice + focal (default)": [LossTerm(name="dice"), LossTerm(name="focal")],
    "0.6 focal + 0.4 Dice": [LossTerm(name="focal", weight=0.6), LossTerm(name="dice", weight=0.4)],
    "Dice + cross-entropy": [LossTerm(name="dice"), LossTerm(name="cross_entropy")],
    "3 Dice + cross-entropy": [LossTerm(name="dice", weight=3.0), LossTerm(name="cross_entropy")],
}
BATCH, BATCHES = 4, 12


def batches(rows: pd.DataFrame, dataset: PatchDataset) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixels and labels of random batches."""
    for drawn in stream(0, "benchmark", "gradients").choice(len(rows), size=(BATCHES, BATCH), replace=False):
        pixels, target = zip(*(dataset[0, int(row), 0][:2] for row in drawn), strict=True)
        yield torch.from_numpy(np.stack(pixels)), torch.from_numpy(np.stack(target))


def answered(network: ScaledNetwork, found: list[tuple[Tensor, Tensor]]) -> list[tuple[Tensor, Tensor]]:
    """Logits and labels of each batch."""
    with torch.no_grad():
        return [(network(pixels).float(), target) for pixels, target in found]


def shares(answers: list[tuple[Tensor, Tensor]], terms: list[LossTerm]) -> np.ndarray:
    """L1 norm of the gradient at the logits per truth of the pixel, background first, as shares; and the whole norm.

    Returns
    -------
    array
        ``(outputs + 1,)``: shares of the pixels of each label, then the mean norm of a batch.
    """
    loss, total = build_loss(terms, task="multiclass"), np.zeros(0)
    for answer, target in answers:
        logits = answer.clone().requires_grad_()
        loss(logits, target).backward()
        assert logits.grad is not None
        size = logits.grad.abs().sum(dim=1)
        sums = [float(size[target == label].sum()) for label in range(logits.shape[1])]
        total = np.array(sums) + (total if total.size else 0)
    return np.append(total / total.sum(), total.sum() / len(answers))


def main() -> None:
    """Print a table for an untrained and a trained network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="folder of a data set's results")
    parser.add_argument("model", help="name of a trained model")
    arguments = parser.parse_args()
    trained, card = load_model(arguments.results / "model" / arguments.model, device="cpu")
    record = load_manifest(MANIFEST).datasets[arguments.results.name]
    rows = pd.read_parquet(arguments.results / "index" / f"{card.settings.sampling}.parquet")
    rows = rows[(rows["split"] == "train") & ~rows["coverage"]].reset_index(drop=True)
    normalized = {path.stem: path for path in (arguments.results / "normalized").glob("*.zarr")}
    side = int(rows["height"].max())
    found = list(batches(rows, PatchDataset(rows, normalized=normalized, record=record, side=side)))
    torch.manual_seed(0)
    fresh = build_network(ModelSettings(), classes=len(record.codes), task=record.task).eval()
    pixels = np.bincount(torch.cat([target.flatten() for _, target in found]), minlength=len(record.codes) + 1)[
        : len(record.codes) + 1
    ]
    print(f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {BATCHES} batches of {BATCH} patches of {side}²\n")
    print(f"| network | loss | {' | '.join(('background', *record.codes))} | norm of a batch |")
    print(f"|---|---|{'---|' * (len(record.codes) + 2)}")
    print(f"| | share of the pixels | {' | '.join(f'{each:.3%}' for each in pixels / pixels.sum())} | |")
    for name, network in (("untrained", fresh), ("trained", trained)):
        answers = answered(network, found)
        for loss, terms in LOSSES.items():
            *parts, norm = shares(answers, terms)
            print(f"| {name} | {loss} | {' | '.join(f'{each:.1%}' for each in parts)} | {norm:.3f} |", flush=True)


if __name__ == "__main__":
    main()
