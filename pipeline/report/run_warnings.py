"""Warnings of a run about its data and its results, such as a model no better than a trivial answer.

Images of doubtful truth are left out when a model is judged, in its favour and against it.

They are computed where they are shown, from the results of the stages: at the end of a run, at the top of the report,
and in ``measures.{fusion}.json`` beside the card of a model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.arrays.metrics import Counts
from pipeline.arrays.trivial import Region, Verdict, trivial_dice, verdict
from pipeline.counts import number_of
from pipeline.index.summary import patches_asked
from pipeline.normalized.data_warnings import read_warnings
from pipeline.raw.data_warnings import (
    DataWarning,
    class_split_warnings,
    encoder_warnings,
    held_classes,
    split_warnings,
    unvalidated_class,
)
from pipeline.raw.datasets.tables import named_and_counted
from pipeline.report.measures.mismatches import Mismatch, doubted, mismatches
from pipeline.report.measures.summary import on_grid
from pipeline.stores import read_table, table_metadata
from pipeline.words import BACKGROUND, LEARNED_SPLITS

__all__ = [
    "NoModel",
    "left_out",
    "mismatch_warnings",
    "model_warnings",
    "no_models",
    "read_run_warnings",
    "sampling_warnings",
    "validation_warnings",
]

COUNTS, REGION = ["tp", "fp", "fn", "tn"], ["roi_pixels", "truth_in_roi", "predicted_in_roi"]
OTHERS = 3
"""Most further results named after the first one."""
SAID: Mapping[Verdict, Callable[[Counts, Region], str]] = {
    "nowhere": lambda counts, region: f"no pixel is marked, and {counts.truth:,} are truth",  # noqa: ARG005
    "everywhere": lambda counts, region: (
        f"{region.predicted / region.pixels:.0%} of the region is marked, and {region.truth / region.pixels:.1%} is truth"
        f" (Dice {counts.dice:.3f}, all marked {trivial_dice(counts, region):.3f})"
    ),
    "not_above": lambda counts, region: (
        f"Dice {counts.dice:.3f} is not above the {trivial_dice(counts, region):.3f} of marking everything"
    ),
    "hardly_above": lambda counts, region: (
        f"Dice {counts.dice:.3g} is hardly above the {trivial_dice(counts, region):.3g} of marking everything"
    ),
}


@dataclass(frozen=True, slots=True)
class NoModel:
    """Class for which a model is no better than a trivial answer, or hardly so."""

    model: str
    code: str
    found: tuple[tuple[str, str], ...]
    """Place, and what is said of it."""
    misled: tuple[str, ...]
    """Images of doubtful truth used to fit its threshold."""
    hardly: bool = False
    """Whether it is better everywhere, if hardly."""


def no_models(measured: pd.DataFrame) -> list[NoModel]:
    """Classes for which models are no or hardly better than a trivial answer, without images of doubtful truth.

    Parameters
    ----------
    measured
        Rows with the columns `measures.image_rows.IMAGE_COLUMNS`, of any models and fusions.
    """
    rows, doubts = on_grid(measured), doubted(mismatches(measured))
    rows = rows[rows["class_code"] != BACKGROUND]
    pairs = zip(rows["class_code"].astype(str), rows["image_id"].astype(str), strict=True)
    unsure = np.array([image in doubts.get(code, ()) for code, image in pairs], np.bool_)
    fitted = rows[unsure & (rows["split"] == "validation")]
    names = ["model", "class_code", "split", "fusion"]
    sums = rows[~unsure].groupby(names, sort=True, observed=True)[[*COUNTS, *REGION]].sum()
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    worse: set[tuple[str, str]] = set()
    for (model, code, split, fusion), *numbers in sums.itertuples(name=None):
        counts, region = Counts(*map(int, numbers[:4])), Region(*map(int, numbers[4:]))
        if said := verdict(counts, region):
            found.setdefault((model, code), []).append((f"{fusion}, {split} images", SAID[said](counts, region)))
            worse |= {(model, code)} if said != "hardly_above" else set()
    misled = {key: sorted(set(part["image_id"].astype(str))) for key, part in fitted.groupby(names[:2], observed=True)}
    return [
        NoModel(*key, found=tuple(each), misled=tuple(misled.get(key, ())), hardly=key not in worse)
        for key, each in found.items()
    ]


def model_warnings(measured: pd.DataFrame) -> list[DataWarning]:
    """Warnings of models no better than a trivial answer: one for each model and class from `no_models`."""
    return [_no_model(each) for each in no_models(measured)]


def _no_model(each: NoModel) -> DataWarning:
    (place, said), *others = each.found
    more = f"; likewise {'; '.join(where for where, _ in others[:OTHERS])}" if others else ""
    more += f" and {len(others) - OTHERS} more" if len(others) > OTHERS else ""
    no = "hardly" if each.hardly else "no"
    sentence = f"{each.code}: {each.model} is {no} better than a trivial answer ({place}): {said}{more}"
    if not each.misled:
        return DataWarning("no_model", each.code, len(each.found), (), sentence, serious=True)
    sentence += f"; its threshold was fitted with truth that is in doubt, of {named_and_counted(each.misled)}"
    return DataWarning("misled", each.code, len(each.found), (), sentence, serious=True)


def mismatch_warnings(found: Sequence[Mismatch]) -> list[DataWarning]:
    """Warnings of truth that seems to belong to another image or to be inverted, in the order of `mismatches`.

    A warning about a single class is serious only if nothing else can be judged in its image.
    """
    warned = []
    for serious in (True, False):
        moved = {each.image_id: ", ".join(each.codes) for each in found if each.codes and each.whole == serious}
        named = [f"{image} ({codes})" for image, codes in moved.items()]
        if moved:
            said = "truth lies where the maps find nothing, as if the masks belonged to another image"
            warned.append(DataWarning.of_images("mismatched", said, named, serious=serious))
    turned = doubted([replace(each, codes=()) for each in found])
    said = "truth covers most of the region, and the maps find the class in the rest, as if the mask were inverted"
    return [
        *warned,
        *(DataWarning.of_images("inverted", said, turned[code], code=code, serious=True) for code in turned),
    ]


def validation_warnings(measured: pd.DataFrame, images: pd.DataFrame) -> list[DataWarning]:
    """Warning if nothing was validated, or one for each class that was learned and of which no validation image holds truth.

    Not for an ensemble of folds alone, because its members are validated. An image that validates one of several models
    validates: with folds some member validates each class.

    Parameters
    ----------
    measured
        Rows with the columns `measures.image_rows.IMAGE_COLUMNS`, of all models or of one that is not an ensemble. If
        there are none, the splits of the table of images count; where it has folds nothing is said, because any of its
        images may validate.
    images
        Columns image_id, split, fold and pixels_<CODE> of ``raw/images.parquet``.
    """
    if not len(measured):
        return [] if (images["fold"] >= 0).any() else class_split_warnings(images)
    if (measured["split"] == "validation").any():
        return _unvalidated(on_grid(measured), images)
    said = "no image validates: the last epoch was taken, thresholds were not fitted, and nothing says how good it is"
    models = ", ".join(sorted(set(measured["model"].astype(str))))
    return [DataWarning("not_validated", None, 1, (), f"{models}: {said}", serious=True)]


def _unvalidated(rows: pd.DataFrame, images: pd.DataFrame) -> list[DataWarning]:
    """Warnings of classes that were learned, but of which no measured validation image holds truth."""
    validating = set(rows.loc[rows["split"] == "validation", "image_id"].astype(str))
    learned = images[images["split"].isin(LEARNED_SPLITS) & ~images["image_id"].astype(str).isin(validating)]
    truth = rows[rows["truth_pixels"] > 0]
    held = {split: {*truth.loc[truth["split"] == split, "class_code"]} for split in ("validation", "test")}
    lacking = sorted(held_classes(learned) - held["validation"])
    return [
        unvalidated_class(
            code, images=len(validating), tested=code in held["test"], measured=_without_truth(rows, code)
        )
        for code in lacking
    ]


def _without_truth(rows: pd.DataFrame, code: str) -> str:
    """Words on the result that predicts a class in most images without truth; empty where none predicts it."""
    own = rows[(rows["class_code"] == code) & (rows["truth_pixels"] == 0)]
    own = own.assign(predicted=own["fp"] > 0, share=own["fp"] / own["pixels"])
    results = own.groupby(["model", "fusion"], sort=True, observed=True)
    found = results.agg(predicted=("predicted", "sum"), images=("predicted", "size"), share=("share", "max"))
    found = found[found["predicted"] > 0].sort_values(["predicted", "share"], ascending=False, kind="stable")
    if found.empty:
        return ""
    (model, fusion), best = found.index[0], found.iloc[0]
    where = f"{int(best['predicted'])} of {number_of(int(best['images']), 'measured image')} without truth of it"
    return f"; {model} / {fusion} predicts it in {where}, on up to {best['share']:.1%} of an image"


def sampling_warnings(notes: Mapping[str, Mapping[str, Any]]) -> list[DataWarning]:
    """Warnings of samplings that drew fewer than half of the requested patches.

    Parameters
    ----------
    notes
        Name of a sampling → metadata of its index.
    """
    found = []
    for name, each in notes.items():
        drawn, asked = patches_asked(each)
        if 2 * drawn < asked:
            why = " ".join(each["summary"]["notes"]).rstrip(".")
            sentence = f"sampling {name}: {drawn} drawn of {number_of(asked, 'patch', 'patches')} asked for{f'. {why}' if why else ''}"
            found.append(DataWarning("few_patches", None, drawn, (), sentence, serious=True))
    return found


def left_out(images: pd.DataFrame) -> list[DataWarning]:
    """Warning of images that were left out, with number and names; empty without any."""
    names = sorted(images.loc[images["rejected"] != "", "image_id"].astype(str))
    said = f"left out: {len(names)} of {number_of(len(images), 'image')}"
    return [DataWarning.of_images("left_out", said, names, serious=True)] if names else []


def read_run_warnings(
    sheets: Iterable[Path],
    *,
    images: Path,
    normalized: Mapping[str, Path],
    indexes: Mapping[str, Path],
    measured: Iterable[Path],
    encoders: Mapping[str, str],
) -> list[DataWarning]:
    """Warnings of a run as far as it is finished, serious ones first.

    Parameters
    ----------
    sheets, images, normalized
        Fact sheets, their table, and image id → store, as for `read_warnings`.
    indexes
        Name of a sampling → patch index.
    measured
        Tables of `measures.image_rows.IMAGE_COLUMNS`.
    encoders
        Model → encoder, for models whose encoder starts from random weights because no others are available.
    """
    tables, table = [read_table(path) for path in measured], read_table(images)
    joined = pd.concat(tables) if tables else pd.DataFrame()
    found = [
        *(mismatch_warnings(mismatches(joined)) if tables else ()),
        *(model_warnings(joined) if tables else ()),
        *validation_warnings(joined, table),
        *sampling_warnings({name: table_metadata(path) for name, path in indexes.items()}),
        *encoder_warnings(encoders),
        *left_out(table),
        *(each for each in split_warnings(table["split"].astype(str)) if not (tables and each.kind == "not_validated")),
        *read_warnings(sheets, images=images, normalized=normalized),
    ]
    return sorted(found, key=lambda each: not each.serious)
