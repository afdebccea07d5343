"""Facts of a data set: ``datasets_manifest.yaml`` as frozen records; never parameters."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from pipeline.config.colours import COLOURS, rgb
from pipeline.config.layouts import FolderLayout, Lookup, ManifestPart, PhantomLayout
from pipeline.config.validation import OPEN, validate
from pipeline.config.values import PathText, SafeName
from pipeline.config.yaml_file import lines_with, load_yaml
from pipeline.errors import ManifestError
from pipeline.words import BACKGROUND, by_priority, lesions

__all__ = [
    "ClassRecord",
    "DatasetRecord",
    "FolderLayout",
    "Lookup",
    "ManifestRecord",
    "PhantomLayout",
    "Task",
    "load_manifest",
    "resolved_corrections",
    "resolved_root",
]

Task: TypeAlias = Literal["multiclass", "multilabel", "binary"]


class ClassRecord(ManifestPart):
    """One class of the truth; background is implied and never listed."""

    code: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=32)]
    """Identifier, used in column names and file names."""
    name: str
    """Name for people."""
    colour: str = "red"
    """``#RRGGBB`` or one of a few names."""
    kind: Literal["lesion", "anatomy"] = "lesion"
    """Averages over lesions leave anatomy out."""
    aliases: tuple[str, ...] = ()
    """Further names of the class in files of polygons."""

    @model_validator(mode="after")
    def _colour(self) -> Self:
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", self.colour) and self.colour not in COLOURS:
            raise ValueError(f"colour {self.colour!r} is neither #RRGGBB nor one of {', '.join(COLOURS)}")
        return self

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three bytes."""
        return rgb(self.colour)

    @property
    def hexadecimal(self) -> str:
        """The colour as ``#RRGGBB``."""
        return "#{:02X}{:02X}{:02X}".format(*self.rgb)


class DatasetRecord(ManifestPart):
    """Everything known about a data set before a file is opened."""

    title: str
    """Name for people."""
    adaptor: Literal["idrid", "digestpath", "folder", "slide", "phantom"]
    """Module of ``pipeline.raw`` that reads it."""
    root: PathText | None = None
    """Folder, relative to the manifest or absolute; null where the user sets it by ``roots``."""
    corrections: PathText | None = None
    """Folder of corrections: polygons in a file ``{image}.geojson`` replace the truth files of that image.

    Relative to the manifest, or absolute; see docs/corrections.md."""
    source: str = ""
    """Where to get it."""
    licence: str = "unknown"
    """Licence and terms of use."""
    untried: bool = False
    """Whether this follows a published layout and was never tested on the files themselves; `check` says so."""
    modality: Literal["fundus", "histology"]
    """Modality; it names the default recipe."""
    task: Task
    """multiclass: one class per pixel; multilabel: any number; binary: a single class."""
    classes: Annotated[tuple[ClassRecord, ...], Field(min_length=1)]
    """In the order of every class axis."""
    priority: tuple[str, ...] = ()
    """Codes by priority, the first wins, where a pixel of overlapping classes can have only one; by default the order
    of classes."""
    pixel_size_um: Annotated[float, Field(gt=0, le=200, allow_inf_nan=False)] | None = None
    """Side of a pixel in micrometres, where known for all images."""
    significant_bits: Annotated[int, Field(ge=9, le=16)] | None = None
    """Bits in use in 16-bit samples of the images, such as 10, 12 or 14 from a camera; 16 for dark images that use
    all."""
    missing_mask: Literal["negative", "unknown"] = "negative"
    """Meaning of a missing mask file of a class in an annotated image: the class is absent, or nobody looked for it.

    In the second case an image with masks of some classes is used for training and measures of these; the others are
    unknown in it.
    """
    group: Lookup | None = None
    """Lookup of the patient; without it each image is its own group."""
    centre: Lookup | None = None
    """Lookup of the hospital or scanner."""
    folder: FolderLayout | None = None
    """Layout, for the adaptor ``folder``."""
    slide: FolderLayout | None = None
    """Layout for the adaptor ``slide``; masks may have the size of any level of the slide."""
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
        """The layout of a folder of images or slides."""
        return self.folder or self.slide

    @property
    def ignore(self) -> tuple[int, ...]:
        """Values of truth files that mean "not sure"; such pixels are excluded from loss, measures and sampling."""
        return self.layout.ignore if self.layout else ()

    @property
    def truth_planes(self) -> int:
        """Number of truth planes of an image: its classes, and the ignored pixels where there may be any."""
        return len(self.classes) + bool(self.ignore)

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in manifest order."""
        return tuple(each.code for each in self.classes)

    @property
    def shown(self) -> tuple[dict[str, str], ...]:
        """Name and colour of each class, for display; no value depends on them."""
        return tuple({"name": each.name, "colour": each.hexadecimal} for each in self.classes)

    @property
    def lesion_codes(self) -> tuple[str, ...]:
        """Codes of the lesion classes in manifest order; of all where there is only anatomy."""
        return lesions({each.code: each.kind for each in self.classes})

    @property
    def order(self) -> tuple[str, ...]:
        """Class codes by overlap priority, the winner first."""
        return by_priority(self.codes, self.priority)


class ManifestRecord(ManifestPart):
    """The whole file."""

    datasets: dict[SafeName, DatasetRecord]
    """Name → data set."""


def resolved_corrections(record: DatasetRecord, *, manifest: Path, given: str | None) -> Path | None:
    """The folder of corrections of a data set: ``given``, relative to the working folder, wins over the manifest's."""
    if given is not None:
        return Path(given)
    return None if record.corrections is None else manifest.parent / record.corrections


def resolved_root(record: DatasetRecord, *, manifest: Path, given: str | None) -> Path | None:
    """The folder of a data set: ``given``, relative to the working folder, wins over the manifest's."""
    if given is not None:
        return Path(given)
    return None if record.root is None else manifest.parent / record.root


def load_manifest(path: Path) -> ManifestRecord:
    """Read and check a manifest."""
    tree, lines = load_yaml(path, error=ManifestError), lines_with(OPEN, path=path)
    return validate(ManifestRecord, tree, source=str(path), error=ManifestError, open_lines=lines)
