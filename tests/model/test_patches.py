"""Patches by index row: pixels, padding, changes, other processes."""

import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numba
import numpy as np
import pandas as pd
import pytest
import torch

from pipeline.config import Augmentation
from pipeline.errors import ModelError
from pipeline.model.augment import build_augmenter
from pipeline.model.order import InOrder
from pipeline.model.patches import PatchDataset, check_rows, loader, one_thread


def rows(*boxes: tuple[int, int, int, int], image: str = "a") -> pd.DataFrame:
    frame = pd.DataFrame(boxes, columns=["y", "x", "height", "width"], dtype="int32")
    columns = {"image_id": image, "patch_id": [f"p{at}" for at in range(len(frame))], "pixels_MA": 0, "pixels_OD": 0}
    return frame.assign(**columns).astype({"image_id": "category"})


@pytest.fixture
def image(tmp_path: Path, store: Callable) -> tuple[Path, np.ndarray, np.ndarray]:
    random = np.random.Generator(np.random.PCG64(0))
    pixels = random.integers(0, 256, (3, 150, 170)).astype(np.uint8)
    truth = (random.random((2, 150, 170)) > 0.7).astype(np.uint8)
    return store(tmp_path / "a.zarr", pixels, truth), pixels, truth


def test_a_patch_is_the_box_of_its_row(image: tuple, record: Callable) -> None:
    path, pixels, truth = image
    dataset = PatchDataset(
        rows((0, 0, 64, 64), (86, 106, 64, 64)), normalized={"a": path}, record=record("multilabel"), side=64
    )
    assert len(dataset) == 2
    found, target, epoch, unknown = dataset[5, 1, 0]
    np.testing.assert_array_equal(found, pixels[:, 86:150, 106:170])
    np.testing.assert_array_equal(target, truth[:, 86:150, 106:170])
    assert epoch == 5
    assert unknown.tolist() == [False, False]


@pytest.mark.parametrize("task", ["multilabel", "multiclass"])
def test_a_class_that_nobody_looked_for_is_ignored_in_its_plane_and_named_for_labels(
    image: tuple, record: Callable, task: str
) -> None:
    path, _, truth = image
    table = rows((0, 0, 64, 64), (10, 10, 64, 64)).assign(pixels_OD=[-1, 9])
    dataset = PatchDataset(table, normalized={"a": path}, record=record(task), side=64)
    samples = [dataset[0, at, 0] for at in (0, 1)]
    assert [each[3].tolist() for each in samples] == [[False, True], [False, False]]
    if task == "multilabel":
        assert (samples[0][1][1] == 255).all()
        np.testing.assert_array_equal(samples[0][1][0], truth[0, :64, :64])
    assert all((each[1] != 255).all() for each in (samples if task == "multiclass" else samples[1:]))


def test_a_small_box_is_padded_and_its_padding_ignored(image: tuple, record: Callable) -> None:
    path, pixels, _ = image
    dataset = PatchDataset(rows((100, 120, 50, 40)), normalized={"a": path}, record=record(), side=64)
    found, target, *_ = dataset[0, 0, 0]
    assert found.shape == (3, 64, 64)
    np.testing.assert_array_equal(found[:, :50, :40], pixels[:, 100:150, 120:160])
    assert (target[:50, :40] <= 2).all()
    assert (target == 255).sum() == 64 * 64 - 50 * 40


def test_a_pixel_that_nobody_is_sure_of_is_ignored(image: tuple, record: Callable, store: Callable) -> None:
    path, pixels, truth = image
    ignore = (np.random.Generator(np.random.PCG64(1)).random((150, 170)) < 0.2).astype(np.uint8) & ~truth.any(axis=0)
    unsure = store(path.with_name("b.zarr"), pixels, truth, ignore)
    for task in ("multiclass", "multilabel"):
        made = (
            PatchDataset(rows((80, 100, 64, 64)), normalized={"a": each}, record=record(task), side=64)
            for each in (path, unsure)
        )
        plain, target = (dataset[0, 0, 0][1] for dataset in made)
        np.testing.assert_array_equal(target, np.where(ignore[80:144, 100:164] > 0, 255, plain))


