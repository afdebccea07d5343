"""Light of stored samples: inversion, significant bits and transparency, the same for every container."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.raw.formats.source import Pixels, unusable

__all__ = ["AS_STORED", "EXTRA_SAMPLES", "Alpha", "Light", "Showing", "over_white", "scaled"]

Alpha: TypeAlias = Literal["none", "straight", "premultiplied"]
"""Last sample of a pixel: a colour, straight transparency, or premultiplied transparency."""
EXTRA_SAMPLES: dict[int, Alpha] = {1: "premultiplied", 2: "straight"}
"""Values of the TIFF tag ExtraSamples."""
ALL_BITS, FULL = 16, 65535


@dataclass(frozen=True, slots=True)
class Showing:
    """Facts of a data set that define the display of the stored samples of its images."""

    bits: int | None = None
    """Significant bits of samples stored in 16; by default all."""
    glass: bool = False
    """Whether transparent pixels are glass, which is white; else transparency is dropped."""

    @property
    def most(self) -> int:
        """Largest value of a 16-bit sample."""
        return (1 << (self.bits or ALL_BITS)) - 1


AS_STORED = Showing()


def scaled(values: NDArray[np.uint16], *, bits: int, path: Path) -> NDArray[np.uint16]:
    """16-bit samples of fewer significant bits, scaled to the full range: ``2**bits - 1`` becomes 65535, rounded.

    Raises
    ------
    ImageRejected
        A value needs more bits.
    """
    most, largest = 2**bits - 1, int(values.max(initial=0))
    if largest > most:
        raise unusable(path, f"16-bit values up to {largest}", expected=f"significant_bits {bits}: values up to {most}")
    return np.asarray((values.astype(np.uint32) * FULL + most // 2) // most, np.uint16)


def over_white(colours: Pixels, alpha: Pixels, *, premultiplied: bool = False) -> Pixels:
    """Colours ``(h, w, c)`` under their alpha ``(h, w, 1)``, laid over white and rounded."""
    white = int(np.iinfo(colours.dtype).max)
    if int(alpha.min(initial=white)) == white:
        return colours
    shares = alpha.astype(np.uint32)
    found = np.empty_like(colours)
    if premultiplied:
        found[...] = np.minimum(colours + (white - shares), white)
    else:
        found[...] = (colours * shares + white * (white - shares) + white // 2) // white
    return found


@dataclass(frozen=True, slots=True)
class Light:
    """Function from stored samples ``(h, w, s)`` to grey ``(h, w, 1)`` or RGB ``(h, w, 3)``, with 0 as black."""

    path: Path
    """The file, for messages."""
    showing: Showing = AS_STORED
    alpha: Alpha = "none"
    inverted: bool = False
    """Whether 0 is stored for white."""

    @property
    def white(self) -> int:
        """Stored 16-bit value of white."""
        return 0 if self.inverted else self.showing.most

    def __call__(self, samples: NDArray[Any]) -> Pixels:
        """Grey or RGB pixels of 8 or 16 bit.

        Raises
        ------
        ImageRejected
            Values of more bits than the data set has.
        """
        if samples.dtype == np.bool_:
            samples = samples.astype(np.uint8) * np.uint8(255)
        if samples.dtype == np.uint16 and self.showing.bits not in (None, ALL_BITS):
            samples = scaled(samples, bits=self.showing.bits or ALL_BITS, path=self.path)
        colours = samples[:, :, :1] if samples.shape[2] < 3 else samples[:, :, :3]
        if self.inverted:
            colours = np.iinfo(samples.dtype).max - colours
        if self.alpha == "none" or not self.showing.glass:
            return colours
        return over_white(colours, samples[:, :, -1:], premultiplied=self.alpha == "premultiplied")
