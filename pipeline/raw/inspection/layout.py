"""Layout of an inspected folder: patterns of images and truth, classes, test set and patients, from names and contents."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipeline.counts import number_of
from pipeline.errors import ManifestError
from pipeline.project import document
from pipeline.raw.datasets.files import visible_files
from pipeline.raw.datasets.folder import expression
from pipeline.raw.datasets.tables import named_and_counted
from pipeline.raw.inspection.contents import Contents, contents_of, together
from pipeline.raw.inspection.families import Family, families, merged_folders, of_others
from pipeline.raw.inspection.formats import in_formats
from pipeline.raw.inspection.matching import names_of, of_images, place_of, siblings, without_common
from pipeline.raw.inspection.own_results import own_results
from pipeline.raw.inspection.strays import Strays, stray_values

__all__ = ["Layout", "Truth", "inspected_layout", "patient_pattern"]

MEANINGLESS = re.compile(
    r"(?:masks?|labels?|label(?:l?ed|map)s?|seg\w*|gts?|truths?|ground\w*|anno\w*|manual\w*|binary|bw|target|output|y|images?)$",
    re.IGNORECASE,
)
"""Words of file names that mark truth without naming a class."""
TRUTH_FOLDER = re.compile(r"(?:masks?|labels?|gts?|ground[^0-9a-z]?truths?|annotations?)$", re.IGNORECASE)
"""Names of folders that hold truth, not images."""
SIDES = r"(?:left|right|od|os|l|r)"
LEAST_GROUPS = 3
LEAST_FITTING = 0.9


@dataclass(frozen=True, slots=True)
class Truth:
    """Files of truth of one kind."""

    pattern: str
    contents: Contents
    word: str
    """Class according to its names; empty where they name none."""
    named: frozenset[str]
    """Names of the images that have one."""
    notes: tuple[str, ...] = ()
    """Sentences on the formats of its files."""
    strays: Strays | None = None
    """Stray values beside the one of a mask; None for one value, or several that mean something."""

    @property
    def images(self) -> int:
        """Number of images that have one."""
        return len(self.named)


@dataclass(frozen=True, slots=True)
class Layout:
    """Layout of a folder of images."""

    images: str
    """Pattern of the images."""
    kind: Literal["picture", "slide"]
    names: tuple[str, ...]
    """Names of the images, as the pattern finds them."""
    files: tuple[str, ...]
    """Their files, relative to the root, in the same order."""
    truths: tuple[Truth, ...] = ()
    test: str | None = None
    """Regular expression of the paths of an official test."""
    notes: tuple[str, ...] = ()
    """Findings that are not used."""


def inspected_layout(root: Path) -> Layout:
    """Layout of the images below a root, and of what seems to be their truth.

    Raises
    ------
    ManifestError
        No picture is there.
    """
    paths = visible_files(root)
    results = own_results(root, paths)
    passed = {path for each in results.values() for path in each}
    found = families(path for path in paths if path not in passed)
    contents = {each: contents_of(root, each.paths) for each in found}
    shown = [each for each in found if contents[each].kind in ("picture", "slide")]
    doubtful = [each for each in shown if any(map(TRUTH_FOLDER.match, each.folder))]
    doubtful = doubtful if len(doubtful) < len(shown) else []
    pictures = merged_folders([each for each in shown if each not in doubtful])
    if not pictures:
        raise ManifestError(
            "No images are found.",
            where=root,
            found=_counted(found, contents)
            or (
                f"only {_said(results)[0]}" if results else "no file with the suffix of a picture, a slide or polygons"
            ),
            expected="photographs or scans in colour, as JPEG, PNG, TIFF or slides",
            remedy=f"Give the folder that holds the images; what it must look like: {document('README.md')}, section Your own data.",
        )
    images = max(pictures, key=lambda each: len(each.names))
    drawn = [each for each in found if contents[each].kind in ("truth", "polygons")]
    elsewhere = of_others(drawn, images=images, pictures=shown)
    images, truths, strangers = _matched(
        images, [each for each in drawn if each not in elsewhere], contents=contents, paths=paths
    )
    notes = [
        f"{number_of(len(each.names), 'further picture')} like {each.paths[0]}"
        for each in pictures
        if each.paths != images.paths
    ]
    notes += [
        f"{number_of(len(each.names), 'file')} like {each.paths[0]}: the folder is named as truth, the values are a picture's"
        for each in doubtful
    ]
    notes += [
        f"{number_of(len(each.names), 'file')} like {each.paths[0]}: the name fits no image" for each in strangers
    ]
    notes += [
        f"{number_of(len(each.names), 'file')} like {each.paths[0]}: truth of these pictures"
        for each in merged_folders(elsewhere)
    ]
    notes += [
        f"{number_of(len(each.names), 'file')} like {each.paths[0]}, not read: {contents[each].problem}{_taken(each, images)}"
        for each in found
        if contents[each].kind == "unreadable"
    ]
    notes += [
        f"{each.contents.kind} like {each.pattern}, for {number_of(each.images, 'image')}: other truth is used"
        for each in truths
        if each not in _distinct(truths)
    ]
    notes += _said(results)
    kind: Literal["picture", "slide"] = "slide" if _first(images, contents).kind == "slide" else "picture"
    place, test = siblings(images)
    names = sorted(images.names)
    return Layout(
        images.pattern(place),
        kind,
        tuple(name if place == "{group}" else name.rpartition("/")[2] for name in names),
        tuple(images.names[name] for name in names),
        tuple(_with_strays(root, each) for each in _distinct(truths)),
        test,
        tuple(notes),
    )


def _taken(unread: Family, images: Family) -> str:
    """Words on unread files that the pattern of the images takes in, too."""
    found = expression(images.pattern(siblings(images)[0]))
    if not any(found.fullmatch(path) for path in unread.paths):
        return ""
    return ". Their names fit the pattern of the images, too, which they count as: convert or move them, and call init again"


def _with_strays(root: Path, truth: Truth) -> Truth:
    return truth if truth.contents.encodings else replace(truth, strays=stray_values(root, truth.contents.held))


def _said(results: Mapping[str, Sequence[str]]) -> list[str]:
    """Note on folders of results; none where there are none."""
    count = number_of(sum(map(len, results.values())), "file")
    return [f"results of lesionmap, {count} in the places {named_and_counted(list(results))}"] if results else []


def _first(family: Family, contents: Mapping[Family, Contents]) -> Contents:
    return next(found for each, found in contents.items() if set(each.paths) <= set(family.paths))


def _counted(found: Sequence[Family], contents: Mapping[Family, Contents]) -> str:
    return ", ".join(
        f"{number_of(len(each.names), 'file')} like {each.paths[0]} ({contents[each].kind})" for each in found[:5]
    )


def _matched(
    images: Family, rest: Sequence[Family], *, contents: Mapping[Family, Contents], paths: Sequence[str]
) -> tuple[Family, tuple[Truth, ...], list[Family]]:
    """Images, named to match truth, their truth, and the families that match no image."""
    shorter = without_common(images)
    for named in (images, shorter) if shorter else (images,):
        fitting = in_formats(of_images(rest, images=named), images=named, paths=paths)
        truths = [
            replace(truth, notes=(said,) if said else ())
            for each, said in fitting.items()
            if (truth := _truth(each, images=named, contents=contents))
        ]
        if truths:
            used = {path for each in fitting for path in each.paths}
            return named, tuple(truths), [each for each in rest if not used & set(each.paths)]
    return images, (), list(rest)


def _truth(family: Family, *, images: Family, contents: Mapping[Family, Contents]) -> Truth | None:
    place = place_of(family, images=images)
    fitting = names_of(family, grouped=place == "{group}") & names_of(images, grouped=place == "{group}")
    if not fitting or (images.differs and not family.differs):
        return None
    parents = [each for each in contents if set(family.paths) & set(each.paths)]
    return Truth(
        family.pattern(place), together([contents[each] for each in parents]), _word(family), frozenset(fitting)
    )


def _word(family: Family) -> str:
    """Class from the names of truth files: the words around the name of the image, else the folder."""
    for text in (family.after, family.before, *reversed([part for part in family.folder if part != "*"])):
        words = [each for each in re.split(r"[^0-9A-Za-z]+", text) if re.search("[A-Za-z]", each)]
        if words:
            return "_".join(each for each in words if not MEANINGLESS.match(each))
    return ""


def _distinct(truths: Sequence[Truth]) -> tuple[Truth, ...]:
    """Truth in the order of its classes; of several kinds of files label images, then masks, then polygons count."""
    ranked = sorted(truths, key=lambda each: (-each.images, each.word, each.pattern))
    drawn = [each for each in ranked if each.contents.kind == "truth"]
    return tuple(sorted(drawn, key=lambda each: each.pattern) or ranked[:1])


def patient_pattern(names: Sequence[str]) -> tuple[str, str] | None:
    """Expression for the patient in the names of images, with the reason; None where names do not show patients.

    Parameters
    ----------
    names
        Names of all images.

    Examples
    --------
    >>> patient_pattern(["p1_left", "p1_right", "p2_left", "p2_right", "p3_left", "p4_right"])[0]
    '(?i)^(.+?)[^0-9A-Za-z](?:left|right|od|os|l|r)$'
    >>> patient_pattern(["eye_1", "eye_2", "eye_3"]) is None
    True
    """
    tries = (
        (r"^(TCGA-\w\w-\w{4})", "names of TCGA begin with the patient"),
        (rf"(?i)^(.+?)[^0-9A-Za-z]{SIDES}$", "names end in left and right"),
        (
            r"(?i)^((?:patient|pat|case|subject|subj|pt|p)[^0-9A-Za-z]?\d+)[^0-9A-Za-z]",
            "names begin with a patient or case",
        ),
    )
    for pattern, reason in tries:
        found = [match[1] for name in names if (match := re.search(pattern, name))]
        groups = Counter(found)
        if len(found) >= LEAST_FITTING * len(names) and len(groups) >= LEAST_GROUPS:
            return pattern, f"{reason}: {len(groups)} patients in {len(names)} images"
    return None
