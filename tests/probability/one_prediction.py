"""Run as a process of its own: slides a network with a known answer over an image in lives that end by a kill.

Arguments: the normalised image, the store to write, the file of notes, workers, then for each life how many files of the
run it opens or renames from its first window on until it is killed. A last life is not killed. What was imported is there
in each life, because each is a fork of a process that has done nothing else. Prints how many lives were killed.
"""

import itertools
import os
import signal
import sys
from pathlib import Path

import torch  # noqa: F401 imported by the door when it is needed, here once for all lives

from pipeline.config import ProbabilityConfig
from pipeline.probability import predict
from pipeline.stores.job import Job
from tests.probability.eager import fixed_network
from tests.probability.test_predict import ORIGIN, STORAGE, record

STEPS = {"open", "os.rename"}
"""Events of the interpreter: a file is opened, as for each batch, each strip and each chunk, or one is renamed."""


def live(image: Path, store: Path, notes: Path, *, workers: int, steps: int | None) -> None:
    """Predict, note the windows, and die at a step."""
    counted, counting = itertools.count(1), []

    def step(event: str, what: tuple[object, ...]) -> None:
        if event in STEPS and str(what[0]).startswith(str(notes.parent)) and next(counted) == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    def network(windows):
        if not counting:
            counting.append(sys.addaudithook(step))
        with notes.open("a") as seen:
            seen.write("".join(f"{hash(window.tobytes())}\n" for window in windows))
        return fixed_network(windows)

    predict.load_predictors = lambda *args, **kwargs: (network,)
    config = ProbabilityConfig(storage=STORAGE, batch_size=2, workers=workers, threads=1)
    outputs, job = {"gaussian": store}, Job(record(), ORIGIN)
    predict.predict_image(image, model=Path("model"), outputs=outputs, config=config, window=32, job=job)


def main(image: str, store: str, notes: str, workers: str, *deaths: str) -> None:
    """One life after the other."""
    killed = 0
    for steps in (*map(int, deaths), None):
        child = os.fork()
        if not child:
            live(Path(image), Path(store), Path(notes), workers=int(workers), steps=steps)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        if steps is None and status:
            sys.exit("the last life failed")
    print(killed)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
