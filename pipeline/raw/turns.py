"""EXIF turns of an image and of its truth files: what their orientation tags say, from their headers.

Pictures and masks alike are used as viewers show them, each turned by its own tag. A mask that was drawn on the pixels as
they are stored has no tag, and then lies elsewhere than its picture.
"""

from pathlib import Path

from PIL import Image

from pipeline.raw.datasets.entry import PART, ImageEntry
from pipeline.raw.formats.pillow_file import FORMATS, ORIENTATION, ORIENTATION_OF_PNG, PROBLEMS, TURNS
from pipeline.raw.formats.suffixes import decoded_whole

__all__ = ["exif_turn", "turns_of"]

UPRIGHT = 1
PNG = b"\x89PNG"


def exif_turn(path: Path) -> int:
    """EXIF orientation of a file, 1 to 8; 1 where it has none, and of slides and TIFF, where turned ones are refused."""
    if not decoded_whole(path.name):
        return UPRIGHT
    try:
        with path.open("rb") as stream:
            # To look for it in a PNG, Pillow would decode the pixels.
            if stream.read(len(PNG)) == PNG and ORIENTATION_OF_PNG not in stream.read():
                return UPRIGHT
        with Image.open(path, formats=FORMATS) as picture:
            turn = picture.getexif().get(ORIENTATION, UPRIGHT)
    except (*PROBLEMS, Image.DecompressionBombError):  # who decodes it says so
        return UPRIGHT
    return int(turn) if turn in TURNS else UPRIGHT


def turns_of(entry: ImageEntry) -> dict[str, int]:
    """EXIF orientations of an image and its truth files by what they are; empty where all stand upright."""
    turns = {name: exif_turn(path) for name, path in entry.files.items() if not name.startswith(PART)}
    return turns if any(turn != UPRIGHT for turn in turns.values()) else {}
