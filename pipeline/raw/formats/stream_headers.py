"""Sizes that the headers of JPEG XL, JPEG XR and LERC streams declare.

References
----------
ISO/IEC 18181-1 (JPEG XL), ISO/IEC 29199-2 annex A (JPEG XR), github.com/Esri/lerc (LERC 1 and 2).
"""

from collections.abc import Sequence
from typing import TypeAlias

__all__ = ["Size", "jpeg_xl_size", "jpeg_xr_size", "lerc_size"]

Size: TypeAlias = tuple[int, int, int, int]
"""Rows, columns, samples a pixel, bytes a sample."""

XL, XL_BOX, XR = b"\xff\x0a", b"\x00\x00\x00\x0cJXL ", b"II\xbc"
RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, for the ratios 1 to 7."""
SIDES = ((9, 1), (13, 1), (18, 1), (30, 1))
XR_PIXELS = {
    0x05: (1, 1),
    0x08: (1, 1),
    0x0B: (1, 2),
    0x0C: (3, 1),
    0x0D: (3, 1),
    0x0F: (4, 1),
    0x15: (3, 2),
    0x16: (4, 2),
}
"""Last byte of the pixel format of a JPEG XR → samples, bytes a sample; any other is taken for the largest there is."""
XR_LARGEST = (4, 4)
XR_WIDTH, XR_HEIGHT, XR_FORMAT = 0xBC80, 0xBC81, 0xBC01
NUMBER_BYTES = {1: 1, 3: 2, 4: 4}
"""TIFF type of a number → its bytes."""
LERC_BYTES = (1, 1, 2, 2, 4, 4, 4, 8)
"""Bytes of the data types of LERC 2."""


class _Bits:
    """Reader of bits, the lowest of each byte first; 0 beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._number, self._at = int.from_bytes(data, "little"), 0

    def take(self, count: int) -> int:
        found = self._number >> self._at & (1 << count) - 1
        self._at += count
        return found

    def choice(self, ways: Sequence[tuple[int, int]]) -> int:
        """Number of one of four ``(bits, offset)``, which two bits choose."""
        count, offset = ways[self.take(2)]
        return self.take(count) + offset


def jpeg_xl_size(data: bytes) -> Size | None:
    """Size of a JPEG XL codestream, or of one in a container; None for any other data."""
    if data.startswith(XL_BOX):
        start = min((at for at in (data.find(b"jxlc"), data.find(b"jxlp")) if at >= 0), default=-1)
        start = data.find(XL, start, start + 16) if start >= 0 else -1
    else:
        start = 0 if data.startswith(XL) else -1
    if start < 0:
        return None
    bits = _Bits(data[start + 2 : start + 64])
    return *_xl_sides(bits), *_xl_samples(bits)


def _xl_sides(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)

    def side() -> int:
        return 8 * (bits.take(5) + 1) if small else bits.choice(SIDES)

    height, ratio = side(), bits.take(3)
    if not ratio:
        return height, side()
    across, down = RATIOS[ratio - 1]
    return height, height * across // down


def _xl_samples(bits: _Bits) -> tuple[int, int]:
    """Samples and bytes of the metadata; the largest usual ones where it holds more than orientation."""
    if bits.take(1):  # all as by default
        return 3, 1
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(3):  # intrinsic size, preview, animation
            return 4, 4
    if bits.take(1):  # floats
        depth = bits.choice(((0, 32), (0, 16), (0, 24), (6, 1)))
        bits.take(4)
    else:
        depth = bits.choice(((0, 8), (0, 10), (0, 12), (6, 1)))
    bits.take(1)  # modular with 16 bit
    return 3 + bits.choice(((0, 0), (0, 1), (4, 2), (12, 1))), 1 if depth <= 8 else 2 if depth <= 16 else 4


def jpeg_xr_size(data: bytes) -> Size | None:
    """Size of a JPEG XR file, from its tags; None for any other data, or where the tags are no such."""
    if not data.startswith(XR):
        return None
    tags = int.from_bytes(data[4:8], "little")
    sides, pixel = {XR_WIDTH: 0, XR_HEIGHT: 0}, 0
    for number in range(int.from_bytes(data[tags : tags + 2], "little")):
        entry = data[tags + 2 + 12 * number : tags + 14 + 12 * number]
        tag, kind = int.from_bytes(entry[:2], "little"), int.from_bytes(entry[2:4], "little")
        if tag in sides:
            sides[tag] = int.from_bytes(entry[8 : 8 + NUMBER_BYTES.get(kind, 4)], "little")
        elif tag == XR_FORMAT:
            place = int.from_bytes(entry[8:12], "little")
            pixel = int.from_bytes(data[place + 15 : place + 16], "little")
    return sides[XR_HEIGHT], sides[XR_WIDTH], *XR_PIXELS.get(pixel, XR_LARGEST)


def lerc_size(data: bytes) -> Size | None:
    """Size of the first band of a LERC stream; None for any other data."""

    def number(at: int) -> int:
        return int.from_bytes(data[at : at + 4], "little")

    if data.startswith(b"CntZImage "):
        return number(18), number(22), 1, 4
    if not data.startswith(b"Lerc2 "):
        return None
    version = number(6)
    sides = 14 if version >= 3 else 10
    depth, rest = (number(sides + 8), sides + 12) if version >= 4 else (1, sides + 8)
    kind = number(rest + 12)
    return number(sides), number(sides + 4), depth, LERC_BYTES[kind] if kind < len(LERC_BYTES) else 8
