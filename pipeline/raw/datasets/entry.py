"""Image entry: the record of one image and its truth files before pixels are read, and checks of a list of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pipeline.config.raw import LARGEST_DECODE
from pipeline.errors import ManifestError, MissingDataError

__all__ = ["PART", "Checked", "ImageEntry", "checked_entries", "entry_from_files", "existing_root"]

PART = "part "
"""Beginning of the role of a slide's part among the files of its image."""


@dataclass(frozen=True, slots=True)
class Checked:
    """Findings of stage raw in the files of an image, for stages that read the same contents again."""

    cuts: tuple[tuple[str, int], ...]
    """Class code and cut, for each mask file."""


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """Image of a data set, and the files of its truth."""

    image_id: str
    """Safe in a path, unique in the data set."""
    image: Path | None
    """File of the image; None for a phantom."""
    masks: tuple[tuple[str, Path], ...] = ()
    """Class code and file, for each class that has one."""
    label: Path | None = None
    """File with one value per class, instead of masks."""
    official_test: bool = False
    """Whether the data set itself keeps this image for the test."""
    annotated: bool = True
    """Whether somebody looked for lesions; an unannotated image is only predicted."""
    unknown: tuple[str, ...] = ()
    """Codes of the classes that nobody looked for in an annotated image, in manifest order."""
    lesion_free: bool = False
    """Whether it was declared free of lesions, unless its files of truth say otherwise."""
    group: str = ""
    """The patient; the image itself where unknown."""
    centre: str = ""
    """Hospital or scanner; empty where unknown."""
    number: int = 0
    """Number of a phantom."""
    annotations: Path | None = None
    """File with polygons of all classes, instead of masks."""
    corrected: tuple[str, ...] | None = None
    """Codes of the classes whose mask files a correction replaces; None unless ``annotations`` is a correction."""
    replaced: tuple[Path, ...] = ()
    """Files of truth that the correction replaces, which are not read."""
    checked: Checked | None = None
    """Findings of stage raw; None if these contents have not been examined."""
    largest_decode: int = LARGEST_DECODE
    """Bytes of the largest picture, page, tile or strip of its files that is decoded at once."""
    parts: tuple[Path, ...] = ()
    """Further files with its pixels; see `pipeline.raw.datasets.parts`."""

    @property
    def truth_origin(self) -> Literal["data set", "correction", ""]:
        """Origin of its truth: the data set, a correction, or nothing for an unannotated image."""
        return "" if not self.annotated else "data set" if self.corrected is None else "correction"

    @property
    def files(self) -> dict[str, Path]:
        """Files whose change affects this image, by role, because two folders may hold files of one name."""
        own = {"image": self.image, "label": self.label, "annotations": self.annotations}
        parts = {f"{PART}{path.name}": path for path in self.parts}
        masks = {f"mask {code}": path for code, path in self.masks}
        return {name: path for name, path in own.items() if path} | masks | parts

    def facts(self, *others: str) -> dict[str, Any]:
        """Facts of the image that its files do not hold, as plain values; the inverse of ``entry_from_files``.

        Parameters
        ----------
        *others
            Further fields, where a result depends on them: ``official_test``, ``group``, ``centre``.
        """
        own: dict[str, Any] = {"image_id": self.image_id, "annotated": self.annotated, "number": self.number}
        own |= {"unknown": list(self.unknown)} if self.unknown else {}
        own |= {"corrected": list(self.corrected)} if self.corrected is not None else {}
        return own | {"codes": [code for code, _ in self.masks]} | {name: getattr(self, name) for name in others}

    def file_lists(self) -> dict[str, list[str]]:
        """Paths of the files by the names of ``entry_from_files``; empty lists where there are none."""
        single = {"image": self.image, "label": self.label, "annotations": self.annotations}
        lists = {name: [str(path)] if path else [] for name, path in single.items()}
        lists["image"] += [str(path) for path in self.parts]
        return {"image": lists["image"], "masks": [str(path) for _, path in self.masks], **lists}


