"""Facts of a data set: ``datasets_manifest.yaml`` as frozen records; never parameters."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.config.colours import COLOURS, rgb
from pipeline.config.validation import validate
from pipeline.config.values import SafeName
from pipeline.config.yaml_file import load_yaml
from pipeline.errors import ManifestError
from pipeline.words import BACKGROUND, by_priority, lesions

__all__ = [
    "ClassRecord",
    "DatasetRecord",
    "FolderLayout",
    "Lookup",
    "ManifestRecord",
    "PhantomLayout",
    "load_manifest",
    "resolved_root",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ClassRecord(_Strict):
    """One class of the truth; background is implied and never listed."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=32)]
    """Identifier, used in column names and file names."""
    name: str
    """Name for people."""
    colour: str = "red"
    """``#RRGGBB`` or one of a few names."""
    kind: Literal["lesion", "anatomy"] = "lesion"
    """Averages over lesions leave anatomy out."""

    @model_validator(mode="after")
    def _colour(self) -> Self:
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", self.colour) and self.colour not in COLOURS:
            raise ValueError(f"colour {self.colour!r} is neither #RRGGBB nor one of {', '.join(COLOURS)}")
        return self

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three bytes."""
        return rgb(self.colour)


def _check_expression(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


class Lookup(_Strict):
    """Lookup of a fact about an image: its group or its centre."""

    pattern: str | None = None
    """Regular expression searched in the image id; its first group (or the whole match) is the answer."""
    csv: str | None = None
    """Table with a column ``image_id`` and one for the answer; relative to the root of the data set."""
    column: str | None = None
    """Column of the CSV; the name of the fact where it is not given."""
    partial: bool = False
    """Whether a table of groups may leave out annotated images, each of which is then a patient of its own."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.pattern is None) == (self.csv is None):
            raise ValueError("give exactly one of pattern and csv")
        if self.pattern is not None:
            _check_expression(self.pattern)
        return self


Label: TypeAlias = Annotated[int, Field(ge=0)]
"""Value of a label image."""


class FolderLayout(_Strict):
    """Layout of a folder of pictures or slides: patterns of its images and masks, relative to the root.

    ``{image}`` stands for the id of the image, ``{group}`` for the folder of its patient, whose name is then part of
    the id and the group unless another is given, ``*`` for anything within one folder name and ``**/`` for any folders.
    """

    images: str
    """Pattern of the images, such as ``images/{image}.jpg``."""
    masks: dict[str, str] = {}
    """Class code → pattern of its masks; every pixel that is not black belongs to the class.

    Masks with noise of a JPEG or with anti-aliased rims are cut above 127."""
    label: str | None = None
    """Pattern of label images with one value per class, instead of masks."""
    values: dict[str, Label | Annotated[tuple[Label, ...], Field(min_length=1)]] = {}
    """Class code → value, or list of values, in the label images; 0 is background, and others are refused."""
    ignore: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Values of "not sure" in the label images, or in masks that hold nothing else beside two values; see `DatasetRecord.ignore`."""
    annotations: str | None = None
    """Pattern of GeoJSON files with polygons in pixels of the image, instead of masks; their features name classes."""
    origin: Literal["bounds", "level0"] = "bounds"
    """Where polygons of slides count from, read and written: OpenSlide's bounds, as in QuPath, or the corner of level 0."""
    unclassified: str | None = None
    """Code of the class of features without classification; null: they are passed over and counted."""
    reviewed: Literal["negative"] | None = None
    """negative: an image without any file of truth was looked at and holds none; null: it is only predicted."""
    test: str | None = None
    """Regular expression over the path of the image, relative to the root: a match belongs to the official test."""

    @model_validator(mode="after")
    def _one_truth(self) -> Self:
        if "{image}" not in self.images:
            raise ValueError(f"images {self.images!r} needs {{image}}, the part that names the image")
        if self.test is not None:
            _check_expression(self.test)
        if self.label is not None and (self.masks or not self.values):
            raise ValueError("label needs values and excludes masks")
        if self.label is None and self.values:
            raise ValueError("values needs label")
        self._check_ignore()
        if self.annotations is not None and (self.masks or self.label is not None):
            raise ValueError("annotations exclude masks and label")
        if self.unclassified is not None and self.annotations is None:
            raise ValueError("unclassified needs annotations")
        for pattern in [*self.masks.values(), self.label, self.annotations]:
            if pattern is not None and "{image}" not in pattern:
                raise ValueError(f"pattern {pattern!r} needs {{image}}, the part that names the image")
            if pattern is not None and ("{group}" in pattern) != ("{group}" in self.images):
                raise ValueError(
                    f"{{group}} must stand in the patterns of images and of truth, or in none: {pattern!r}"
                )
        return self

    def _check_ignore(self) -> None:
        if self.ignore and self.label is None and not self.masks:
            raise ValueError("ignore needs label or masks")
        if both := sorted({*self.ignore} & {value for values in self.labels.values() for value in values}):
            raise ValueError(f"values {', '.join(map(str, both))} of ignore are values of a class too")

    @property
    def labels(self) -> dict[str, tuple[int, ...]]:
        """Class code → all its values in the label images."""
        return {code: found if isinstance(found, tuple) else (found,) for code, found in self.values.items()}


