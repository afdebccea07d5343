"""Hypothesis without deadlines, because compiled kernels take their time at the first call; what tests of all folders share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from pipeline.runtime.threads import let_waiting_threads_sleep

if TYPE_CHECKING:
    from tests.scenes.tiny_run import TinyRun

# Two files of tests at a time share the cores: threads of one operator would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")  # noqa: TID251
settings.register_profile("lesionmap", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lesionmap")
let_waiting_threads_sleep()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The one whole run first, so that nobody is left with it at the end; what else looks at it once it is there."""
    items.sort(key=lambda item: item.path.name != "test_rerun.py")


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes of the tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # noqa: TID251


@pytest.fixture(scope="session")
def finished_run(shared_folder: Path) -> Callable[[str], "TinyRun"]:
    """The tiny run of a world, made once for all processes, to look at only."""
    from tests.scenes.tiny_run import described, tiny_run

    def run(world: str) -> "TinyRun":
        folder = shared_folder / f"tiny_{world}"
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                tiny_run(folder.with_suffix(".making"), world)
                folder.with_suffix(".making").rename(folder)
        return described(folder, world)

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images, or a skip that says so."""
    folder = Path(os.environ.get("LESIONMAP_DATA", Path(__file__).parents[2] / "shared" / "data"))  # noqa: TID251
    if not (folder / "idrid").is_dir():
        pytest.skip(f"no real images in {folder}; set LESIONMAP_DATA")
    return folder
