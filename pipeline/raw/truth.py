"""Truth masks of one image: mask files, a label image or polygons, read for any box of any grid over the image."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.arrays.resample import resampled_mask
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.annotations import read_annotations
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.formats.reader import ValueSource, open_values
from pipeline.raw.formats.reading import Reading
from pipeline.raw.formats.source import checked_box, unusable
from pipeline.raw.phantom.make import phantom
from pipeline.raw.truth_values import ValueCounts, check_labels, count_values, mask_cut

__all__ = ["TruthSource", "has_size", "open_truth"]

MASK_BYTES = 2**26
"""Most decoded pieces of mask files in memory, all classes together."""


class TruthSource:
    """Truth masks of an image, open. Reading is pure and may be done from several threads."""

    def __init__(
        self,
        layers: tuple[Raster[np.bool_] | None, ...],
        *,
        notes: Mapping[str, Any] | None = None,
        values: Mapping[str, ValueCounts] | None = None,
        cuts: Mapping[str, int] | None = None,
        ignored: Sequence[Raster[np.bool_]] | None = None,
    ) -> None:
        """Masks as stored, in the order of the classes; None for a class without a mask.

        ``notes`` is an account of polygons, see `pipeline.raw.annotations.Annotations`. ``ignored`` are the uncertain
        pixels of each file; None where the data set declares none.
        """
        self._layers, self._ignored = layers, ignored
        self.polygons = dict(notes or {})
        self.values = dict(values or {})
        """Value counts of each mask file, by its class, or of the ``label`` image; empty if stage raw has counted
        them."""
        self.cuts = dict(cuts or {})
        """Cut of each mask file, by its class."""

    def on(self, height: int, width: int) -> Raster[np.uint8]:
        """Raster of the truth masks on a grid, 0 or 1, ``(class, h, w)``; classes in manifest order, overlaps kept.

        The grid covers the same field as the image. At the size of a stored mask it is the mask itself. On a coarser
        grid a pixel is set where at least half of it is covered. On a finer grid it takes the value under its centre.
        """
        masks = [None if layer is None else resampled_mask(layer, (height, width)) for layer in self._layers]

        def read(box: Box) -> NDArray[np.uint8]:
            checked_box(box, ((height, width),), level=0)
            truth = np.zeros((len(masks), box.height, box.width), np.uint8)
            for at, mask in enumerate(masks):
                if mask is not None:
                    truth[at] = mask.read(box)
            return truth

        return Raster((height, width), read)

    def ignored_on(self, height: int, width: int) -> Raster[np.uint8] | None:
        """Raster of the ignored pixels on a grid, 0 or 1, ``(h, w)``; None where the data set declares no such value.

        A pixel is ignored if any part of it is uncertain in any file and no class is truth there, so ignored pixels and
        truth never overlap.
        """
        if self._ignored is None:
            return None
        size = (height, width)
        parts = [resampled_mask(part, size, any_part=True) for part in self._ignored]
        truth = self.on(height, width)

        def read(box: Box) -> NDArray[np.uint8]:
            unsure = np.zeros((box.height, box.width), np.bool_)
            for part in parts:
                unsure |= part.read(box)
            return (unsure & ~truth.read(box).any(axis=0)).astype(np.uint8) if unsure.any() else unsure.astype(np.uint8)

        return Raster(size, read)


def has_size(found: tuple[int, int], *, of: tuple[int, int], any_level: bool) -> bool:
    """Size check: whether a mask has the size of an image or of any of its pyramid levels.

    A level has both sides reduced by the same factor, up to a pixel of rounding.
    """
    return found == of or (any_level and abs(found[0] / of[0] - found[1] / of[1]) <= 1 / of[0] + 1 / of[1])


def _fits(
    path: Path, code: str, found: tuple[int, int], *, entry: ImageEntry, size: tuple[int, int], any_level: bool
) -> None:
    if has_size(found, of=size, any_level=any_level):
        return
    expected = f"{size[1]}×{size[0]}, as {entry.image}" + (", or a level of it" if any_level else "")
    raise ImageRejected(
        "A mask has another size than its image.",
        where=f"{path} ({code})",
        found=f"{found[1]}×{found[0]} pixels (width × height)",
        expected=expected,
        remedy="Export the mask at image size.",
    )


def _of_mask(source: ValueSource, *, cut: int, ignore: tuple[int, ...]) -> Raster[np.bool_]:
    if not ignore:
        return Raster(source.shape, lambda box: np.asarray(source.read(box) > cut))

    def read(box: Box) -> NDArray[np.bool_]:
        values = source.read(box)
        return np.asarray((values > cut) & ~np.isin(values, ignore))

    return Raster(source.shape, read)


def _of_label(source: ValueSource, *, values: tuple[int, ...]) -> Raster[np.bool_]:
    if len(values) == 1:
        return Raster(source.shape, lambda box: np.asarray(source.read(box) == values[0]))
    return Raster(source.shape, lambda box: np.isin(source.read(box), values))


def _opened(
    entry: ImageEntry, *, labels: bool, workers: int, stack: ExitStack
) -> Iterator[tuple[str, Path, ValueSource]]:
    files = {"label": entry.label} if entry.label else dict(entry.masks)
    share = MASK_BYTES // max(len(files), 1)
    reading = Reading(workers, share, checked=entry.checked is not None, largest=entry.largest_decode)
    for code, path in files.items():
        source = stack.enter_context(open_values(path, labels=labels, reading=reading))
        if labels and source.lossy:
            expected = "a lossless label image: JPEG changes values"
            raise unusable(path, "a JPEG file", expected=expected, remedy="Export it as PNG or TIFF.")
        yield code, path, source


def _from_files(
    entry: ImageEntry, *, record: DatasetRecord, size: tuple[int, int], workers: int, stack: ExitStack
) -> TruthSource:
    layers: dict[str, Raster[np.bool_]] = {}
    counts: dict[str, ValueCounts] = {}
    cuts, unsure, ignore = {}, [], record.ignore
    any_level, labels = record.adaptor == "slide", record.layout.labels if entry.label and record.layout else {}
    known = dict(entry.checked.cuts) if entry.checked else {}
    declared = {each for values in labels.values() for each in values}
    for code, path, source in _opened(entry, labels=bool(labels), workers=workers, stack=stack):
        _fits(path, code, source.shape, entry=entry, size=size, any_level=any_level)
        found = None if entry.checked else count_values(source, path=path)
        counts |= {code: found} if found else {}
        if labels:
            if found:
                check_labels(found, declared=declared, ignore=ignore, path=path)
            layers |= {name: _of_label(source, values=values) for name, values in labels.items()}
        else:
            cuts[code] = mask_cut(source, found, path=path, ignore=ignore) if found else known[code]
            layers[code] = _of_mask(source, cut=cuts[code], ignore=ignore)
        unsure += [_of_label(source, values=ignore)] if ignore else []
    ignored = unsure if ignore else None
    return TruthSource(tuple(layers.get(code) for code in record.codes), values=counts, cuts=cuts, ignored=ignored)


def _drawn(entry: ImageEntry, *, record: DatasetRecord, size: tuple[int, int], origin: tuple[int, int]) -> TruthSource:
    layout = record.layout
    drawn = read_annotations(
        entry.annotations or Path(),
        classes=record.classes,
        size=size,
        origin=origin,
        unclassified=layout.unclassified if layout else None,
        excluded=layout.excluded if layout else (),
        correction=entry.corrected is not None,
    )
    return TruthSource(tuple(Raster(size, partial(drawn.read, code)) for code in record.codes), notes=drawn.notes)


@contextmanager
def open_truth(
    entry: ImageEntry,
    *,
    record: DatasetRecord,
    height: int,
    width: int,
    origin: tuple[int, int] = (0, 0),
    workers: int = 1,
) -> Iterator[TruthSource | None]:
    """Truth masks of an image, open for reading; None where nobody looked for lesions.

    Parameters
    ----------
    entry
        The image.
    record
        Its data set; a class without a file is empty.
    height, width
        Size of the image at its finest level.
    origin
        Origin of polygon coordinates, see `pipeline.raw.pixels.polygon_origin`.
    workers
        Threads that decode pieces.

    Raises
    ------
    ImageRejected
        A mask is damaged; a mask has another size than the image (adaptor ``slide``: than all its levels); polygons
        have only unknown classes, or all lie outside; a mask is not two-valued up to noise; a label image holds
        undeclared values.
    """
    if not entry.annotated:
        yield None
        return
    size = (height, width)
    if entry.annotations is not None:
        yield _drawn(entry, record=record, size=size, origin=origin)
        return
    if entry.image is None and record.phantom is not None:
        masks = phantom(record.phantom, number=entry.number).masks
        yield TruthSource(tuple(Raster.of(masks[code]) if code in masks else None for code in record.codes))
        return
    with ExitStack() as stack:
        yield _from_files(entry, record=record, size=size, workers=workers, stack=stack)
