"""Classes of an inspected folder, from the names and values of its truth, and the values whose meaning is open."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipeline.config.validation import OPEN
from pipeline.raw.inspection.layout import Layout, Truth

__all__ = ["NOT_SURE", "Described", "FoundClass", "described"]

MOST_OPEN = 3
"""Most classes whose names are asked one by one; with more the whole list is one question. Including the modality and a
value that may mean "not sure" there are at most five questions."""
NOT_SURE = 255
MOST_LABEL, MOST_NUMBER = 200, 65535
MOST_UNSURE = 0.5
"""Largest share of a value in the foreground that may mean "not sure"."""
ANATOMY = {"od", "disc", "disk", "opticdisc", "cup", "fovea", "macula", "vessel", "vessels"}


@dataclass(frozen=True, slots=True)
class FoundClass:
    """Class of the truth as far as files show it."""

    code: str
    name: str
    """`OPEN` where unknown."""
    anatomy: bool
    truth: Truth
    values: tuple[int, ...] | None
    """Values in label images; None for masks and polygons."""


@dataclass(frozen=True, slots=True)
class Described:
    """Classes of a layout, and open questions."""

    classes: tuple[FoundClass, ...]
    ignored: tuple[int, ...] = ()
    """Values of label images that may mean "not sure"."""
    unused: tuple[Truth, ...] = ()
    """Label images beside the truth that is used."""

    @property
    def by_masks(self) -> bool:
        """Test for classes with mask files of their own."""
        return bool(self.classes) and all(
            each.values is None and each.truth.contents.kind == "truth" for each in self.classes
        )

    @property
    def many(self) -> bool:
        """Test for too many classes to ask one by one, which makes one question of all names."""
        return len(self.classes) > MOST_OPEN and all(each.values for each in self.classes)


def described(layout: Layout) -> Described:
    """Classes of the truth of a layout: a class for each kind of masks, or for each value of label images."""
    drawn = [each for each in layout.truths if each.contents.kind == "truth"]
    # Beside other masks, stray values that are refused do not make label images: their files are refused, and it is said.
    masks = [each for each in drawn if _two_valued(each) or (each.strays is not None and len(drawn) > 1)]
    labels = [each for each in drawn if each not in masks]
    if masks:
        codes = _codes([each.word or "LESION" for each in masks])
        classes = tuple(_mask_class(code, each) for code, each in zip(codes, masks, strict=True))
        return Described(classes, unused=tuple(labels))
    if labels:
        return replace(_of_labels(labels[0]), unused=tuple(labels[1:]))
    return Described(tuple(_of_polygons(layout.truths[0])) if layout.truths else ())


def _of_polygons(truth: Truth) -> list[FoundClass]:
    words = truth.contents.words or (OPEN,)
    codes = _codes([word if word != OPEN else "LESION" for word in words])
    return [
        FoundClass(code, word, anatomy=False, truth=truth, values=None) for code, word in zip(codes, words, strict=True)
    ]


def _two_valued(truth: Truth) -> bool:
    values = [value for value in truth.contents.values if value]
    return len(values) <= 1 or bool(truth.contents.encodings) or (truth.strays is not None and truth.strays.are_cut)


def _mask_class(code: str, truth: Truth) -> FoundClass:
    name = truth.word.replace("_", " ") or "Lesion"
    return FoundClass(code, name, anatomy=code.lower() in ANATOMY, truth=truth, values=None)


def _of_labels(truth: Truth) -> Described:
    if truth.contents.numbered:
        code = _codes([truth.word or "LESION"])[0]
        name = truth.word.replace("_", " ") or "Lesion"
        # Numbers beyond a byte leave 255 no other meaning.
        end = NOT_SURE if max(truth.contents.values) <= NOT_SURE else MOST_NUMBER + 1
        return Described((FoundClass(code, name, anatomy=False, truth=truth, values=tuple(range(1, end))),))
    if truth.strays is not None:  # Which the reader of masks refuses.
        own = _mask_class(_codes([truth.word or "LESION"])[0], truth)
        others = tuple(each.value for each in truth.strays.others)
        return Described((replace(own, values=(truth.strays.main,)),), others)
    values = [value for value in truth.contents.values if value]
    ignored = tuple(value for value in values if _may_be_unsure(value, truth))
    classes = [value for value in values if value not in ignored]
    many = len(classes) > MOST_OPEN
    return Described(
        tuple(
            FoundClass(f"C{v}", f"value {v}" if many else OPEN, anatomy=False, truth=truth, values=(v,))
            for v in classes
        ),
        ignored,
    )


def _may_be_unsure(value: int, truth: Truth) -> bool:
    """Test for a value that stands apart and holds the smaller part of the foreground, as "not sure" does."""
    others = [each for each in truth.contents.values if each != value]
    return value >= MOST_LABEL > max(others, default=0) and truth.contents.share(value) <= MOST_UNSURE


def _codes(words: Sequence[str]) -> list[str]:
    codes: list[str] = []
    for word in words:
        code = re.sub(r"[^0-9A-Za-z_]", "_", word)[:28]
        code = code if re.match("[A-Za-z]", code) else f"C{code}"
        code = "LESION" if code.lower() == "background" else code
        taken = {each.lower() for each in codes}
        codes.append(code if code.lower() not in taken else f"{code}_{len(codes) + 1}")
    return codes
