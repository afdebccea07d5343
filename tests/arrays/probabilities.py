"""Probabilities with truth, and the Dice of a threshold computed pixel by pixel, for tests."""

import math

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.seeds import stream

__all__ = ["Mask", "Probability", "eager_dice", "sample", "samples"]

Probability = NDArray[np.float16]
Mask = NDArray[np.bool_]


def sample(size: int, *, levels: int, share: float, seed: int) -> tuple[Probability, Mask]:
    """Probabilities with ties that say something about the truth, and the truth."""
    rng = stream(seed, "metrics")
    truth = rng.random(size) < share
    value = np.clip(rng.normal(0.35 + 0.3 * truth, 0.25), 0, 1)
    return (np.round(value * levels) / levels).astype(np.float16), truth


samples = st.builds(
    sample, st.integers(1, 200), levels=st.integers(1, 60), share=st.floats(0, 1), seed=st.integers(0, 2**16)
)


def eager_dice(probability: Probability, truth: Mask, threshold: float) -> float:
    """Dice of the pixels of at least that probability, from the masks themselves."""
    prediction = probability.astype(np.float64) >= threshold
    whole = prediction.sum() + truth.sum()
    return 2 * (prediction & truth).sum() / whole if whole else math.nan
