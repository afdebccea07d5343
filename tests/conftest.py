"""Hypothesis without deadlines: compiled kernels take their time at the first call."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipeline.runtime.threads import let_waiting_threads_sleep

settings.register_profile("lesionmap", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lesionmap")
let_waiting_threads_sleep()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs first: whoever is left with one at the end would keep the others waiting."""
    items.sort(key=lambda item: item.path.parent.name != "workflow")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, or a skip that says so."""
    folder = Path(os.environ.get("LESIONMAP_DATA", Path(__file__).parents[2] / "shared" / "data"))  # noqa: TID251
    if not (folder / "idrid").is_dir():
        pytest.skip(f"no real images in {folder}; set LESIONMAP_DATA")
    return folder
