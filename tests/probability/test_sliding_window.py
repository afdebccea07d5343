"""However an image is cut into blocks, batches and workers, and whenever it is killed, the map is the eager one."""

import pickle
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.arrays.raster import Raster
from pipeline.errors import ModelError
from pipeline.geometry import Box
from pipeline.probability.fusion.finish import Fused
from pipeline.probability.fusion.journal import Journal
from pipeline.probability.plan import Block, WindowPlan
from pipeline.probability.sliding_window import SlidingWindow
from pipeline.probability.task_graph import blocks_graph, run_on_threads
from pipeline.probability.window import evaluated_windows
from tests.probability.eager import CountingNetwork, eager, fixed_network, windows_of

Maps = dict[str, NDArray[np.float32]]


@dataclass
class Trial:
    """An image, a plan, and the maps that runs have written so far."""

    image: NDArray[np.uint8]
    plan: WindowPlan
    folder: Path
    fusions: tuple[str, ...] = ("mean", "max", "gaussian")
    roi: NDArray[np.bool_] | None = None
    maps: Maps = field(default_factory=dict)
    written: list[tuple[str, Box]] = field(default_factory=list)

    def run(self, network: Callable[[NDArray[np.uint8]], NDArray[np.float32]], *, workers: int = 1) -> Maps:
        journals = {fusion: Journal(self.folder / fusion) for fusion in self.fusions}
        for fusion, journal in journals.items():
            journal.open(self.folder, fresh=fusion not in self.maps)
            self.maps.setdefault(fusion, np.zeros((2, self.plan.height, self.plan.width), np.float32))
        if self.roi is None:
            evaluated = self.plan.all_evaluated()
        else:
            evaluated = evaluated_windows(Raster.of(self.roi.astype(np.uint8)), self.plan)
        image = Raster.of(self.image)
        run_on_threads(
            SlidingWindow("picture", self.plan, evaluated, 2, image, (network,), self._write, journals), workers=workers
        )
        return self.maps

    def _write(self, fusion: str, fused: Fused, box: Box) -> tuple[()]:
        self.maps[fusion][(slice(None), *box.slices)] = fused.values()
        self.written.append((fusion, box))
        return ()

    def halos_left(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file() and path.suffix != ".done"]


