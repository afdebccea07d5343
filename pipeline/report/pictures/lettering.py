"""Text on pictures, in the font that Matplotlib ships, so that it looks the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.report.pictures.overlays import RGB, Picture

__all__ = ["Label", "lettered", "text_width"]


@dataclass(frozen=True, slots=True)
class Label:
    """Line of text."""

    text: str
    y: int
    x: int
    """Top-left corner."""
    size: int
    """Height of the font in pixels."""
    colour: RGB
    bold: bool = False


@lru_cache(maxsize=8)
def _font(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)


def text_width(text: str, *, size: int, bold: bool = False) -> int:
    """Width of a text in pixels."""
    length: float = _font(size, bold=bold).getlength(text)
    return round(length)


def lettered(picture: Picture, labels: Sequence[Label]) -> Picture:
    """Picture ``(h, w, 3)`` with texts on it."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(image)
    for each in labels:
        draw.text((each.x, each.y), each.text, fill=each.colour, font=_font(each.size, bold=each.bold))
    return np.asarray(image, dtype=np.uint8)
