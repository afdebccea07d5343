"""Manifest of an inspected folder, with reasons; unknown facts are open lines, which `check` refuses.

An open line holds ``???``, the mark of a required value in other configuration systems, too.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from pipeline.config.colours import COLOURS
from pipeline.config.validation import OPEN
from pipeline.counts import number_of
from pipeline.project import document
from pipeline.raw.inspection.classes import NOT_SURE, Described, FoundClass
from pipeline.raw.inspection.contents import MOST_VALUES
from pipeline.raw.inspection.fingerprint import Fingerprint
from pipeline.raw.inspection.layout import Layout, Truth, patient_pattern
from pipeline.raw.inspection.truth_notes import stray_note, truth_notes

__all__ = ["manifest_text", "unused_notes"]


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
    return "\n".join([*lines, *(f"# Not used: {note}" for note in unused_notes(layout, classes)), ""])


def unused_notes(layout: Layout, classes: Described) -> list[str]:
    """Notes on what is found and not used: that of the layout, and label images beside other truth."""
    said = [
        f"label images like {each.pattern} with the values {_values(each)}: the truth of the classes is another"
        for each in classes.unused
    ]
    return [*said, *layout.notes]


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
        *_missing_mask(layout, classes),
        f"    {_pixel_size(found)}",
    ]


def _modality(found: Fingerprint) -> str:
    if found.world:
        return f"{found.world}   # fundus | histology; {found.reason}"
    return (
        f'"{OPEN}"   # QUESTION: fundus, or histology (H&E)? {found.reason}. '
        "If they are neither: fundus, and the recipe unprocessed and the whole picture in the configuration, where a line says how"
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


def _missing_mask(layout: Layout, classes: Described) -> list[str]:
    """Question of what a missing mask file means, where images have masks of some classes only."""
    partly = [name for name in _with_truth(layout, classes) if any(name not in c.truth.named for c in classes.classes)]
    if not classes.by_masks or not partly:
        return []
    counts = ", ".join(f"{each.code} in {each.truth.images}" for each in classes.classes)
    some = f"{number_of(len(partly), 'image has', 'images have')} masks of some classes only"
    question = f"QUESTION: {some} (of {len(layout.names)} images: {counts}). What does a missing file mean?"
    return [
        f'    missing_mask: "{OPEN}"   # {question} negative: the class is not there | unknown: nobody looked for it'
    ]


def _reviewed(layout: Layout, classes: Described) -> list[str]:
    """Question of what an image without any truth file means, where others have it."""
    bare = len(set(layout.names) - set(_with_truth(layout, classes)))
    if not classes.classes or not bare:
        return []
    said = f"{bare} of {number_of(len(layout.names), 'image')} without any file of truth"
    if not classes.by_masks:
        return [f"      # reviewed: negative   # {said}, only predicted; so, if they were examined and have no lesion"]
    question = f"QUESTION: {said}. Were they examined? negative: yes, and they have no lesion"
    return [f'      reviewed: "{OPEN}"   # {question} | null: no, they are only predicted']


def _with_truth(layout: Layout, classes: Described) -> list[str]:
    """Names of the images with truth of any class."""
    named = frozenset[str]().union(*(each.truth.named for each in classes.classes))
    return [name for name in layout.names if name in named]


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
    question = "QUESTION: what is this? Write its name in place of ???. " if found.name == OPEN else ""
    slip = (
        f". If it is a slip, delete this class and write ignore: [{found.values[0]}] below"
        if question and found.values
        else ""
    )
    comment = f"   # {question}{_held(found)}{slip}".rstrip() if question or _held(found) else ""
    name = json.dumps(found.name, ensure_ascii=False)
    return f"      - {{code: {found.code}, name: {name}, colour: {colour}{kind}}}{comment}"


def _held(found: FoundClass) -> str:
    """Words on what the value of a class holds in label images; empty for other truth."""
    contents = found.truth.contents
    if found.values is None or len(found.values) != 1:
        return ""
    held = next(each for each in contents.held if each.value == found.values[0])
    said = (
        f"Value {held.value} holds {_percent(contents.share(held.value))} of what is not 0, "
        f"in {len(held.paths)} of {number_of(contents.judged.files, 'file')} looked at"
    )
    unsure = held.value == NOT_SURE and found.truth.strays is None
    return (
        f'{said}. If it means "not sure": take it out here and below, and write ignore: [{NOT_SURE}]'
        if unsure
        else said
    )


def _percent(share: float) -> str:
    # 99.98 % is not 100.
    return f"{100 * share:.3g} %" if share < 0.999 or share == 1 else f"{100 * share:.6g} %"


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
    lines += _reviewed(layout, classes)
    truths = classes.classes
    if not truths:
        return lines
    first = truths[0].truth
    seen = f"{first.images} of {len(layout.files)} images; values {_values(first)} in {first.contents.judged.files} files looked at"
    if truths[0].values:
        values = ", ".join(f"{each.code}: {json.dumps(_one_or_range(each.values))}" for each in truths)
        seen += "; each object has a number, and all are one class" if first.contents.numbered else ""
        lines += [
            *(f"      # {note}" for note in truth_notes(truths[0])),
            f"      label: {json.dumps(first.pattern, ensure_ascii=False)}   # {seen}",
            f"      values: {{{values}}}",
        ]
        return lines + ([_ignore_line(first, classes.ignored)] if classes.ignored else [])
    if first.contents.kind == "polygons":
        return [
            *lines,
            f"      annotations: {json.dumps(first.pattern, ensure_ascii=False)}   # {first.images} of {len(layout.files)} images",
        ]
    lines.append("      masks:")
    return [*lines, *(line for each in truths for line in _mask_lines(each, images=len(layout.files)))]


def _ignore_line(truth: Truth, values: Sequence[int]) -> str:
    named, line = " and ".join(map(str, values)), f'      ignore: ["{OPEN}"]   # QUESTION: '
    if truth.strays is not None:
        return (
            f"{line}what is {named}? Found: {truth.strays.said()}, beside {truth.strays.main}. Not sure: write it here. "
            "The same class: add it to the values above, as a list, and take this line away. A class: add it above. "
            "A slip: take this line away; its files are refused until they are mended"
        )
    shares = ", ".join(f"{_percent(truth.contents.share(value))} of what is not 0" for value in values)
    return f'{line}does {named} ({shares}) mean "not sure"? Then write it here; if it is a class, add it above'


def _one_or_range(values: tuple[int, ...] | None) -> int | str:
    first, *rest = values or (0,)
    return f"{first}-{rest[-1]}" if rest else first


def _mask_lines(found: FoundClass, *, images: int) -> list[str]:
    truth = found.truth
    seen = (
        f"{truth.images} of {images} images; values {_values(truth)} in {truth.contents.judged.files} files looked at"
    )
    line = f"        {found.code}: {json.dumps(truth.pattern, ensure_ascii=False)}   # {seen}"
    notes = [*([stray_note(found)] if truth.strays else []), *truth_notes(found)]
    return [*(f"        # {note}" for note in notes), line]


def _values(truth: Truth) -> str:
    values = truth.contents.values
    few = len(values) <= MOST_VALUES
    return ", ".join(map(str, values)) if few else f"{values[0]} to {values[-1]}, {len(values):,} of them,"
