"""Offline preprocessing, patch datasets, training and chunked inference for large medical images.

Seven words name the stages in the order of the data flow. Each is a package here, a pair of files in ``stages/``, a
folder of results and a folder of tests:

raw            image files: lists of images, readers, fact sheets, splits
normalized     comparable pixels, truth and region of interest, as OME-Zarr
index          candidate tables and patch indexes, as Parquet
model          networks: training, weights, card, ensembles
probability    sliding windows: fused probability maps
segmentation   thresholds, label maps, polygons, lesions
report         metrics and the page to look at

The other modules, ordered by dependency, the most basic first:

errors         errors that are raised on purpose
project        where workflow, documentation and examples lie, and how they are called
counts         numbers with their nouns
words          names of the stages, splits and classes; names that can be folders
seeds          random streams, each with an address
geometry       boxes, windows and strips
config         parameters, manifest, plan of a run
arrays         pure functions over arrays
stores         Zarr, Parquet and atomic files; records of origin
runtime        jobs, threads, memory: what changes no value
predict        new images by a trained model
view           results in a browser, straight from the stores
cli            the command ``lesionmap``, which alone prints

``__all__`` holds the names that a notebook needs; they are imported on first use.
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.geometry import Box
    from pipeline.index.table import read_index
    from pipeline.predict.new_image import predict_new_image
    from pipeline.predict.normalise import normalise_new_image
    from pipeline.predict.options import PredictOptions
    from pipeline.raw.formats.reader import open_picture as open_image
    from pipeline.stores.image_store import open_normalized
    from pipeline.stores.probability_store import open_probability

if (Path(__file__).parent / "workflow").is_dir():  # Installed from a wheel: write nothing beside the modules.
    # Unlike pathlib, this raises nothing where there is no home folder. Numba takes its cache folder only from here.
    _caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: TID251
    os.environ.setdefault("NUMBA_CACHE_DIR", os.path.join(_caches, "lesionmap"))  # noqa: TID251

__all__ = [
    "Box",
    "PredictOptions",
    "normalise_new_image",
    "open_image",
    "open_normalized",
    "open_probability",
    "predict_new_image",
    "read_index",
]

_HOMES = {
    "Box": ("pipeline.geometry", "Box"),
    "PredictOptions": ("pipeline.predict.options", "PredictOptions"),
    "normalise_new_image": ("pipeline.predict.normalise", "normalise_new_image"),
    "open_image": ("pipeline.raw.formats.reader", "open_picture"),
    "open_normalized": ("pipeline.stores.image_store", "open_normalized"),
    "open_probability": ("pipeline.stores.probability_store", "open_probability"),
    "predict_new_image": ("pipeline.predict.new_image", "predict_new_image"),
    "read_index": ("pipeline.index.table", "read_index"),
}
"""Name → module and name there."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own = _HOMES[name]
    return getattr(importlib.import_module(module), own)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