def picture(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.Generator(np.random.PCG64([height, width])).integers(0, 256, (3, height, width), dtype=np.uint8)


@st.composite
def plans(draw: st.DrawFn, *, largest: int = 56) -> WindowPlan:
    window = draw(st.integers(4, 14))
    stride = draw(st.integers(-(-window // 3), window))
    block = draw(st.integers(window, 24))
    size = st.one_of(st.integers(24, largest), st.integers(1, largest))
    return WindowPlan(draw(size), draw(size), window, stride, block, draw(st.integers(1, 5)))


def compare(trial: Trial) -> None:
    for fusion, found in trial.maps.items():
        expected = eager(trial.image, trial.plan, fusion=fusion, roi=trial.roi)
        np.testing.assert_allclose(found, expected, atol=5e-6, err_msg=fusion)


@settings(deadline=None, max_examples=30)
@given(plans(), st.integers(1, 4))
def test_fused_maps_equal_the_eager_definition(plan: WindowPlan, workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(picture(plan.height, plan.width), plan, Path(folder))
        trial.run(fixed_network, workers=workers)
        compare(trial)
        assert trial.halos_left() == []


@settings(deadline=None, max_examples=15)
@given(plans(), st.integers(1, 4))
def test_without_overlap_each_pixel_is_the_answer_of_the_last_window_over_it(plan: WindowPlan, workers: int) -> None:
    plan = WindowPlan(plan.height, plan.width, plan.window, plan.window, plan.block, plan.batch)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(picture(plan.height, plan.width), plan, Path(folder), fusions=("none",))
        maps = trial.run(fixed_network, workers=workers)
        np.testing.assert_array_equal(maps["none"], eager(trial.image, plan, fusion="none").astype(np.float32))


@settings(deadline=None, max_examples=15)
@given(plans(), st.data())
def test_windows_without_roi_add_neither_sum_nor_weight(plan: WindowPlan, data: st.DataObject) -> None:
    roi = np.zeros((plan.height, plan.width), bool)
    for _ in range(data.draw(st.integers(0, 4))):
        roi[data.draw(st.integers(0, plan.height - 1)), data.draw(st.integers(0, plan.width - 1))] = True
    for fusions, stride in ((("mean", "max", "gaussian"), plan.stride), (("none",), plan.window)):
        each = WindowPlan(plan.height, plan.width, plan.window, stride, plan.block, plan.batch)
        with tempfile.TemporaryDirectory() as folder:
            network = CountingNetwork()
            trial = Trial(picture(plan.height, plan.width), each, Path(folder), fusions=fusions, roi=roi)
            trial.run(network, workers=2)
            compare(trial)
            assert len(network.seen) == evaluated_windows(Raster.of(roi.astype(np.uint8)), each).sum()
            assert trial.halos_left() == []


@settings(deadline=None, max_examples=15)
@given(plans(), st.integers(1, 4))
def test_the_network_sees_each_window_exactly_once_for_all_fusions(plan: WindowPlan, workers: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        network = CountingNetwork()
        trial = Trial(picture(plan.height, plan.width), plan, Path(folder))
        trial.run(network, workers=workers)
    assert Counter(network.seen) == Counter(tile.tobytes() for _, _, tile in windows_of(trial.image, plan))
    assert max(network.batches) <= plan.batch


@settings(deadline=None, max_examples=15)
@given(plans(), st.integers(0, 1024))
def test_a_constant_map_comes_back_constant(plan: WindowPlan, level: int) -> None:
    value = np.float16(level / 1024)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(picture(plan.height, plan.width), plan, Path(folder))
        maps = trial.run(lambda windows: np.full((len(windows), 2, *windows.shape[2:]), value, np.float32))
    for fused in maps.values():
        assert (fused.astype(np.float16) == value).all()


@settings(deadline=None, max_examples=15)
@given(plans(), st.integers(2, 4))
def test_the_number_of_workers_changes_no_bit(plan: WindowPlan, workers: int) -> None:
    results = []
    for count in (1, workers):
        with tempfile.TemporaryDirectory() as folder:
            results.append(
                Trial(picture(plan.height, plan.width), plan, Path(folder)).run(fixed_network, workers=count)
            )
    for fusion in results[0]:
        np.testing.assert_array_equal(results[0][fusion], results[1][fusion])


def test_a_block_that_is_done_again_sends_no_halo_to_neighbours_that_are_finished(tmp_path):
    plan = WindowPlan(height=40, width=40, window=11, stride=4, block=19, batch=2)
    trial = Trial(picture(40, 40), plan, tmp_path)
    whole = {fusion: values.copy() for fusion, values in trial.run(fixed_network).items()}
    for mark in tmp_path.rglob("0_0*.done"):
        mark.unlink()
    trial.maps["mean"][:, :19, :19] = 0
    again = trial.run(fixed_network)
    assert trial.halos_left() == []
    assert all(np.array_equal(again[fusion], whole[fusion]) for fusion in whole)


@settings(deadline=None, max_examples=30)
@given(plans(), st.integers(1, 4), st.lists(st.integers(0, 60), min_size=1, max_size=3))
def test_a_killed_run_continues_to_the_same_content(plan: WindowPlan, workers: int, kills: list[int]) -> None:
    image = picture(plan.height, plan.width)
    with tempfile.TemporaryDirectory() as folder:
        whole = Trial(image, plan, Path(folder)).run(fixed_network)
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(image, plan, Path(folder))
        for windows in kills:
            if windows < len(windows_of(image, plan)):
                with suppress(InterruptedError):
                    trial.run(CountingNetwork(fail_after=windows), workers=workers)
        trial.run(fixed_network, workers=workers)
        assert trial.halos_left() == []
        for fusion in whole:
            np.testing.assert_array_equal(trial.maps[fusion], whole[fusion])


@pytest.mark.parametrize("workers", [1, 3])
def test_a_killed_run_does_not_redo_finished_blocks(tmp_path: Path, workers: int) -> None:
    plan = WindowPlan(100, 100, 16, 12, 32, 2)
    trial = Trial(picture(100, 100), plan, tmp_path)
    total = len(windows_of(trial.image, plan))
    first = CountingNetwork(fail_after=total // 2)
    with pytest.raises(InterruptedError):
        trial.run(first, workers=workers)
    finished = list(trial.written)
    assert finished
    second = CountingNetwork()
    trial.run(second, workers=workers)
    assert len(trial.written) == len(set(trial.written)) == 3 * len(plan.blocks)
    in_flight = workers * max(len(plan.windows(block)) for block in plan.blocks)
    assert total <= len(first.seen) + len(second.seen) <= total + in_flight


def test_a_run_that_was_finished_evaluates_nothing_again(tmp_path: Path) -> None:
    trial = Trial(picture(70, 50), WindowPlan(70, 50, 16, 12, 32, 2), tmp_path)
    trial.run(fixed_network)
    trial.run(CountingNetwork(fail_after=0))
    compare(trial)


def test_a_block_whose_halo_was_lost_is_computed_again(tmp_path: Path) -> None:
    plan = WindowPlan(32, 96, 16, 12, 32, 1)
    trial = Trial(picture(32, 96), plan, tmp_path)
    with pytest.raises(InterruptedError):
        trial.run(CountingNetwork(fail_after=len(plan.windows(Block(0, 0)))))
    assert trial.halos_left()
    for path in trial.halos_left():
        path.unlink()
    trial.run(fixed_network)
    compare(trial)


def test_a_store_that_joins_later_gets_every_block(tmp_path: Path) -> None:
    trial = Trial(picture(70, 70), WindowPlan(70, 70, 16, 12, 32, 2), tmp_path, fusions=("mean",))
    trial.run(fixed_network)
    trial.fusions = ("mean", "gaussian")
    trial.run(fixed_network, workers=2)
    compare(trial)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.25])
def test_nan_from_the_network_names_the_image_and_the_window(tmp_path: Path, bad: float) -> None:
    trial = Trial(picture(40, 40), WindowPlan(40, 40, 16, 12, 32, 3), tmp_path)
    target = trial.image[:, 12:28, 24:40].tobytes()

    def network(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        result = fixed_network(windows)
        for tile, window in zip(result, windows, strict=True):
            tile[1, 3, 4] = bad if window.tobytes() == target else tile[1, 3, 4]
        return result

    with pytest.raises(ModelError, match="picture, window at y 12, x 24"):
        trial.run(network)
    assert trial.written == []


def test_a_network_of_another_number_of_classes_is_refused(tmp_path: Path) -> None:
    trial = Trial(picture(40, 40), WindowPlan(40, 40, 16, 12, 32, 3), tmp_path)
    with pytest.raises(ModelError, match="another shape"):
        trial.run(lambda windows: fixed_network(windows)[:, :1])


def test_the_graph_grows_with_the_blocks_and_not_with_their_square(tmp_path: Path) -> None:
    sizes = []
    for side in (10, 20):
        plan = WindowPlan(side * 32, side * 32, 16, 12, 32, 2)
        journal = Journal(tmp_path / f"{side}")
        journal.open(tmp_path, fresh=True)
        task = SlidingWindow(
            "slide", plan, plan.all_evaluated(), 1, Raster((0, 0), read), (fixed_network,), write, {"mean": journal}
        )
        graph, ends = blocks_graph(task, compute=lambda _: (read,), finish=lambda _: (write,), in_flight=2)
        assert len(ends) == len(plan.blocks) == side**2
        sizes.append(len(pickle.dumps(graph)))
    assert sizes[1] < 4.5 * sizes[0]


def read(box: Box) -> NDArray[np.uint8]:
    raise NotImplementedError


def write(fusion: str, fused: Fused, box: Box) -> None:
    raise NotImplementedError
