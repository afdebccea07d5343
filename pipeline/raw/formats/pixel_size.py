"""Pixel size of a file in micrometres, used if both axes are plausible for a microscope or a fundus camera."""

import re
from dataclasses import dataclass
from math import isfinite

import tifffile

__all__ = ["PixelSize", "pixel_size", "tiff_pixel_size"]

PLAUSIBLE_UM = (0.01, 20.0)
"""Plausible range; a pixel outside it comes from a printer, a screen, or a lost decimal point."""
SQUARE = 0.01
"""Relative difference of the two sides up to which a pixel counts as square."""
UNITS_UM = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "in": 25400.0}
PER_UNIT_UM = {2: 25400.0, 3: 10000.0}
"""Values of the tag ResolutionUnit: inch and centimetre."""
NUMBER = r"[+-]?[\d.]+(?:,\d+)?(?:[eE][+-]?\d+)?|nan|inf"


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Side of a pixel, or the reason why the file's statement is not used."""

    um: float | None = None
    """Micrometres; None where the file has no usable value."""
    unused: str = ""
    """The file's statement and why it is not used."""

    @property
    def remarks(self) -> dict[str, int]:
        """The unused pixel size as a counted remark on the file."""
        return {self.unused: 1} if self.unused else {}


def _number(text: str | float | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return float("nan")


def pixel_size(x: str | float | None, y: str | float | None, *, unit_um: float = 1.0) -> PixelSize:
    """Pixel size from a file's values for columns and rows; one axis is enough.

    Parameters
    ----------
    x, y
        Width and height of a pixel as written; None where the file does not say.
    unit_um
        Micrometres of their unit.

    Examples
    --------
    >>> pixel_size("0.25", "0.25").um
    0.25
    >>> pixel_size("499", "499").unused
    'pixel size 499 × 499 µm: not between 0.01 and 20 µm'
    """
    known = [each * unit_um for each in (_number(x), _number(y)) if each is not None]
    if not known:
        return PixelSize()
    said = "pixel size " + " × ".join(f"{each:.6g}" for each in known) + " µm"
    if not all(isfinite(each) and PLAUSIBLE_UM[0] <= each <= PLAUSIBLE_UM[1] for each in known):
        return PixelSize(unused=f"{said}: not between {PLAUSIBLE_UM[0]:g} and {PLAUSIBLE_UM[1]:g} µm")
    if max(known) > (1 + SQUARE) * min(known):
        return PixelSize(unused=f"{said}: pixels that are not square")
    return PixelSize(known[0])


def tiff_pixel_size(file: tifffile.TiffFile, page: tifffile.TiffPage) -> PixelSize:
    """Pixel size of a page, from what Aperio or OME wrote, or from the resolution tags.

    Parameters
    ----------
    file
        The open file.
    page
        The finest level of its picture.
    """
    named = re.search(rf"\bMPP\s*=\s*({NUMBER})", page.description or "")
    if named:
        return pixel_size(named[1], None)
    pixels = _ome_pixels(file, page) if file.is_ome else None
    if pixels and "PhysicalSize" in pixels:
        return _ome_size(pixels)
    return _resolution(page)


def _attribute(element: str, name: str) -> str | None:
    found = re.search(rf"\b{name}=[\"']([^\"']+)[\"']", element)
    return found[1] if found else None


def _ome_pixels(file: tifffile.TiffFile, page: tifffile.TiffPage) -> str | None:
    """Element of OME-XML that describes the page: a file may hold a macro or a label as further images."""
    size = str(int(page.imagewidth)), str(int(page.imagelength))
    every = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", file.ome_metadata or "")
    return next((each for each in every if (_attribute(each, "SizeX"), _attribute(each, "SizeY")) == size), None)


def _ome_size(pixels: str) -> PixelSize:
    sides = []
    for axis in "XY":
        value = _number(_attribute(pixels, f"PhysicalSize{axis}"))
        unit = _attribute(pixels, f"PhysicalSize{axis}Unit") or "µm"
        if value is not None and unit not in UNITS_UM:
            return PixelSize(unused=f"pixel size in the unit {unit}")
        sides.append(None if value is None else value * UNITS_UM[unit])
    return pixel_size(*sides)


def _resolution(page: tifffile.TiffPage) -> PixelSize:
    unit_um = PER_UNIT_UM.get(page.tags.valueof("ResolutionUnit", default=2))
    tags = [page.tags.valueof(name) for name in ("XResolution", "YResolution")]
    if not unit_um or not all(isinstance(each, tuple) and 0 not in each for each in tags):
        return PixelSize()
    return pixel_size(*(unit_um * each[1] / each[0] for each in tags))
