"""Speed of two workers of a scheduler against one."""

import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.probability import inputs, network, ours
from benchmarks.probability.process import measured
from pipeline.config import ModelSettings
from pipeline.model.card import Card, InputScaling
from pipeline.stores.model_files import CARD, WEIGHTS

__all__ = ["section", "times"]

ROUNDS, AIM = 3, 1.8
SHARD = 1024
"""Blocks small enough that their number can be shared out evenly; a block for each worker comes first, for which it opens
the network."""
HEIGHT, WIDTH = network.HEIGHT, network.WIDTH // 2
"""Half of the image of `network`, because it is gone through six times with one thread a worker."""


def _model(folder: Path) -> Path:
    """A folder as stage model leaves it."""
    folder.mkdir()
    record = inputs.record(network.CLASSES)
    card = Card.model_validate(
        {
            "model": "unet",
            "dataset": "d",
            "task": record.task,
            "outputs": network.CLASSES,
            "channels": 3,
            "patch": inputs.WINDOW,
            "classes": [{"code": each.code, "name": each.name} for each in record.classes],
            "scaling": InputScaling(divide_by=255, mean=(0, 0, 0), std=(1, 1, 1)),
            "pixel_size_um": None,
            "normalisation": {},
            "settings": ModelSettings(),
            "encoder_digest": None,
            "index_digest": "",
            "rows": {},
            "best_epoch": 1,
            "selected_by": "last epoch",
            "metrics": {},
            "warnings": (),
            "seed": 0,
            "versions": {},
            "provenance": {},
        }
    )
    (folder / CARD).write_text(card.model_dump_json())
    torch.save(network.built().state_dict(), folder / WEIGHTS)
    return folder


def times(*, count: int, image: str, small: str, model: str, store: str, shard: int) -> dict[str, Any]:
    """Seconds of a pass on so many worker processes, each of one thread, that have opened the network before."""
    import dask
    from distributed import LocalCluster

    # As the README starts them.
    dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_ARENA_MAX": 1})
    # The scheduler and its client sleep nearly all the time; the workers have the cores.
    with LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        memory_limit=None,
    ) as cluster:
        settings = inputs.config(
            threads=1, dask={"scheduler": cluster.scheduler_address}, storage={"shard": shard, "chunk": 512}
        )
        seconds = []
        for path in (small, image):
            run = ours.predicted(
                Path(path), Path(store), None, classes=network.CLASSES, settings=settings, model=Path(model)
            )
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
            shutil.rmtree(store)
    return {"seconds": seconds[-1]}


def section() -> str:
    """The table."""
    found: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sizes = {"image": (HEIGHT, WIDTH), "small": (SHARD, 2 * SHARD)}
        paths = {
            name: str(inputs.write_image(folder / f"{name}.zarr", inputs.pixels(*size))) for name, size in sizes.items()
        }
        paths |= {"model": str(_model(folder / "unet")), "store": str(folder / "out.zarr")}
        for _ in range(ROUNDS):
            for count, seconds in found.items():
                answer = measured("workers.times", count=count, shard=SHARD, **paths)
                if "error" in answer:
                    return f"The run failed: {answer['error']}."
                seconds.append(answer["seconds"])
    ratio = statistics.median(one / two for one, two in zip(found[1], found[2], strict=True))
    rows = [f"| {count} | {statistics.median(seconds):.1f} |" for count, seconds in found.items()]
    return "\n".join(
        [
            f"The same network, {WIDTH}×{HEIGHT}, half of that image, on worker processes of one thread and one torch thread each, blocks of {SHARD}, in turn, {ROUNDS} rounds; the cluster stands, its workers were started with `MALLOC_ARENA_MAX=1` and have opened the network before.",
            "",
            "| workers | seconds, median |",
            "|---|---|",
            *rows,
            "",
            f"Two workers are {ratio:.2f} times as fast as one (aim ≥ {AIM}{'' if ratio >= AIM else ': **short**'}).",
        ]
    )
