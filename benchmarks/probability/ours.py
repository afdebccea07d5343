"""Fusion of a null model by this package: its time, its memory, and how exact it is."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.probability import inputs
from benchmarks.probability.definition import fixed_network
from benchmarks.probability.process import calls
from pipeline.arrays.raster import Raster
from pipeline.config import ProbabilityConfig
from pipeline.geometry import Box
from pipeline.probability.fusion.finish import Fused
from pipeline.probability.fusion.journal import Journal
from pipeline.probability.predict import fuse_image
from pipeline.probability.sliding_window import Predictor, SlidingWindow
from pipeline.probability.task_graph import run_on_threads
from pipeline.seeds import stream
from pipeline.stores import open_array
from pipeline.stores.job import Job

__all__ = ["difference", "fusion", "null_model", "predicted"]


def null_model(classes: int, *, batch: int, varied: bool = False) -> Predictor:
    """Gives the same prepared array for every batch: one half everywhere, or noise, which does not compress."""
    shape = batch, classes, inputs.WINDOW, inputs.WINDOW
    if varied:
        answer = stream(0, "benchmark", "answer").random(shape, dtype=np.float32)
    else:
        answer = np.full(shape, 0.5, np.float32)
    return lambda windows: answer[: len(windows)]


def predicted(
    image: Path,
    store: Path,
    predictor: Predictor | None,
    *,
    classes: int,
    settings: ProbabilityConfig,
    model: Path = Path("none"),
) -> Callable[[], None]:
    """A call that slides a predictor, or a model on the workers of a scheduler, over an image: store to store."""
    height, width = open_array(image, "0").shape[-2:]
    return partial(
        fuse_image,
        image,
        model=model,
        predictors=(predictor,) if predictor else (),
        outputs={"gaussian": store},
        plan=inputs.plan(height, width, settings=settings),
        config=settings,
        job=Job(inputs.record(classes), inputs.origin(image.name, settings.workers)),
    )


def fusion(*, image: str, small: str, folder: str, classes: int, runs: int, varied: bool = False) -> dict[str, Any]:
    """Seconds from store to store, after a small image."""
    settings, store = inputs.config(), Path(folder) / "ours.zarr"
    model = null_model(classes, batch=settings.batch_size, varied=varied)
    make = partial(predicted, predictor=model, classes=classes, settings=settings)
    make(Path(small), store)()
    shutil.rmtree(store)
    return calls(make(Path(image), store), after=lambda: shutil.rmtree(store), runs=runs)


def difference(*, image: str, folder: str, truth: str) -> dict[str, float]:
    """Largest difference from a map in a file: of what is stored, and of float32 before it is rounded for that."""
    expected, settings = np.load(truth), inputs.config()
    store = Path(folder) / "ours.zarr"
    predicted(Path(image), store, fixed_network, classes=2, settings=settings)()
    stored = np.abs(np.asarray(open_array(store, "0")[:]) - expected).max()
    shutil.rmtree(store)
    exact = np.abs(_before_rounding(Path(image), Path(folder) / "journal", settings) - expected).max()
    return {"stored": float(stored), "exact": float(exact)}


def _before_rounding(image: Path, folder: Path, settings: ProbabilityConfig) -> NDArray[np.float32]:
    array = np.asarray(open_array(image, "0")[:])
    found = np.zeros((2, *array.shape[1:]), np.float32)
    windows = inputs.plan(*array.shape[1:], settings=settings)

    def write(_fusion: str, fused: Fused, box: Box) -> tuple[()]:
        found[(slice(None), *box.slices)] = fused.values()
        return ()

    journal = Journal(folder)
    journal.open(folder, fresh=True)
    task = SlidingWindow(
        "image",
        windows,
        windows.all_evaluated(),
        2,
        Raster.of(array),
        (fixed_network,),
        write,
        {"gaussian": journal},
    )
    run_on_threads(task, workers=settings.workers)
    journal.close()
    return found
