"""EXIF turns of an image and of its truth files, from the orientation tags in their headers.

Images and masks are used as viewers show them, each turned by its own tag. A mask drawn on the pixels as stored has no
tag, and then does not match its image.
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
    """EXIF orientation of a file, 1 to 8; 1 for a file without one and for slides and TIFF, where turned ones are refused."""
    if not decoded_whole(path.name):
        return UPRIGHT
    try:
        with path.open("rb") as stream:
            # Pillow would decode the pixels of a PNG to find it.
            if stream.read(len(PNG)) == PNG and ORIENTATION_OF_PNG not in stream.read():
                return UPRIGHT
        with Image.open(path, formats=FORMATS) as picture:
            turn = picture.getexif().get(ORIENTATION, UPRIGHT)
    except (*PROBLEMS, Image.DecompressionBombError):  # Decoding reports it.
        return UPRIGHT
    return int(turn) if turn in TURNS else UPRIGHT


def turns_of(entry: ImageEntry) -> dict[str, int]:
    """EXIF orientations of an image and its truth files, by their role; empty where all are upright."""
    turns = {name: exif_turn(path) for name, path in entry.files.items() if not name.startswith(PART)}
    return turns if any(turn != UPRIGHT for turn in turns.values()) else {}
