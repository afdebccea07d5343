"""Data set adaptor of the released DigestPath 2019 tissue folder: a positive and a negative folder of JPEG files.

``tissue-train-pos-v1/18-09926B_2019-05-08 23_29_50-lv1-34806-17796-5100-5004.jpg`` has its mask
``…-5100-5004_mask.jpg`` beside it. ``tissue-train-neg/….jpg`` holds no lesion. Names hold spaces, and the folders may
lie deeper. JPEG blurs a mask, so it is set above 127. ``18-09926A`` and ``18-09926B`` are slides of one patient.

References
----------
.. [1] Q. Da et al., "DigestPath: A benchmark dataset with challenge review for the pathological detection and
   segmentation of digestive-system", Medical Image Analysis 80:102485, 2022.
"""

import re
from pathlib import Path

from pipeline.errors import ManifestError, MissingDataError
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.files import visible_files
from pipeline.words import safe_id

__all__ = ["LAYOUT", "list_digestpath", "patient_of", "slide_of"]

LAYOUT = (
    "a folder that holds folders with 'pos' and 'neg' in their names, such as tissue-train-pos-v1 and tissue-train-neg"
)
SUFFIXES = (".jpg", ".jpeg")
MASK = "_mask"
SIDE = re.compile(r"(?:^|[^a-z])(pos|neg)")
SLIDE = re.compile(r"(?P<slide>.+?)(?:_\d{4}-\d{2}-\d{2}[ _]\d{2}_\d{2}_\d{2}|-lv\d)")

ACCESSION = re.compile(
    r"(?P<patient>(?:\d\d|(?:19|20)\d\d)[-_]\d{3,}|[A-Za-z]*\d{5,})(?:[A-Za-z]\d{0,2}|[-_ ](?:[A-Za-z]\d{0,2}|\d{1,2}))*"
)
"""The number of a case, with its year before or within it; specimens have letters or short numbers."""


def slide_of(name: str) -> str:
    """Slide of an image crop: the part of its name before the time of the scan or the level.

    Examples
    --------
    >>> slide_of("18-09926B_2019-05-08 23_29_50-lv1-34806-17796-5100-5004")
    '18-09926B'
    >>> slide_of("D201803322_1_1-lv1-2000-3000")
    'D201803322_1_1'
    >>> slide_of("unnamed")
    ''
    """
    match = SLIDE.match(name)
    return match["slide"] if match else ""


def patient_of(slide: str) -> str:
    """Patient of a slide: its accession number, without the specimen and the block that follow it.

    A name of another form is a patient of its own.

    Examples
    --------
    >>> patient_of("18-09926A"), patient_of("D201803322_1_2"), patient_of("2018_64982_1-1"), patient_of("tumour_1")
    ('18-09926', 'D201803322', '2018_64982', 'tumour_1')
    """
    match = ACCESSION.fullmatch(slide)
    return match["patient"] if match else slide


def _side(path: Path, root: Path) -> str:
    """``pos`` or ``neg`` from the nearest folder with one of them at the start of a word of its name, else empty."""
    for part in reversed(path.relative_to(root).parent.parts):
        words = set(SIDE.findall(part.lower()))
        if len(words) == 1:
            return str(words.pop())
    return ""


def _pictures(root: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {"pos": [], "neg": []}
    for path in sorted(root / each for each in visible_files(root)):
        hidden = any(part.startswith("__") for part in path.relative_to(root).parts)
        side = _side(path, root)
        if side and not hidden and path.suffix.lower() in SUFFIXES:
            found[side].append(path)
    return found


def _check(found: dict[str, list[Path]], *, root: Path) -> None:
    if not any(found.values()):
        raise MissingDataError(
            "This is not the DigestPath folder.",
            where=root,
            found="no JPEG file in such a folder",
            expected=LAYOUT,
            remedy="Unpack both parts of the tissue set and give the folder that holds them as the root.",
        )
    names = {path.stem: path for path in found["pos"]}
    both = [path for path in found["neg"] if path.stem in names]
    drawn = [path for path in found["neg"] if path.stem.endswith(MASK)]
    if both or drawn:
        path = (both or drawn)[0]
        other = f"{names[path.stem]} and {path}" if both else f"a mask among negative pictures: {path}"
        raise ManifestError(
            "A picture is both positive and negative.",
            where=root,
            found=other,
            expected="each picture in one folder, masks in the positive one",
            remedy="Move one of them away.",
        )


def list_digestpath(root: Path, *, codes: tuple[str, ...]) -> list[ImageEntry]:
    """Images of the released DigestPath layout.

    Parameters
    ----------
    root
        The folder that holds the positive and the negative folder.
    codes
        Code of the one class.

    Returns
    -------
    list
        Negative pictures are annotated and have no mask; a positive picture whose mask is missing is not annotated.

    Raises
    ------
    MissingDataError
        No picture in such folders.
    ManifestError
        A name in both folders, or a mask among negative pictures.
    """
    found = _pictures(root)
    _check(found, root=root)
    masks = {path.with_name(path.stem.removesuffix(MASK)): path for path in found["pos"] if path.stem.endswith(MASK)}
    entries = []
    for side, paths in found.items():
        for path in paths:
            if not path.stem.endswith(MASK):
                mask = masks.get(path.with_suffix(""))
                own = ((codes[0], mask),) if mask else ()
                annotated, group = side == "neg" or mask is not None, patient_of(slide_of(path.stem))
                entries.append(ImageEntry(safe_id(path.stem), path, own, annotated=annotated, group=group))
    return entries
