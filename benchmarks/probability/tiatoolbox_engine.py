"""TIAToolbox's engine on the same windows: file in, its Zarr store out; mean only, it knows no Gaussian.

It is found in ``.venv/tiatoolbox``, where the Makefile puts it with its own dependencies left out as far as possible.
"""

import logging
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.probability import inputs
from benchmarks.probability.definition import fixed_network
from benchmarks.probability.process import PROJECT, calls
from pipeline.model.operators import prepare_torchvision

__all__ = ["FOLDER", "difference", "fusion"]

FOLDER = PROJECT / ".venv" / "tiatoolbox"
BATCH = 4
Network = Callable[[NDArray[Any]], NDArray[np.float32]]
"""Takes windows ``(n, y, x, 3)`` and gives maps ``(n, y, x, class)``."""


def _engine(network: Network) -> Any:  # noqa: ANN401 untyped library
    sys.path.append(str(FOLDER))
    prepare_torchvision()
    from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
    from tiatoolbox.models.models_abc import ModelABC

    class Model(ModelABC):
        def forward(self, windows: object) -> object:
            return windows

        @staticmethod
        def infer_batch(_model: object, batch: object, *, device: str) -> NDArray[np.float32]:  # noqa: ARG004 its name
            return network(np.asarray(batch))

    logging.disable(logging.CRITICAL)
    return SemanticSegmentor(model=Model(), batch_size=BATCH, num_workers=0, device="cpu", verbose=False)


def _work(engine: Any, image: Path, folder: Path) -> Callable[[], Any]:  # noqa: ANN401 untyped library
    from tiatoolbox.models.engine.io_config import IOSegmentorConfig

    sides = (inputs.WINDOW, inputs.WINDOW)
    full = {"units": "baseline", "resolution": 1.0}
    layout = IOSegmentorConfig(
        input_resolutions=[full],
        output_resolutions=[full],
        save_resolution=full,
        patch_input_shape=sides,
        patch_output_shape=sides,
        stride_shape=(inputs.STRIDE, inputs.STRIDE),
    )
    return partial(
        engine.run,
        [image],
        patch_mode=False,
        ioconfig=layout,
        save_dir=folder,
        output_type="zarr",
        auto_get_mask=False,
        return_probabilities=True,
        overwrite=True,
        wsireader_kwargs={"mpp": (0.5, 0.5), "power": 20},
    )


def _file(folder: Path, side: int) -> Path:
    path = folder / f"{side}.tif"
    image = inputs.pixels(side, side).transpose(1, 2, 0)
    tifffile.imwrite(path, image, tile=(512, 512), photometric="rgb")
    return path


def fusion(*, side: int, classes: int, folder: str, runs: int) -> dict[str, Any]:
    """Seconds from a TIFF file to its store, after a small image."""
    answer, here = np.full((BATCH, inputs.WINDOW, inputs.WINDOW, classes), 0.5, np.float32), Path(folder)
    engine = _engine(lambda windows: answer[: len(windows)])
    results = here / "tiatoolbox"
    _work(engine, _file(here, 1024), results)()
    shutil.rmtree(results)
    return calls(_work(engine, _file(here, side), results), after=lambda: shutil.rmtree(results), runs=runs)


def difference(*, side: int, folder: str, truth: str) -> dict[str, float]:
    """Largest difference from a mean in a file, where the windows are the same, and everywhere.

    Its last windows hang over the border of the image instead of being moved inside.
    """
    import zarr

    def network(windows: NDArray[Any]) -> NDArray[np.float32]:
        return np.moveaxis(fixed_network(np.moveaxis(windows, -1, 1)), 1, -1)

    here = Path(folder)
    stores = _work(_engine(network), _file(here, side), here / "tiatoolbox")()
    group: Any = zarr.open_group(str(next(iter(stores.values()))), mode="r")  # noqa: TID251 not a store of ours
    found = np.moveaxis(np.asarray(group["probabilities"][:]), -1, 0)
    apart = np.abs(found - np.load(truth))
    same = side // inputs.STRIDE * inputs.STRIDE
    return {"exact": float(apart[:, :same, :same].max()), "everywhere": float(apart.max())}
