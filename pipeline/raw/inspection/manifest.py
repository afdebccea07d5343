"""Manifest of an inspected folder, with reasons; unknown facts are open lines, which `check` refuses.

An open line holds ``???``, the mark of a required value in other configuration systems, too.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.colours import COLOURS
from pipeline.config.validation import OPEN
from pipeline.project import document
from pipeline.raw.inspection.fingerprint import Fingerprint
from pipeline.raw.inspection.layout import Layout, Truth, patient_pattern

__all__ = ["Described", "FoundClass", "described", "manifest_text"]

MOST_OPEN = 3
"""Most classes whose names are asked one by one; with more the whole list is one question. Including the modality and a
value that may mean "not sure" there are at most five questions."""
NOT_SURE = 255
MOST_LABEL = 200
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

    @property
    def many(self) -> bool:
        """Test for too many classes to ask one by one, which makes one question of all names."""
        return len(self.classes) > MOST_OPEN and all(each.values for each in self.classes)


def described(layout: Layout) -> Described:
    """Classes of the truth of a layout: a class for each kind of masks, or for each value of label images."""
    masks = [each for each in layout.truths if each.contents.kind == "truth" and _two_valued(each)]
    labels = [each for each in layout.truths if each.contents.kind == "truth" and not _two_valued(each)]
    if masks:
        codes = _codes([each.word or "LESION" for each in masks])
        return Described(tuple(_mask_class(code, each) for code, each in zip(codes, masks, strict=True)))
    if labels:
        return _of_labels(labels[0])
    return Described(tuple(_of_polygons(layout.truths[0])) if layout.truths else ())


def _of_polygons(truth: Truth) -> list[FoundClass]:
    words = truth.contents.words or (OPEN,)
    codes = _codes([word if word != OPEN else "LESION" for word in words])
    return [
        FoundClass(code, word, anatomy=False, truth=truth, values=None) for code, word in zip(codes, words, strict=True)
    ]


def _two_valued(truth: Truth) -> bool:
    values = [value for value in truth.contents.values if value]
    return len(values) <= 1


def _mask_class(code: str, truth: Truth) -> FoundClass:
    name = truth.word.replace("_", " ") or "Lesion"
    return FoundClass(code, name, anatomy=code.lower() in ANATOMY, truth=truth, values=None)


def _of_labels(truth: Truth) -> Described:
    if truth.contents.numbered:
        code = _codes([truth.word or "LESION"])[0]
        name = truth.word.replace("_", " ") or "Lesion"
        return Described((FoundClass(code, name, anatomy=False, truth=truth, values=tuple(range(1, NOT_SURE))),))
    values = [value for value in truth.contents.values if value]
    ignored = tuple(value for value in values if value >= MOST_LABEL and max(values[:-1]) < MOST_LABEL)
    classes = [value for value in values if value not in ignored]
    many = len(classes) > MOST_OPEN
    return Described(
        tuple(
            FoundClass(f"C{v}", f"value {v}" if many else OPEN, anatomy=False, truth=truth, values=(v,))
            for v in classes
        ),
        ignored,
    )


def _codes(words: Sequence[str]) -> list[str]:
    codes: list[str] = []
    for word in words:
        code = re.sub(r"[^0-9A-Za-z_]", "_", word)[:28]
        code = code if re.match("[A-Za-z]", code) else f"C{code}"
        code = "LESION" if code.lower() == "background" else code
        taken = {each.lower() for each in codes}
        codes.append(code if code.lower() not in taken else f"{code}_{len(codes) + 1}")
    return codes


def manifest_text(name: str, layout: Layout, found: Fingerprint, *, root: Path, classes: Described) -> str:
    """Manifest as YAML with comments.

    Parameters
    ----------
    name
        Name of the data set.
    layout, found
        What the folder holds.
    root
        The folder, absolute.
    classes
        Its classes.
    """
    lines = [
        f"# What was found in {json.dumps(str(root), ensure_ascii=False)}. A value ??? is a question that only you can answer:",
        f"# until it is, `lesionmap check` refuses the file. Every key is explained in {document('docs/reference.md')}",
        "datasets:",
        f"  {name}:",
        *_facts(layout, found, root=root, classes=classes),
        "    classes:",
        *(_class_line(at, each) for at, each in enumerate(classes.classes)),
        *(
            []
            if classes.classes
            else ["      - {code: LESION, name: Lesion}   # no truth was found: images are only predicted"]
        ),
        *_groups(layout),
        *_places(layout, classes),
    ]
    return "\n".join([*lines, *(f"# Not used: {note}" for note in layout.notes), ""])


def _facts(layout: Layout, found: Fingerprint, *, root: Path, classes: Described) -> list[str]:
    title = (
        f"{OPEN}   # a title, once the names of the classes below are right" if classes.many else json.dumps(root.name)
    )
    return [
        f"    title: {title}",
        f"    adaptor: {_adaptor(layout)}",
        f"    root: {json.dumps(str(root), ensure_ascii=False)}",
        f"    modality: {_modality(found)}",
        f"    task: {_task(classes)}",
        f"    {_pixel_size(found)}",
    ]


def _modality(found: Fingerprint) -> str:
    if found.world:
        return f"{found.world}   # fundus | histology; {found.reason}"
    return (
        f'"{OPEN}"   # QUESTION: fundus, or histology (H&E)? {found.reason}. '
        "If they are neither: fundus, and the recipe unprocessed in the configuration, where a line says how"
    )


def _pixel_size(found: Fingerprint) -> str:
    sizes = [each for each in found.pixel_sizes if each is not None]
    looked_at = f"{len(sizes)} of {len(found.pixel_sizes)} images looked at say"
    if not sizes:
        return (
            "pixel_size_um: null   # no file looked at says how large a pixel is: areas and distances are in pixels. "
            "Write micrometres if you know them"
        )
    if len(sizes) == len(found.pixel_sizes) and max(sizes) <= 1.01 * min(sizes):
        return f"pixel_size_um: null   # null: what each file says; {looked_at} {sizes[0]:.4g} µm. A number wins over the files"
    return (
        f"pixel_size_um: null   # null: what each file says; {looked_at} {min(sizes):.4g} to {max(sizes):.4g} µm. "
        "One number wins over all files: only where they are wrong"
    )


def _adaptor(layout: Layout) -> str:
    return "slide" if layout.kind == "slide" else "folder"


def _task(classes: Described) -> str:
    if len(classes.classes) <= 1:
        return "binary   # one class"
    if classes.classes[0].values is not None:
        return "multiclass   # one value a pixel, so one class a pixel"
    return "multilabel   # masks may overlap; multiclass: one class a pixel, the first in the list below wins"


def _class_line(at: int, found: FoundClass) -> str:
    kind = ", kind: anatomy" if found.anatomy else ""
    colour = json.dumps(list(COLOURS)[at % len(COLOURS)])
    question = "   # QUESTION: what is this? Write its name in place of ???" if found.name == OPEN else ""
    name = json.dumps(found.name, ensure_ascii=False)
    return f"      - {{code: {found.code}, name: {name}, colour: {colour}{kind}}}{question}"


def _groups(layout: Layout) -> list[str]:
    if "{group}" in layout.images:
        return ["    # Each folder is taken for a patient: no patient lies in two splits."]
    told = patient_pattern(layout.names)
    if told is None:
        return [
            "    # Names say nothing of patients, so each image counts as one. If patients have several images, say who is who:",
            "    # group: {pattern: '^(patient\\d+)'}, or group: {csv: patients.csv} with columns image_id, group.",
        ]
    return [f"    group: {{pattern: {json.dumps(told[0])}}}   # {told[1]}"]


def _places(layout: Layout, classes: Described) -> list[str]:
    lines = [
        f"    {_adaptor(layout)}:",
        f"      images: {json.dumps(layout.images, ensure_ascii=False)}   # {len(layout.files)} images",
    ]
    if layout.test:
        lines.append(
            f"      test: {json.dumps(layout.test, ensure_ascii=False)}   # the official test set, by its folder"
        )
    truths = classes.classes
    if not truths:
        return lines
    first = truths[0].truth
    seen = f"{first.images} of {len(layout.files)} images; values {_values(first)} in {first.contents.looked_at} files looked at"
    if truths[0].values:
        values = ", ".join(f"{each.code}: {json.dumps(_one_or_list(each.values))}" for each in truths)
        seen += "; each object has a number, and all are one class" if first.contents.numbered else ""
        lines += [
            f"      label: {json.dumps(first.pattern, ensure_ascii=False)}   # {seen}",
            f"      values: {{{values}}}",
        ]
        lines += [
            f'      ignore: ["{OPEN}"]   # QUESTION: does {value} mean "not sure"? Then write it here; if it is a class, add it above'
            for value in classes.ignored
        ]
        return lines
    if first.contents.kind == "polygons":
        return [
            *lines,
            f"      annotations: {json.dumps(first.pattern, ensure_ascii=False)}   # {first.images} of {len(layout.files)} images",
        ]
    lines.append("      masks:")
    return [*lines, *(_mask_line(each, images=len(layout.files)) for each in truths)]


def _one_or_list(values: tuple[int, ...] | None) -> int | list[int]:
    return values[0] if values and len(values) == 1 else list(values or ())


def _mask_line(found: FoundClass, *, images: int) -> str:
    truth = found.truth
    seen = f"{truth.images} of {images} images; values {_values(truth)} in {truth.contents.looked_at} files looked at"
    return f"        {found.code}: {json.dumps(truth.pattern, ensure_ascii=False)}   # {seen}"


def _values(truth: Truth) -> str:
    return ", ".join(map(str, truth.contents.values))
