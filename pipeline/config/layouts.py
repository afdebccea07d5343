"""Layouts of a data set's files in the manifest: tables of facts, patterns of images and truth, phantoms."""

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.config.values import PathText

__all__ = ["FolderLayout", "Lookup", "ManifestPart", "PhantomLayout"]


class ManifestPart(BaseModel):
    """Part of the manifest: strict and frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _check_expression(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


class Lookup(ManifestPart):
    """Lookup of a fact about an image: its group or its centre."""

    pattern: str | None = None
    """Regular expression searched in the image id; its first group (or the whole match) is the answer."""
    csv: PathText | None = None
    """Table with a column ``image_id`` and one for the answer; relative to the root of the data set."""
    column: str | None = None
    """Column of the CSV; by default the name of the fact."""
    image_column: str = "image_id"
    """Column of the CSV that names the images."""
    partial: bool = False
    """Whether a table of groups may omit annotated images; each omitted image is then its own patient."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.pattern is None) == (self.csv is None):
            raise ValueError("give exactly one of pattern and csv")
        if self.pattern is not None:
            _check_expression(self.pattern)
        return self


Label: TypeAlias = Annotated[int, Field(ge=0)]
"""Value of a label image."""
LabelRange: TypeAlias = Annotated[str, Field(pattern=r"^\d{1,5}-\d{1,5}$")]
"""First and last value of a range."""


def _labels_of(found: int | str | tuple[int, ...]) -> tuple[int, ...]:
    if isinstance(found, str):
        first, last = map(int, found.split("-"))
        if not 0 < first <= last:
            raise ValueError(f"values {found} are no range above 0, such as 1-255")
        return tuple(range(first, last + 1))
    return found if isinstance(found, tuple) else (found,)


class FolderLayout(ManifestPart):
    """Layout of a folder of images or slides: patterns of its images and masks, relative to the root.

    ``{image}`` stands for the id of the image, ``*`` for anything within one folder name and ``**/`` for any folders.
    ``{group}`` stands for the folder of the patient; its name becomes part of the id, and is the group unless another
    one is given.
    """

    images: str
    """Pattern of the images, such as ``images/{image}.jpg``, or ``{image}.ome.zarr`` for folders of OME-Zarr."""
    masks: dict[str, str] = {}
    """Class code → pattern of its masks; every non-black pixel belongs to the class.

    Masks with JPEG noise or anti-aliased rims are thresholded above 127."""
    label: str | None = None
    """Pattern of label images with one value per class, instead of masks."""
    values: dict[str, Label | LabelRange | Annotated[tuple[Label, ...], Field(min_length=1)]] = {}
    """Class code → value, list of values, or range such as ``1-255`` (numbered objects) in the label images.

    0 is background; other values are refused."""
    ignore: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """"Not sure" values in the label images, or in masks with only two other values."""
    annotations: str | None = None
    """Pattern of GeoJSON files with polygons in pixels of the image, instead of masks; their features name classes."""
    origin: Literal["bounds", "level0"] = "bounds"
    """Origin of polygon coordinates of slides, read and written: OpenSlide's bounds, as in QuPath, or the corner of
    level 0."""
    unclassified: str | None = None
    """Code of the class of features without classification; null: they are skipped and counted."""
    excluded: tuple[str, ...] = ()
    """Names in the files of polygons whose areas are removed from every class."""
    reviewed: Literal["negative"] | None = None
    """negative: an image without any file of a lesion was examined and has none; null: without any truth it is only
    predicted. Of anatomy without a file nothing is known, unless ``missing_mask`` is negative."""
    negative: str | None = None
    """Regular expression for the path of the image, relative to the root: a match was examined and has no lesion, as with
    ``reviewed``.

    If it has a file of a lesion, a label image or polygons, these count instead."""
    test: str | None = None
    """Regular expression for the path of the image, relative to the root: a match belongs to the official test set."""

    @model_validator(mode="after")
    def _one_truth(self) -> Self:
        if "{image}" not in self.images:
            raise ValueError(f"images {self.images!r} needs {{image}}, the part that names the image")
        for expression in (self.test, self.negative):
            if expression is not None:
                _check_expression(expression)
        if self.label is not None and (self.masks or not self.values):
            raise ValueError("label needs values and excludes masks")
        if self.label is None and self.values:
            raise ValueError("values needs label")
        self._check_labels()
        if self.annotations is not None and (self.masks or self.label is not None):
            raise ValueError("annotations exclude masks and label")
        if self.annotations is None and (self.unclassified or self.excluded):
            raise ValueError(f"{'unclassified' if self.unclassified else 'excluded'} needs annotations")
        self._check_patterns()
        return self

    def _check_patterns(self) -> None:
        for pattern in [*self.masks.values(), self.label, self.annotations]:
            if pattern is not None and "{image}" not in pattern:
                raise ValueError(f"pattern {pattern!r} needs {{image}}, the part that names the image")
            if pattern is not None and ("{group}" in pattern) != ("{group}" in self.images):
                raise ValueError(
                    f"{{group}} must stand in the patterns of images and of truth, or in none: {pattern!r}"
                )

    def _check_labels(self) -> None:
        labels = self.labels
        if self.ignore and self.label is None and not self.masks:
            raise ValueError("ignore needs label or masks")
        if both := sorted({*self.ignore} & {value for values in labels.values() for value in values}):
            raise ValueError(f"values {', '.join(map(str, both))} of ignore are values of a class too")

    @property
    def labels(self) -> dict[str, tuple[int, ...]]:
        """Class code → all its values in the label images."""
        return {code: _labels_of(found) for code, found in self.values.items()}


class PhantomLayout(ManifestPart):
    """Synthetic images whose truth is known."""

    world: Literal["fundus", "histology"]
    """What they show."""
    images: Annotated[int, Field(ge=1, le=10**5)] = 6
    """How many."""
    test: Annotated[int, Field(ge=0, le=10**5)] = 0
    """How many of them, the last ones, are the official test set."""
    size: Annotated[int, Field(ge=64, le=2**17)] = 1411
    """Side of an image in pixels."""
    seed: int = 0
    """Seed of the phantom itself; a fact of the data set, not the seed of a run."""
