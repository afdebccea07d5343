"""Facts of a data set: ``datasets_manifest.yaml`` as frozen records; never parameters."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from pipeline.config.colours import COLOURS, rgb
from pipeline.config.layouts import FolderLayout, Lookup, ManifestPart, PhantomLayout
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
    """Everything that is known of a data set before a file is opened."""

    title: str
    """Name for people."""
    adaptor: Literal["idrid", "digestpath", "folder", "slide", "phantom"]
    """Which module of ``pipeline.raw`` reads it."""
    root: str | None = None
    """Folder, relative to the manifest or absolute; null where the user gives it by ``roots``."""
    corrections: str | None = None
    """Folder of corrections, a file ``{image}.geojson`` for an image, whose polygons are its truth instead of its own files.

    Relative to the manifest, or absolute; see docs/corrections.md."""
    source: str = ""
    """Where to get it."""
    licence: str = "unknown"
    """Under which terms."""
    untried: bool = False
    """Whether this describes a published layout and was never tried on the files themselves, which `check` says."""
    modality: Literal["fundus", "histology"]
    """Which recipe is the default."""
    task: Task
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
    def shown(self) -> tuple[dict[str, str], ...]:
        """Name and colour of each class, for those who look; no value depends on them."""
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
    """The folder of corrections of a data set: ``given`` relative to the working folder wins, then the manifest's own."""
    if given is not None:
        return Path(given)
    return None if record.corrections is None else manifest.parent / record.corrections


def resolved_root(record: DatasetRecord, *, manifest: Path, given: str | None) -> Path | None:
    """The folder of a data set: ``given`` relative to the working folder wins, then the manifest's own."""
    if given is not None:
        return Path(given)
    return None if record.root is None else manifest.parent / record.root


def load_manifest(path: Path) -> ManifestRecord:
    """Read and check a manifest."""
    return validate(ManifestRecord, load_yaml(path, error=ManifestError), source=str(path), error=ManifestError)
