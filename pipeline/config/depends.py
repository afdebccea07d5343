"""Dependencies of results: the values of configuration and manifest that each rule's results depend on.

Each rule of the workflow has a function of the same name that gives plain values. The job reads them, its results carry
them as their configuration, and they decide whether results are made again. So each function gives everything that
changes a value of the result, and nothing else: no title where nobody sees it, no folder of a machine, no number of
workers.
"""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.config.model import BUILT_IN_WEIGHTS
from pipeline.config.normalized import Rescale
from pipeline.config.records import bare_record, full_record, pixel_record, shown_record, without
from pipeline.config.run import DatasetRun

__all__ = [
    "bare_record",
    "full_record",
    "hard_negatives_file",
    "index_candidates",
    "index_sampling",
    "is_stained",
    "measures_originals",
    "model_ensemble",
    "model_fit",
    "model_hardest",
    "normalized_image",
    "normalized_stain",
    "normalized_target",
    "pixel_record",
    "probability_image",
    "raw_image",
    "raw_images",
    "report_borders",
    "report_index",
    "report_metrics",
    "report_page",
    "report_worst",
    "report_zoom",
    "segmentation_hard_negatives",
    "segmentation_image",
    "segmentation_thresholds",
    "shown_record",
    "target_file",
    "weights_file",
]

Values = dict[str, Any]
"""Plain values by name, as dumped to JSON."""

ESTIMATE_FREE = ("target", "outside", "most_gain", "concentrations")
"""Keys of ``normalized.stain`` that an estimate does not depend on."""
FUNDUS_ONLY = ("clahe", "gaussian", "difference", "outside", "field_of_view")
"""Keys of ``normalized`` that only the fundus chain uses."""
HISTOLOGY_ONLY = ("stain", "roi_holes")
"""Keys of ``normalized`` that only the histology chain uses."""
LIMITS = ("largest_decode",)
"""Keys of ``raw`` that decide which images are refused, and change nothing in the others."""
GIVEN = ("fit_thresholds", "threshold")
"""Keys of ``segmentation`` that masks depend on only through the thresholds."""
FITTED = (*GIVEN, "smoothing", "minimum_area", "minimum_areas", "minimum_area_percentile", "fill_holes", "largest_hole")
"""Keys of ``segmentation`` that thresholds depend on: they are fitted to cleaned masks."""
MISSED = ("smoothing", "minimum_area", "minimum_areas", "hard_negative_margin")
"""Keys of ``segmentation`` that the list of hard negatives depends on, beside the thresholds."""
UNCLEANED = ("hard_negative_margin", "minimum_area_percentile", *GIVEN)
"""Keys of ``segmentation`` that masks and outlines do not depend on, beside the thresholds."""
MEASURED = ("bootstrap", "match", "surface_tolerance")
"""Keys of ``report`` that measures depend on."""


@functools.cache
def _block(run: DatasetRun, stage: str) -> Values:
    dumped: Values = getattr(run.config, stage).model_dump(mode="json")
    return dumped


def _part(block: Mapping[str, Any], keys: Iterable[str]) -> Values:
    return {key: block[key] for key in keys}


def _record_of(run: DatasetRun, entry: Mapping[str, Any]) -> Values:
    # Polygons of a correction name their classes, whatever form the truth of other images has.
    return pixel_record(run, named="corrected" in entry)


def raw_image(run: DatasetRun, entry: Mapping[str, Any]) -> Values:
    """Dependencies of a fact sheet: the record, facts of the image that are not in its file, limits of refusal."""
    return {"record": _record_of(run, entry), "entry": dict(entry), "raw": _part(_block(run, "raw"), LIMITS)}


def raw_images(run: DatasetRun) -> Values:
    """Dependencies of the table of images: the parameters of the split, with its table of splits named without folder."""
    settings, table = without(_block(run, "raw"), LIMITS), run.config.raw.splits_csv
    settings = settings | {"splits_csv": Path(table).name if table else None}
    return {"dataset": run.name, "record": pixel_record(run), "raw": settings, "seed": run.config.seed}