class PhantomLayout(_Strict):
    """Synthetic images whose truth is known."""

    world: Literal["fundus", "histology"]
    """What they show."""
    images: Annotated[int, Field(ge=1)] = 6
    """How many."""
    test: Annotated[int, Field(ge=0)] = 0
    """How many of them, the last ones, are the official test."""
    size: Annotated[int, Field(ge=64)] = 1411
    """Side of an image in pixels."""
    seed: int = 0
    """Seed of the phantom itself; a fact of the data set, not the seed of a run."""


class DatasetRecord(_Strict):
    """Everything that is known of a data set before a file is opened."""

    title: str
    """Name for people."""
    adaptor: Literal["idrid", "digestpath", "folder", "slide", "phantom"]
    """Which module of ``pipeline.raw`` reads it."""
    root: str | None = None
    """Folder, relative to the manifest or absolute; null where the user gives it by ``roots``."""
    source: str = ""
    """Where to get it."""
    licence: str = "unknown"
    """Under which terms."""
    modality: Literal["fundus", "histology"]
    """Which recipe is the default."""
    task: Literal["multiclass", "multilabel", "binary"]
    """multiclass: one class a pixel; multilabel: any number; binary: one class."""
    classes: Annotated[tuple[ClassRecord, ...], Field(min_length=1)]
    """In the order of every class axis."""
    priority: tuple[str, ...] = ()
    """Codes, first wins, where a pixel of overlapping classes can have only one; the order of classes by default."""
    pixel_size_um: Annotated[float, Field(gt=0, le=200, allow_inf_nan=False)] | None = None
    """Side of a pixel in micrometres, where known for all images."""
    significant_bits: Annotated[int, Field(ge=9, le=16)] | None = None
    """Bits that 16-bit samples of the images use, as of a camera of 10, 12 or 14; 16 for dark pictures that use all."""
    missing_mask: Literal["negative", "unknown"] = "negative"
    """What an annotated image without a mask file of a class means: none of it, or nobody looked.

    An image with masks of some classes then trains and is measured with these; the others are unknown in it.
    """
    group: Lookup | None = None
    """How the patient is found; each image is its own group without it."""
    centre: Lookup | None = None
    """How the hospital or scanner is found."""
    folder: FolderLayout | None = None
    """Layout, for the adaptor ``folder``."""
    slide: FolderLayout | None = None
    """Layout, for the adaptor ``slide``; its masks may have the size of any level of the slide."""
    phantom: PhantomLayout | None = None
    """Layout, for the adaptor ``phantom``."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        codes = self.codes
        if len({code.lower() for code in codes}) != len(codes):
            raise ValueError(f"class codes {', '.join(codes)} are not unique (case does not count)")
        if BACKGROUND in {code.lower() for code in codes}:
            raise ValueError("background is implied and cannot be a class")
        if self.priority and sorted(self.priority) != sorted(codes):
            raise ValueError(f"priority {', '.join(self.priority)} must name each class once: {', '.join(codes)}")
        if self.task == "binary" and len(codes) != 1:
            raise ValueError(f"task binary needs exactly one class, found {', '.join(codes)}")
        if self.adaptor == "digestpath" and len(codes) != 1:
            raise ValueError(f"adaptor digestpath knows one class, found {', '.join(codes)}")
        for adaptor in ("folder", "slide", "phantom"):
            if (self.adaptor == adaptor) != (getattr(self, adaptor) is not None):
                raise ValueError(f"the block {adaptor} belongs to adaptor {adaptor} and is needed there")
        named = {*(self.layout.masks if self.layout else ()), *(self.layout.values if self.layout else ())}
        if named and named != set(codes):
            raise ValueError(f"{self.adaptor} names classes {', '.join(sorted(named))}; classes are {', '.join(codes)}")
        if self.layout and self.layout.unclassified not in (None, *codes):
            raise ValueError(f"unclassified {self.layout.unclassified!r} is no class; classes are {', '.join(codes)}")
        return self

    @property
    def layout(self) -> FolderLayout | None:
        """The layout of a folder of pictures or slides."""
        return self.folder or self.slide

    @property
    def ignore(self) -> tuple[int, ...]:
        """Values of truth files that say "not sure"; such pixels are outside loss, measures and sampling."""
        return self.layout.ignore if self.layout else ()

    @property
    def truth_planes(self) -> int:
        """Planes that the truth of an image takes: its classes, and the ignored pixels where there may be any."""
        return len(self.classes) + bool(self.ignore)

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in manifest order."""
        return tuple(each.code for each in self.classes)

    @property
    def lesion_codes(self) -> tuple[str, ...]:
        """Codes of the lesion classes in manifest order; of all where there is only anatomy."""
        return lesions({each.code: each.kind for each in self.classes})

    @property
    def order(self) -> tuple[str, ...]:
        """Class codes by overlap priority, the winner first."""
        return by_priority(self.codes, self.priority)


class ManifestRecord(_Strict):
    """The whole file."""

    datasets: dict[SafeName, DatasetRecord]
    """Name → data set."""


def resolved_root(record: DatasetRecord, *, manifest: Path, given: str | None) -> Path | None:
    """The folder of a data set: ``given`` relative to the working folder wins, then the manifest's own."""
    if given is not None:
        return Path(given)
    return None if record.root is None else manifest.parent / record.root


def load_manifest(path: Path) -> ManifestRecord:
    """Read and check a manifest."""
    return validate(ManifestRecord, load_yaml(path, error=ManifestError), source=str(path), error=ManifestError)
