"""Random streams addressed by a key, never by the order of use: the only source of randomness.

A stream belongs to its key (stage, image, class, …). So adding an image, or changing the number of workers or the order
of work, leaves every other stream unchanged.
"""

import hashlib
from typing import TypeAlias

import numpy as np

__all__ = ["Key", "derived_seed", "stream"]

Key: TypeAlias = str | int


def _spawn_key(key: tuple[Key, ...]) -> tuple[int, ...]:
    # A prefix separates text from numbers, and each part carries its length, so no two keys share a stream.
    parts = (f"{type(part).__name__}:{part}".encode() for part in key)
    digest = hashlib.sha256(b"".join(len(part).to_bytes(8, "little") + part for part in parts)).digest()
    return tuple(int.from_bytes(digest[at : at + 4], "little") for at in range(0, 32, 4))


def stream(seed: int, *key: Key) -> np.random.Generator:
    """Random generator that belongs to a key.

    Parameters
    ----------
    seed
        The seed of the run, at least 0.
    *key
        Names and numbers that address the stream, such as ``"index", "IDRiD_01", "MA"``.

    Returns
    -------
    Generator
        PCG64, the same for the same seed and key on every machine.

    Examples
    --------
    >>> bool(stream(0, "a", 1).integers(100) == stream(0, "a", 1).integers(100))
    True
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=_spawn_key(key))))


def derived_seed(seed: int, *key: Key) -> int:
    """Seed of 31 bits that belongs to a key, for libraries that take an integer instead of a generator."""
    return int(stream(seed, *key).integers(2**31))