def is_stained(run: DatasetRun) -> bool:
    """Test for stain normalisation of a data set."""
    return run.config.normalized.chain == "histology" and run.config.normalized.stain.method != "none"


@functools.cache
def _estimation(run: DatasetRun) -> Values:
    block = _block(run, "normalized")
    return {"chain": "histology", "rescale": block["rescale"], "stain": without(block["stain"], ESTIMATE_FREE)}


def normalized_stain(run: DatasetRun, entry: Mapping[str, Any]) -> Values:
    """Dependencies of the stain estimate of an image."""
    return {"record": _record_of(run, entry), "entry": dict(entry), "normalized": _estimation(run)}


def target_file(run: DatasetRun) -> str | None:
    """File of the stain target; None for a target that is built in or made from the images."""
    target = run.config.normalized.stain.target
    return None if target in ("reference", "median") else target


def normalized_target(run: DatasetRun) -> Values:
    """Dependencies of the stain target: settings of this data set count only for an image, which is estimated with them."""
    target = Path(run.config.normalized.stain.target)
    settings = _estimation(run)
    if target_file(run) is None or target.suffix.lower() == ".json":
        settings = {"stain": {"method": settings["stain"]["method"]}}
    return {"target": target.name, "normalized": settings}


@functools.cache
def _chain(run: DatasetRun) -> Values:
    other = FUNDUS_ONLY if run.config.normalized.chain == "histology" else HISTOLOGY_ONLY
    return without(run.config.normalized.of_the_values(), other)


def normalized_image(run: DatasetRun, entry: Mapping[str, Any]) -> Values:
    """Dependencies of a normalised image: the keys of its own chain, and the overlap priority of classes for viewers."""
    seen = {"priority": list(run.record.order)}
    return {"record": _record_of(run, entry) | seen, "entry": dict(entry), "normalized": _chain(run)}


def index_candidates(run: DatasetRun) -> Values:
    """Dependencies of the candidate table of an image: the codes of the classes."""
    return {"codes": [each["code"] for each in bare_record(run)["classes"]]}


def hard_negatives_file(run: DatasetRun, sampling: str) -> str | None:
    """File with the list of hard negatives of a sampling, if any."""
    found = run.config.index.samplings[sampling]
    return found.hard_negatives.table if found.strategy != "grid" else None


def index_sampling(run: DatasetRun, sampling: str) -> Values:
    """Dependencies of a patch index: its sampling, with its list of hard negatives named without folder."""
    settings = _block(run, "index")["samplings"][sampling]
    table = hard_negatives_file(run, sampling)
    if table:
        settings = settings | {"hard_negatives": settings["hard_negatives"] | {"table": Path(table).name}}
    return {"dataset": run.entry, "record": bare_record(run), "sampling": settings, "seed": run.config.seed}


def weights_file(run: DatasetRun, model: str) -> str | None:
    """File of a model's pretrained weights; None where there are none or they come with the network."""
    weights = run.config.model.models[model].encoder_weights
    return None if weights in BUILT_IN_WEIGHTS else weights


def model_fit(run: DatasetRun, model: str) -> Values:
    """Dependencies of trained weights: the model, without the folder of a weights file and the number of readers."""
    settings = run.config.model.models[model]
    portable = settings.model_dump(mode="json", exclude={"readers", "reader_start"})
    return {
        "record": bare_record(run),
        "model": portable | {"encoder_weights": Path(settings.encoder_weights).name},
        "patch": run.config.index.samplings[settings.sampling].patch,
        "seed": run.config.seed,
    }


def model_hardest(run: DatasetRun) -> Values:
    """Dependencies of the ranking of patches beside model, index and images: the probability from which a network is sure."""
    return {"record": bare_record(run), "suspected_from": run.config.model.suspected_from}


def model_ensemble(run: DatasetRun, model: str) -> Values:
    """Dependencies of an ensemble beside its members: the record, and the weights of the members."""
    weights = {code: list(each) for code, each in sorted(run.config.model.ensemble_weights(model).items())}
    return {"record": bare_record(run), **({"weights": weights} if weights else {})}