def entry_from_files(
    facts: Mapping[str, Any],
    *,
    image: Sequence[str],
    masks: Sequence[str],
    label: Sequence[str],
    annotations: Sequence[str] = (),
    largest_decode: int = LARGEST_DECODE,
) -> ImageEntry:
    """Image entry rebuilt from its facts and the files passed to a job.

    Parameters
    ----------
    facts
        ``image_id``, ``annotated``, ``number``, and ``codes`` of the masks in their order; ``unknown`` where a class
        is, and ``corrected`` where truth was. Where they matter also ``official_test``, ``group`` and ``centre``.
    image, masks, label, annotations
        Paths; empty where there are none. The paths of its parts follow that of the image.
    largest_decode
        Bytes of the largest unit that is decoded at once.
    """
    paths = tuple((code, Path(path)) for code, path in zip(facts["codes"], masks, strict=True))
    others = {key: facts[key] for key in ("official_test", "group", "centre") if key in facts}
    picture, values, polygons = (Path(each[0]) if each else None for each in (image, label, annotations))
    name, annotated, number = facts["image_id"], facts["annotated"], facts["number"]
    others |= {"corrected": tuple(facts["corrected"])} if "corrected" in facts else {}
    others |= {"annotations": polygons, "largest_decode": largest_decode, "unknown": tuple(facts.get("unknown", ()))}
    parts = tuple(map(Path, image[1:]))
    return ImageEntry(name, picture, paths, values, annotated=annotated, number=number, parts=parts, **others)


def existing_root(root: Path | None, *, dataset: str, source: str, layout: str) -> Path:
    """Root folder of a data set; the error says where to get it and how it must look."""
    if root is not None and root.is_dir():
        return root
    remedy = f"""Get the data{f" from {source}" if source else ""} and give the folder: """
    remedy += f"""--config roots='{{"{dataset}": "/path/to/it"}}' (relative to the working folder), or root in the manifest."""
    raise MissingDataError(
        f"The root of data set {dataset!r} is missing.",
        where=f"datasets.{dataset}.root",
        found=root if root is not None else "no root given",
        expected=layout,
        remedy=remedy,
    )


def checked_entries(
    entries: Iterable[ImageEntry], *, dataset: str, codes: Sequence[str], where: str
) -> tuple[ImageEntry, ...]:
    """Image entries in text order of their ids, after the checks: unique ids, usable names, every class somewhere.

    Raises
    ------
    ManifestError
        No image at all; two files with one id; a name that is not UTF-8; a class without any file.
    """
    found = sorted(entries, key=lambda entry: entry.image_id)
    if not found:
        raise ManifestError(
            f"Data set {dataset!r} has no images.",
            where=where,
            found="no file that matches",
            expected="at least one image",
            remedy="Check the root and the patterns of the manifest.",
        )
    _check_names(found)
    _check_ids(found, dataset=dataset, where=where)
    _check_classes(found, dataset=dataset, codes=codes, where=where)
    return tuple(found)


def _check_ids(entries: Sequence[ImageEntry], *, dataset: str, where: str) -> None:
    for first, second in pairwise(sorted(entries, key=lambda entry: entry.image_id.lower())):
        # Some systems ignore case in file names, so ids ignore it everywhere.
        if first.image_id.lower() == second.image_id.lower():
            raise ManifestError(
                f"Two images of data set {dataset!r} have one id.",
                where=where,
                found=f"{first.image} gives {first.image_id!r}, {second.image} gives {second.image_id!r}",
                expected="ids that differ in more than upper and lower case",
                remedy="Rename one file, or narrow the pattern of the images.",
            )


def _check_names(entries: Sequence[ImageEntry]) -> None:
    for path in (path for entry in entries for path in entry.files.values()):
        if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
            raise ManifestError(
                "The name of a file cannot be used.",
                where=path,
                found="bytes that are no UTF-8",
                expected="names in UTF-8",
                remedy="Rename the file or the folder.",
            )


def _check_classes(entries: Sequence[ImageEntry], *, dataset: str, codes: Sequence[str], where: str) -> None:
    if any(entry.label or entry.annotations for entry in entries) or all(entry.image is None for entry in entries):
        return
    seen = {code for entry in entries for code, _ in entry.masks}
    missing = [code for code in codes if code not in seen]
    if missing:
        raise ManifestError(
            f"Classes of data set {dataset!r} have no mask file at all.",
            where=where,
            found=f"{', '.join(missing)}: 0 files beside {len(entries)} images",
            expected="at least one mask file of each class",
            remedy="Check the pattern of the masks, or take the class out of the manifest.",
        )
