"""Run as a process of its own: slides a network with a known answer over an image, and notes every window that it sees.

Arguments: the normalised image, the store to write, the file of notes, workers, seconds a batch takes.
"""

import sys
import time
from pathlib import Path

from pipeline.config import ProbabilityConfig
from pipeline.probability import predict
from pipeline.stores.job import Job
from tests.probability.eager import fixed_network
from tests.probability.test_predict import ORIGIN, STORAGE, record


def main(image: str, store: str, notes: str, workers: str, pause: str) -> None:
    """Predict, and note the windows."""

    def network(windows):
        time.sleep(float(pause))
        with Path(notes).open("a") as seen:
            seen.write("".join(f"{hash(window.tobytes())}\n" for window in windows))
        return fixed_network(windows)

    predict.load_predictors = lambda *args, **kwargs: (network,)
    config = ProbabilityConfig(storage=STORAGE, batch_size=2, workers=int(workers), threads=1)
    predict.predict_image(
        Path(image),
        model=Path("model"),
        outputs={"gaussian": Path(store)},
        config=config,
        window=32,
        job=Job(record(), ORIGIN),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
