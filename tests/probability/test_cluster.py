"""The workers of a scheduler give the same bytes as threads, and one of them may die."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.config import ProbabilityConfig
from pipeline.errors import ConfigurationError, ModelError, StoreError
from pipeline.probability import cluster, predict
from pipeline.probability.predict import predict_image
from pipeline.probability.spec import PassSpec
from pipeline.stores.atomic import partial_path
from pipeline.stores.job import Job
from tests.probability.eager import fixed_network
from tests.probability.test_predict import ORIGIN, STORAGE, normalized, outputs, read, record, trained

distributed = pytest.importorskip("distributed")
__all__ = ["trained"]


@pytest.fixture(scope="module")
def workers() -> Iterator["distributed.LocalCluster"]:
    """Two workers and a scheduler in this process; the system finds ports that are free."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=":0"
    ) as found:
        yield found


@pytest.fixture
def processes() -> Iterator["distributed.LocalCluster"]:
    """Two workers in processes of their own."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=None
    ) as found:
        yield found


def go(path: Path, stores: dict[str, Path], *, model: Path, **changes: object) -> None:
    settings = {"storage": STORAGE, "batch_size": 3, "threads": 1, "device": "cpu", **changes}
    predict_image(
        path,
        model=model,
        outputs=stores,
        config=ProbabilityConfig.model_validate(settings),
        window=32,
        job=Job(record(), ORIGIN),
    )


def on(workers, **changes: object) -> dict[str, object]:
    return {"dask": {"scheduler": workers.scheduler_address}, **changes}


def test_workers_of_a_scheduler_write_the_bytes_that_threads_write(workers, tmp_path, trained) -> None:
    path = normalized(tmp_path)
    here, there = (outputs(tmp_path / name, fusions=("none", "gaussian", "max")) for name in ("here", "there"))
    go(path, here, model=trained)
    go(path, there, model=trained, **on(workers))
    for fusion in here:
        assert read(here[fusion]).any()
        for level in ("0", "1"):
            np.testing.assert_array_equal(read(there[fusion], level), read(here[fusion], level))
    assert not [each for each in (tmp_path / "there" / "results" / ".partial").rglob("*") if each.is_file()]


def die_after(work: str, died: str, *, blocks: int) -> None:
    """Let this process of a worker end itself before it finishes a block, once so many are finished, and in one life only."""
    finish = cluster._finish

    def finish_or_die(*arguments: object) -> None:
        if len(list(Path(work).glob("*.done"))) >= blocks:
            with suppress(FileExistsError):
                Path(died).touch(exist_ok=False)
                os.kill(os.getpid(), signal.SIGKILL)
        finish(*arguments)

    cluster._finish = finish_or_die


@pytest.mark.slow  # three processes that each import everything
def test_a_worker_in_another_process_that_is_killed_costs_its_tasks_only(processes, tmp_path, trained) -> None:
    path = normalized(tmp_path, height=400, width=200)
    here, there = (outputs(tmp_path / name, fusions=("gaussian",)) for name in ("here", "there"))
    go(path, here, model=trained, views="flips")
    final = partial_path(there["gaussian"])
    work = final.with_name(f"{final.name}.work")
    with distributed.Client(processes.scheduler_address, set_as_default=False) as client:
        client.run(die_after, str(work), str(tmp_path / "died"), blocks=5)
    go(path, there, model=trained, views="flips", **on(processes))
    assert (tmp_path / "died").exists()
    np.testing.assert_array_equal(read(there["gaussian"]), read(here["gaussian"]))


def test_an_error_on_a_worker_is_the_error_of_the_run(workers, tmp_path, trained) -> None:
    with pytest.raises(ModelError, match=r"MA"):
        predict_image(
            normalized(tmp_path),
            model=trained,
            outputs=outputs(tmp_path, fusions=("mean",)),
            window=32,
            config=ProbabilityConfig.model_validate({"storage": STORAGE, "device": "cpu", **on(workers)}),
            job=Job(record().model_copy(update={"classes": record().classes[::-1]}), ORIGIN),
        )


def test_no_scheduler_at_an_address_is_said(tmp_path, trained, monkeypatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE_S", 1)
    with pytest.raises(ConfigurationError, match=r"scheduler[\s\S]*127\.0\.0\.1:9[\s\S]*dask worker"):
        go(normalized(tmp_path), outputs(tmp_path), model=trained, dask={"scheduler": "tcp://127.0.0.1:9"})


def test_finishing_a_block_changes_nothing_that_the_scheduler_holds(monkeypatch, tmp_path) -> None:
    class Finisher:
        def finish(self, block: object, sums: dict[str, np.ndarray]) -> None:
            for each in sums.values():
                each += 1

    sums = {"mean": np.zeros((1, 4, 4), np.float32)}
    work = SimpleNamespace(folders={}, digest="", plan=SimpleNamespace(blocks=("block",)))
    monkeypatch.setattr(cluster, "_here", lambda _: Finisher())
    cluster._finish(work, 0, sums, None)
    assert not sums["mean"].any(), "a worker that retires hands them on, to be finished again"


def test_a_task_of_an_earlier_run_touches_nothing_of_the_present_one(monkeypatch, tmp_path, trained) -> None:
    """The client of a run dies while a worker computes a block; a run with another overlap begins on the same paths."""
    path, stores = normalized(tmp_path), outputs(tmp_path / "r", fusions=("gaussian",))
    earlier: list[PassSpec] = []
    monkeypatch.setattr(predict, "_fuse", lambda work, predictors, *, name: earlier.append(work) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(path, stores, model=trained, overlap=0.5)
    late = earlier[0].open((fixed_network,))
    block = late.plan.blocks[0]
    sums = late.compute(block)
    with pytest.raises(ZeroDivisionError):
        go(path, stores, model=trained, overlap=0.25)
    present = earlier[1].folders["gaussian"]
    before = {each: each.read_bytes() for each in present.parent.rglob("*") if each.is_file()}
    for late_task in (lambda: late.finish(block, sums), lambda: late.compute(block)):
        with pytest.raises(StoreError, match="Another run"):
            late_task()
    assert {each: each.read_bytes() for each in present.parent.rglob("*") if each.is_file()} == before
