"""Fixtures of small data sets with known truth."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.scenes.dataset import Dataset, Picture, blobs


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Dataset]:
    """Writes a data set into a folder of its own."""

    def made(
        pictures: Mapping[str, Picture] | None = None,
        anatomy: tuple[str, ...] = (),
        modality: str = "fundus",
        **more: Picture,
    ) -> Dataset:
        return Dataset(tmp_path_factory.mktemp("d"), {**(pictures or {}), **more}, anatomy=anatomy, modality=modality)

    return made


@pytest.fixture(scope="session")
def picture() -> type[Picture]:
    """The class of one image."""
    return Picture


@pytest.fixture(scope="session")
def scatter() -> Callable[..., NDArray[np.uint8]]:
    """Random truth maps."""
    return blobs


@pytest.fixture(scope="session")
def several(make: Callable[..., Dataset]) -> Dataset:
    """Five images of different sizes and splits, with lesions of every class, the first of them in all corners."""
    shapes = {"b": (70, 90), "a": (64, 64), "c": (50, 100), "v": (70, 70), "t": (61, 83)}
    truths = {key: blobs(at, height=h, width=w, count=9) for at, (key, (h, w)) in enumerate(shapes.items(), 5)}
    truths["b"][:, :8, :8] = 0
    for y, x in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        truths["b"][0, y, x] = 1
    truths["a"][1, 20, 20] = truths["a"][2, 30:40, 30:60] = truths["c"][2, 5, 5] = 1
    splits = {"v": "validation", "t": "test"}
    return make({key: Picture(truth, split=splits.get(key, "train")) for key, truth in truths.items()})
