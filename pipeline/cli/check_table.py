"""Table of a data set before a run: its images and truth, its results, and the time, disk and memory of each stage."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cli.check_splits import ExpectedSplits
from pipeline.config.run import DatasetRun
from pipeline.counts import number_of
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import picture_of
from pipeline.raw.datasets.left_over import left_over
from pipeline.raw.datasets.tables import named_and_counted
from pipeline.runtime.disk import expected_disk
from pipeline.runtime.durations import Machine, expected_times
from pipeline.runtime.job_memory import Picture, stage_memory
from pipeline.words import SPLITS

if TYPE_CHECKING:
    from pipeline.report.zoom.size import ZoomSize

__all__ = ["describe", "duration", "in_bytes"]

GIGABYTE, MEGABYTE, KILOBYTE, MEBIBYTE = 1e9, 1e6, 1e3, 2**20
MINUTE, HOUR = 60, 3600
UNTRIED = "as published, and never tried on the files themselves: compare the counts below with what you have"
ABOUT = "the run's split goes by the classes that are in the images, which stage raw counts"
GPU = Path("/proc/driver/nvidia/version")


def describe(console: Console, run: DatasetRun, entries: Sequence[ImageEntry], found: ExpectedSplits) -> float:
    """Bytes of the future results of a data set, whose table is printed.

    Parameters
    ----------
    console
        Console for the output.
    run
        The data set.
    entries
        Its images.
    found
        Expected splits.
    """
    splits = found.splits
    pictures = [size for entry in entries if (size := picture_of(entry, record=run.record))]
    table = Table(title=escape(_title(run)), title_justify="left", show_header=False)
    for name, text in _of_images(run, entries, found, pictures):
        table.add_row(name, escape(text))
    splits_csv, corrections = run.config.raw.splits_csv, run.corrections
    for sentence in left_over(run.record, entries=entries, root=run.root, splits=splits_csv, corrections=corrections):
        table.add_row("[red]left over[/red]", escape(sentence))
    models = run.config.model.models.items()
    table.add_row("samplings", ", ".join(run.config.index.samplings))
    lengths = {k: number_of(m.steps, "step") if m.steps else number_of(m.epochs, "epoch") for k, m in models}
    random = {k: f", {m.encoder} from random weights" if m.encoder_weights == "none" else "" for k, m in models}
    table.add_row("models", ", ".join(f"{k} ({m.network}{random[k]}, {lengths[k]})" for k, m in models))
    table.add_row("fusions", ", ".join(run.config.probability.fusions))
    if run.arms:
        counts = Counter(arm.experiment for arm in run.arms)
        table.add_row("experiments", ", ".join(f"{name} ({number_of(count, 'arm')})" for name, count in counts.items()))
    shares, classes = _shares(run, entries, splits), len(run.record.codes)
    for name, text in _of_time(run, pictures, shares):
        table.add_row(name, text)
    evaluated = sum(shares[split] for split in run.config.probability.splits)
    of_run: dict[str, Any] = {"classes": classes, "evaluated_share": evaluated, "config": run.config}
    disk, zoom = expected_disk(pictures, **of_run), _zoom_size(pictures, **of_run)
    disk["report"] += zoom.bytes
    large = {name: size for name, size in disk.items() if size >= MEGABYTE}
    table.add_row("disk", f"about {in_bytes(sum(disk.values()))}: {_listed(large, in_bytes)}")
    if zoom.pages:
        said = f"{number_of(zoom.pages, 'page')}, at most {zoom.files} files, about {in_bytes(zoom.bytes)} of the disk"
        table.add_row("deep zoom", said)
    memory = stage_memory(run.config, pictures, classes=classes)
    gigabytes = (f"{word} {size * MEBIBYTE / GIGABYTE:.1f} GB" for word, size in memory.items())
    table.add_row("memory of a job", ", ".join(gigabytes))
    console.print(table)
    return sum(disk.values())


def _zoom_size(pictures: Sequence[Picture], **of_run: Any) -> "ZoomSize":  # noqa: ANN401 as they are handed on
    from pipeline.report.zoom.size import zoom_size  # Image libraries, which no other command needs so early.

    return zoom_size(pictures, **of_run)


def _of_images(
    run: DatasetRun, entries: Sequence[ImageEntry], found: ExpectedSplits, pictures: Sequence[Picture]
) -> Iterator[tuple[str, str]]:
    if run.record.untried:
        yield "layout", UNTRIED
    yield "images", f"{len(entries)}: {_roles(entries)}"
    if found.splits:
        counts = Counter(found.splits.values())
        said = ", ".join(f"{counts[split]} {split}" for split in SPLITS if counts[split])
        yield "splits", said if found.exact else f"about {said}; {ABOUT}"
    if corrected := [entry.image_id for entry in entries if entry.corrected is not None]:
        yield (
            "corrections",
            f"polygons are the truth of {named_and_counted(corrected)} images instead of their own files",
        )
    if pictures:
        sizes = [(each.height, each.width) for each in pictures]
        high, wide = ("–".join(map(str, sorted({min(each), max(each)}))) for each in zip(*sizes, strict=True))
        yield "size", f"{wide}×{high} pixels, width × height"
    if run.record.group is not None:
        alone = sum(entry.group == entry.image_id for entry in entries)
        yield "groups", f"{len({entry.group for entry in entries})}; {alone} images are a group of their own"
    others = [name for name in ("label", "annotations") if any(getattr(entry, name) for entry in entries)]
    for code in run.record.codes if run.root else ():
        count = sum(code in dict(entry.masks) for entry in entries)
        unknown = sum(code in entry.unknown for entry in entries)
        plain = f"{count}; unknown in {unknown} annotated images" if unknown else str(count)
        yield f"masks {code}", f"in files of {others[0]}" if others else plain


def _title(run: DatasetRun) -> str:
    return run.entry if run.record.title == run.entry else f"{run.entry}: {run.record.title}"


def _roles(entries: Sequence[ImageEntry]) -> str:
    test = sum(entry.official_test and entry.annotated for entry in entries)
    predict = sum(not entry.annotated for entry in entries)
    return f"{len(entries) - test - predict} with truth to split, {test} in an official test set, {predict} only to predict"


def _shares(run: DatasetRun, entries: Sequence[ImageEntry], splits: Mapping[str, str]) -> dict[str, float]:
    """Share of the images in each split; only approximate for phantoms, whose patients are not known before."""
    if splits:
        counts = Counter(splits.values())
        return {split: counts[split] / len(splits) for split in SPLITS}
    test = sum(entry.official_test and entry.annotated for entry in entries) / len(entries)
    predict = sum(not entry.annotated for entry in entries) / len(entries)
    rest, validation = 1 - test - predict, run.config.raw.validation_share
    return {"train": rest * (1 - validation), "validation": rest * validation, "test": test, "predict": predict}


def _of_time(run: DatasetRun, pictures: Sequence[Picture], shares: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    machine, phantom = Machine.here(), run.record.phantom is not None
    found = expected_times(
        run.config, pictures, classes=len(run.record.codes), phantom=phantom, splits=shares, machine=machine
    )
    walls = {word: each.wall for word, each in found.items()}
    gpu = "; less with the GPU" if GPU.exists() else ""
    on = f"{number_of(machine.processors, 'processor')} (-j{machine.processors}){gpu}"
    # Which results are made already only the workflow knows.
    yield "time", f"about {duration(sum(walls.values()))} from nothing, on {on}: {_listed(walls, duration)}"


def _listed(sizes: Mapping[str, float], said: Callable[[float], str]) -> str:
    return ", ".join(f"{name} {said(size)}" for name, size in sizes.items())


def duration(seconds: float) -> str:
    """Duration in the unit that suits it.

    Examples
    --------
    >>> duration(42.3), duration(200), duration(9000)
    ('42 s', '3 min', '2.5 h')
    """
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    return f"{seconds / MINUTE:.0f} min" if seconds < 2 * HOUR else f"{seconds / HOUR:.1f} h"


def in_bytes(size: float) -> str:
    """Number of bytes in the unit that suits it.

    Examples
    --------
    >>> in_bytes(2e5), in_bytes(8.4e6), in_bytes(2.5e9)
    ('200 kB', '8 MB', '2.5 GB')
    """
    if size < MEGABYTE:
        return f"{size / KILOBYTE:.0f} kB"
    return f"{size / MEGABYTE:.0f} MB" if size < GIGABYTE else f"{size / GIGABYTE:.1f} GB"