def test_changes_are_addressed_by_seed_model_epoch_and_patch(image: tuple, record: Callable) -> None:
    path, *_ = image
    changes = build_augmenter(Augmentation(probability=1.0))

    def patch(epoch: int, row: int, address: tuple[int, str], order: pd.DataFrame, before: int = 0) -> np.ndarray:
        stores = {"a": path}
        made = PatchDataset(order, normalized=stores, record=record(), side=64, augmenter=changes, address=address)
        return made[epoch, row, before][0]

    same_box = rows((0, 0, 64, 64), (0, 0, 64, 64))
    base = patch(0, 0, (1, "m"), same_box)
    np.testing.assert_array_equal(base, patch(0, 0, (1, "m"), same_box))
    np.testing.assert_array_equal(base, patch(0, 1, (1, "m"), same_box.iloc[::-1]))
    others = [patch(1, 0, (1, "m"), same_box), patch(0, 1, (1, "m"), same_box), patch(0, 0, (2, "m"), same_box)]
    others += [patch(0, 0, (1, "n"), same_box), patch(0, 0, (1, "m"), same_box, before=1)]
    assert not any(np.array_equal(base, other) for other in others)


def test_a_dataset_travels_without_its_open_stores(image: tuple, record: Callable) -> None:
    path, *_ = image
    dataset = PatchDataset(rows((0, 0, 64, 64)), normalized={"a": path}, record=record(), side=64)
    first = dataset[0, 0, 0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert not copy._open
    np.testing.assert_array_equal(copy[0, 0, 0][0], first[0])


@pytest.mark.parametrize(
    ("readers", "start"), [(0, "forkserver"), (1, "forkserver"), pytest.param(1, "spawn", marks=pytest.mark.slow)]
)
def test_a_loader_gives_batches_in_order_and_leaves_the_global_generator_alone(
    image: tuple, record: Callable, readers: int, start: str
) -> None:
    path, pixels, _ = image
    boxes = [(y, 0, 64, 64) for y in (0, 10, 20, 30)]
    dataset = PatchDataset(rows(*boxes), normalized={"a": path}, record=record(), side=64)
    before = torch.get_rng_state()
    made = loader(dataset, batches=InOrder(4, size=2), readers=readers, start=start)
    got = list(made)
    assert made.waited() > 0
    assert made.waited() == 0, "it counts anew"
    assert torch.equal(torch.get_rng_state(), before)
    assert [batch[0].dtype for batch in got] == [torch.uint8] * 2
    found = torch.cat([batch[0] for batch in got]).numpy()
    np.testing.assert_array_equal(found, np.stack([pixels[:, y : y + 64, :64] for y, *_ in boxes]))


def test_a_process_that_reads_takes_one_thread_of_each_library(image: tuple, record: Callable) -> None:
    dataset = PatchDataset(rows((0, 0, 64, 64)), normalized={"a": image[0]}, record=record(), side=64)
    assert loader(dataset, batches=InOrder(1, size=1), readers=1).worker_init_fn is one_thread
    before = torch.get_num_threads(), cv2.getNumThreads(), numba.get_num_threads()
    try:
        one_thread()
        assert (torch.get_num_threads(), cv2.getNumThreads(), numba.get_num_threads()) == (1, 1, 1)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
        numba.set_num_threads(before[2])


def test_rows_that_cannot_be_served_are_refused_before_any_work(image: tuple, record: Callable) -> None:
    stores = {"a": image[0]}
    check_rows(rows((0, 0, 64, 64)), normalized=stores, record=record(), side=64)
    with pytest.raises(ModelError, match="boxes of 65"):
        check_rows(rows((0, 0, 65, 64)), normalized=stores, record=record(), side=64)
    with pytest.raises(ModelError, match="found:    b"):
        check_rows(rows((0, 0, 64, 64), image="b"), normalized=stores, record=record(), side=64)
    with pytest.raises(ModelError, match="other classes"):
        check_rows(rows((0, 0, 64, 64)), normalized=stores, record=record(codes=("MA", "EX")), side=64)
