"""Expected patches of each sampling before a run, and splits and folds from which nothing can be drawn."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.cli.check_splits import ExpectedSplits
from pipeline.config.run import DatasetRun
from pipeline.errors import ConfigurationError, SamplingError
from pipeline.index.expected import ExpectedPatches, drawn_patches, expected_patches
from pipeline.raw.data_warnings import DataWarning
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.datasets.headers import sample_of
from pipeline.words import LEARNED_SPLITS

__all__ = ["check_training", "few_patches", "patches_of", "said_of"]


def check_training(run: DatasetRun, entries: Sequence[ImageEntry], splits: Mapping[str, str]) -> None:
    """Refuse splits that leave nothing to train on, and folds without a patient.

    Parameters
    ----------
    run
        The data set.
    entries
        Its images.
    splits
        Image id → split; empty where not known yet.

    Raises
    ------
    ConfigurationError
        An error that would stop stage index or model.
    """
    annotated = {each.image_id for each in entries if each.annotated}
    if not splits or not annotated or not run.config.model.models:
        return
    if "train" not in splits.values():
        raise ConfigurationError(
            "No image trains.",
            where=f"{run.entry}: splits",
            found=f"{len(annotated)} images with truth, all of them {' or '.join(sorted({splits[each] for each in annotated}))}",
            expected="at least one image of split train",
            remedy="Free some images from the test, or give splits (raw: splits_csv).",
        )
    groups = {each.group for each in entries if splits.get(each.image_id) in LEARNED_SPLITS}
    folds = max((model.fold for model in run.config.model.models.values()), default=-1) + 1
    if folds and run.config.raw.folds > len(groups):
        raise ConfigurationError(
            "There are more folds than patients, so that some folds have no image.",
            where=f"configuration of {run.entry}: raw.folds",
            found=f"{run.config.raw.folds} folds, {len(groups)} patients outside the test",
            expected=f"at most {len(groups)} folds",
            remedy="Ask for fewer folds.",
        )


def patches_of(
    run: DatasetRun, entries: Sequence[ImageEntry], splits: ExpectedSplits, *, results: Path, deep: bool
) -> dict[str, ExpectedPatches]:
    """Patches of each sampling: those of its index if that exists, else patches drawn from decoded truth.

    Parameters
    ----------
    run
        The data set.
    entries
        Its images.
    splits
        Expected splits; if they are approximate, patches are an estimate too.
    results
        Folder of all results.
    deep
        Whether the truth of all training images is decoded, instead of a few.

    Raises
    ------
    SamplingError
        A sampling can draw nothing from all the truth.
    """
    names = [name for name, each in run.config.index.samplings.items() if each.strategy != "grid" and each.fold == -1]
    folder = results / run.entry / "index"
    there = {name: drawn_patches(folder / f"{name}.parquet", run, name) for name in names}
    found = {name: each for name, each in there.items() if each is not None}
    training = [each for each in entries if each.image and splits.splits.get(each.image_id) == "train"]
    chosen = training if deep else sample_of(training)
    if len(found) < len(names) and chosen:
        with TemporaryDirectory(prefix="lesionmap-") as temporary, _quiet():
            workers = min(len(os.sched_getaffinity(0)), len(chosen))
            drawn = expected_patches(run, chosen, of=len(training), folder=Path(temporary), workers=workers)
            found = {name: replace(each, about=each.about or not splits.exact) for name, each in drawn.items()} | found
    for name, each in found.items():
        if not each.drawn and each.images == each.of:
            raise SamplingError(f"{run.entry}, sampling {name}: {' '.join(each.notes)}")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Context without log lines: the notes of a sampling appear with its warning."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def said_of(found: ExpectedPatches) -> str:
    """Sentence on the patches of a sampling, with its basis and the classes of which no pixel was seen there."""
    return f"{_counted(found)}{_said_unseen(found)}"


def _said_unseen(found: ExpectedPatches) -> str:
    """Addition on classes of which no pixel was seen, and what follows; empty without any."""
    if not found.unseen:
        return ""
    said = f"; no pixel of {', '.join(found.unseen)} was seen there"
    it = "it" if len(found.unseen) == 1 else "them"
    if found.images == found.of:
        return f"{said}, so no patch is drawn for {it} and no model learns {it}"
    return (
        f"{said}, so these are patches of other classes. To do: look at all truth (--deep); if the other training images"
        f" have none of {it}, no patch is drawn for {it} and no model learns {it}"
    )


def _counted(found: ExpectedPatches) -> str:
    if found.done:
        return f"{found.drawn} of {found.asked} patches are drawn"
    patches = f"{found.drawn} of {found.asked} patches"
    if found.images < found.of:
        return f"about {patches}, estimated from {found.images} of {found.of} training images"
    images = "1 training image" if found.of == 1 else f"all {found.of} training images"
    return f"{'about ' if found.about else ''}{patches}, drawn from the truth of {images}"


def few_patches(found: Mapping[str, ExpectedPatches]) -> list[DataWarning]:
    """Warnings of samplings that will draw fewer than half of the requested patches."""
    return [
        DataWarning("few_patches", None, each.drawn, (), f"sampling {name}: {_with_reason(each)}", serious=True)
        for name, each in found.items()
        if each.few
    ]


def _with_reason(found: ExpectedPatches) -> str:
    why = " ".join(" ".join(found.notes).split()).rstrip(".")
    return f"{_counted(found)}{f'. {why}' if why else ''}"
