"""Rates on a GPU: inference from Zarr to Zarr against bare forward passes, training against a bare loop.

python -m benchmarks.gpu.measure inference
python -m benchmarks.gpu.measure training --steps 40
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import training_step
from benchmarks.fundus_chain import picture
from benchmarks.patch_reading import truth, write_store
from benchmarks.probability import gpu

__all__ = ["training"]

ROUNDS = 3


def training(*, steps: int, readers: int) -> str:
    """Patches a second of training, of a bare loop, and their ratio: medians of rounds in turn."""
    settings = training_step.settings_of(steps).model_copy(update={"readers": readers})
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_store(folder / "a.zarr", picture(), truth(), roi=True)
        pairs = [
            (
                training_step.BATCH / training_step.ours(settings, folder, steps=steps),
                training_step.BATCH / training_step.bare(settings, steps=steps),
            )
            for _ in range(ROUNDS)
        ]
    ours, bare = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for one, other in pairs)
    what = f"{settings.network}, {settings.encoder}, {settings.precision}, {readers} readers"
    return f"{what}: {ours:.1f} patches/s, bare loop {bare:.1f}, ratio {ratio:.2f}"


def main() -> int:
    """Measure one of the two; says so where there is no GPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["inference", "training"])
    parser.add_argument("--steps", type=int, default=40, help="steps of a round")
    parser.add_argument("--readers", type=int, default=8, help="processes that read patches")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("Not measured: torch sees no GPU here.")
        return 0
    print(torch.cuda.get_device_name(0))
    if arguments.what == "inference":
        print(gpu.section())
    else:
        print(training(steps=arguments.steps, readers=arguments.readers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