def probability_image(run: DatasetRun, model: str) -> Values:
    """Dependencies of the maps of an image, without which other images get maps and without the scheduler."""
    block = run.config.probability
    maps = block.of_the_values() | {"fusions": sorted(block.fusions)}
    return {"record": bare_record(run), "probability": maps, "window": run.config.window(model)}


@functools.cache
def _segmentation(run: DatasetRun, model: str) -> Values:
    """Parameters of segmentation for the maps of a model."""
    dumped: Values = run.config.segmentation.of_model(model).model_dump(mode="json", exclude={"smoothing_of"})
    return dumped


def segmentation_thresholds(run: DatasetRun, model: str) -> Values:
    """Dependencies of thresholds: how they are fitted, and on which folds."""
    fitted = _part(_segmentation(run, model), FITTED)
    return {"record": bare_record(run), "folds": list(run.config.model.folds_of(model)), "segmentation": fitted}


def segmentation_image(run: DatasetRun, model: str) -> Values:
    """Dependencies of masks and outlines: cleaning, and names and colours of the classes."""
    cleaning = without(_segmentation(run, model), UNCLEANED)
    return {"record": shown_record(run), "segmentation": cleaning}


def segmentation_hard_negatives(run: DatasetRun, model: str) -> Values:
    """Dependencies of the list of hard negatives: the areas, the margin, and the folds where there are any."""
    folds = list(run.config.model.folds_of(model))
    values: Values = {"record": bare_record(run), "segmentation": _part(_segmentation(run, model), MISSED)}
    return values | ({"folds": folds} if set(folds) != {-1} else {})


def measures_originals(run: DatasetRun) -> bool:
    """Test for measures on the grid of the originals. The truth of a slide may be of any level."""
    return run.config.normalized.rescale != Rescale() and run.record.adaptor != "slide"


def report_metrics(run: DatasetRun, model: str) -> Values:
    """Dependencies of measures: the number of resamples, the folds, and the model that gives the maps of each fold."""
    out_of_fold = run.config.model.out_of_fold(model)
    return ({"out_of_fold": out_of_fold} if out_of_fold else {}) | {
        "record": bare_record(run),
        "folds": list(run.config.model.folds_of(model)),
        "report": _part(_block(run, "report"), MEASURED),
        "seed": run.config.seed,
    }


def report_borders(run: DatasetRun, model: str) -> Values:
    """Dependencies of the measured effect of window borders: the folds."""
    return {"record": bare_record(run), "folds": list(run.config.model.folds_of(model))}


def report_page(run: DatasetRun, images: Mapping[str, int]) -> Values:
    """Dependencies of the page: the whole configuration, which it shows, the whole record, and the images."""
    models, fusions = run.config.model.predictors, run.config.probability.fusions
    return {
        "dataset": run.entry,
        "record": full_record(run),
        "stages": run.config.model_dump(mode="json"),
        "seed": run.config.seed,
        "images": dict(images),
        "results": [[model, fusion] for model in models for fusion in fusions],
    }


def _zoomed(run: DatasetRun) -> Values:
    models, fusions, shown = run.config.model.predictors, run.config.probability.fusions, run.config.shown_result
    others = [(model, fusion) for model in models for fusion in fusions if (model, fusion) != shown]
    results = [list(each) for each in (shown, *others) if each[0]]
    rescale = _block(run, "normalized")["rescale"]
    return {"dataset": run.entry, "record": shown_record(run), "results": results, "normalized": {"rescale": rescale}}


def report_zoom(run: DatasetRun, entry: Mapping[str, Any]) -> Values:
    """Dependencies of the page of one image: facts of the image, its rescaling, names and colours of classes."""
    return {**_zoomed(run), "entry": dict(entry)}


def report_worst(run: DatasetRun, entries: Mapping[str, Mapping[str, Any]]) -> Values:
    """Dependencies of the pages of the worst images: those of the page of each candidate image, and how many are shown."""
    return {**_zoomed(run), "worst": run.config.report.worst, "entries": {k: dict(each) for k, each in entries.items()}}


def report_index(runs: Iterable[DatasetRun]) -> Values:
    """Dependencies of the index of all data sets: their names."""
    return {"datasets": [run.entry for run in runs]}
