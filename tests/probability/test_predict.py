"""From store to store: every fusion in its own OME-Zarr image, resumable, with what was skipped on record."""

import errno
import os
from pathlib import Path

import numpy as np
import ome_zarr_models.v05
import pytest
import tifffile
from numpy.typing import NDArray

from pipeline.config import ProbabilityConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ConfigurationError, ModelError, StoreError
from pipeline.geometry import Box
from pipeline.probability import predict
from pipeline.probability.plan import WindowPlan
from pipeline.probability.predict import predict_image
from pipeline.probability.predictor import NetworkPredictor, load_predictors, torch_threads
from pipeline.stores import create_plane, create_pyramid, open_array, open_group, write_box
from pipeline.stores.atomic import partial_path
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.ome_tiff import write_ome_tiff
from pipeline.stores.probability_store import open_probability
from pipeline.stores.provenance import Provenance, file_digest
from pipeline.stores.record import seal
from tests.probability.eager import CountingNetwork, eager, fixed_network, windows_of
from tests.probability.half_map import half_map

STORAGE = Storage(chunk=16, shard=64)
FUSIONS = ("none", "max", "mean", "gaussian")
ORIGIN = Provenance("probability", {"a": 1}, "code")


def record() -> DatasetRecord:
    classes = [
        {"code": "MA", "name": "microaneurysm", "colour": "red"},
        {"code": "EX", "name": "exudate", "colour": "#0000FE"},
    ]
    layout = {"images": "{image}.png", "masks": {"MA": "{image}_1.png", "EX": "{image}_2.png"}}
    tree = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel", "classes": classes}
    return DatasetRecord.model_validate({**tree, "folder": layout, "pixel_size_um": 2.0})


def normalized(folder: Path, *, height: int = 150, width: int = 101, roi: NDArray[np.uint8] | None = None) -> Path:
    path = folder / "results" / "d" / "normalized" / "eye.zarr"
    image = np.random.Generator(np.random.PCG64(3)).integers(0, 256, (3, height, width), dtype=np.uint8)
    mapping = {"factor_y": 0.5, "factor_x": 0.5, "source_height": 2 * height}
    notes = {"image_id": "eye", "classes": ["MA", "EX"], "mapping": mapping}
    group = create_pyramid(
        path,
        channels=("r", "g", "b"),
        shapes=((height, width),),
        dtype=np.uint8,
        storage=STORAGE,
        provenance={"stage": "normalized"},
        extra={"lesionmap": notes},
    )
    write_box(group["0"], image, y0=0, x0=0)
    planes = {"roi": np.ones((height, width), np.uint8) if roi is None else roi}
    planes["truth"] = np.stack([image[0] > 250, image[1] > 128]).astype(np.uint8)
    for name, plane in planes.items():
        write_box(create_plane(group, name, shape=plane.shape, dtype=np.uint8, storage=STORAGE), plane, y0=0, x0=0)
    seal(path)
    return path


def outputs(folder: Path, *, fusions: tuple[str, ...] = FUSIONS) -> dict[str, Path]:
    return {name: folder / "results" / "d" / "probability" / "unet" / name / "eye.zarr" for name in fusions}


def go(path: Path, stores: dict[str, Path], **changes: object) -> None:
    settings = {"storage": STORAGE, "batch_size": 3, "workers": 2, "threads": 1, **changes}
    predict_image(
        path,
        model=Path("model"),
        outputs=stores,
        config=ProbabilityConfig.model_validate(settings),
        window=32,
        job=Job(record(), ORIGIN),
    )


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> CountingNetwork:
    counting = CountingNetwork()
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (counting,))
    return counting


def read(path: Path, name: str = "0") -> NDArray[np.float16]:
    array = open_array(path, name)
    return np.asarray(array[:])


def test_each_fusion_is_the_eager_definition_in_float16(tmp_path: Path, network: CountingNetwork) -> None:
    path, stores = normalized(tmp_path), outputs(tmp_path)
    go(path, stores)
    image = read(path)
    for fusion, store in stores.items():
        plan = WindowPlan(150, 101, 32, 32 if fusion == "none" else 24, 64)
        expected = eager(image, plan, fusion=fusion)
        found = read(store)
        assert found.dtype == np.float16
        assert (np.abs(found - expected) <= 0.51 * np.spacing(expected.astype(np.float16)) + 1e-6).all()


def test_maps_are_shown_in_the_colours_of_the_classes_also_by_other_programs(
    tmp_path: Path, network: CountingNetwork
) -> None:
    stores = outputs(tmp_path, fusions=("mean",))
    go(normalized(tmp_path), stores)
    shown = dict(open_group(stores["mean"]).attrs)["ome"]["omero"]["channels"]
    assert [(each["label"], each["color"]) for each in shown] == [("MA", "FF0000"), ("EX", "0000FE")]
    assert {(each["window"]["start"], each["window"]["end"]) for each in shown} == {(0.0, 1.0)}
    write_ome_tiff(stores["mean"], tmp_path / "a.ome.tiff")
    with tifffile.TiffFile(tmp_path / "a.ome.tiff") as file:
        channels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]["Channel"]
    assert [each["Color"] & 0xFFFFFFFF for each in channels] == [0xFF0000FF, 0x0000FEFF]


def test_all_overlapping_fusions_come_from_one_pass_and_none_from_its_own(
    tmp_path: Path, network: CountingNetwork
) -> None:
    path = normalized(tmp_path)
    go(path, outputs(tmp_path))
    image = read(path)
    passes = [WindowPlan(150, 101, 32, stride, 64) for stride in (32, 24)]
    assert sorted(network.seen) == sorted(tile.tobytes() for plan in passes for _, _, tile in windows_of(image, plan))


def test_the_stores_are_valid_images_with_a_pyramid_and_their_origin(tmp_path: Path, network: CountingNetwork) -> None:
    stores = outputs(tmp_path)
    go(normalized(tmp_path), stores)
    for fusion, store in stores.items():
        model = ome_zarr_models.v05.Image.from_zarr(open_group(store))
        scale = model.attributes.ome.multiscales[0].datasets[1].coordinateTransformations[0].scale
        assert scale == [1.0, 8.0, 8.0]
        attributes = dict(open_group(store).attrs)
        assert attributes["provenance"] == ORIGIN.as_attributes()
        notes = attributes["lesionmap"]
        assert (notes["fusion"], notes["classes"], notes["image_id"]) == (fusion, ["MA", "EX"], "eye")
        assert notes["mapping"]["factor_y"] == 0.5
        assert (notes["window"], notes["stride"]) == (32, 32 if fusion == "none" else 24)
        np.testing.assert_allclose(read(store, "1"), half_map(read(store).astype(np.float32)), atol=1e-3)


def test_nothing_is_left_beside_finished_stores(tmp_path: Path, network: CountingNetwork) -> None:
    stores = outputs(tmp_path)
    go(normalized(tmp_path), stores)
    assert [path for path in (tmp_path / "results" / ".partial").rglob("*") if path.is_file()] == []
    left = {path.name for store in stores.values() for path in store.rglob("*") if path.is_file()}
    assert not any(name.endswith((".npy", ".done")) for name in left)


def test_windows_outside_the_roi_are_not_evaluated_and_that_is_on_record(
    tmp_path: Path, network: CountingNetwork
) -> None:
    roi = np.zeros((150, 101), np.uint8)
    roi[:40, :40] = 1
    path, stores = normalized(tmp_path, roi=roi), outputs(tmp_path, fusions=("mean",))
    go(path, stores)
    notes = dict(open_group(stores["mean"]).attrs)["lesionmap"]
    truth = read(path, "truth") != 0
    assert len(network.seen) == notes["windows_evaluated"] == 4
    assert notes["windows_skipped_share"] == pytest.approx(1 - 4 / 24)
    assert notes["truth_pixels_outside_roi"] == (truth & (roi == 0)).sum(axis=(1, 2)).tolist()
    assert (
        notes["truth_pixels_not_evaluated"] == (truth.sum(axis=(1, 2)) - truth[:, :56, :56].sum(axis=(1, 2))).tolist()
    )
    found = read(stores["mean"])
    assert (found[:, 56:] == 0).all()
    assert (found[:, :56, :56] > 0).any()


@pytest.mark.parametrize("fuse", ["probabilities", "logits"])
def test_maps_are_zero_outside_the_roi_on_request_and_unchanged_inside(
    tmp_path: Path, network: CountingNetwork, fuse: str
) -> None:
    roi = np.zeros((150, 101), np.uint8)
    roi[20:130, 15:90] = np.indices((110, 75)).sum(axis=0) % 7 > 0
    path = normalized(tmp_path, roi=roi)
    kept, cut = (outputs(tmp_path / name) for name in ("kept", "cut"))
    go(path, kept, fuse=fuse)
    go(path, cut, fuse=fuse, outside_roi="zero")
    for fusion in FUSIONS:
        before = read(kept[fusion])
        assert (before[:, roi == 0] > 0).any()
        assert np.array_equal(read(cut[fusion]), before * roi.astype(np.float16))
        np.testing.assert_allclose(read(cut[fusion], "1"), half_map(read(cut[fusion]).astype(np.float32)), atol=1e-3)
        assert dict(open_group(cut[fusion]).attrs)["lesionmap"]["outside_roi"] == "zero"


def test_an_image_without_roi_gives_zero_maps(tmp_path: Path, network: CountingNetwork) -> None:
    stores = outputs(tmp_path)
    go(normalized(tmp_path, roi=np.zeros((150, 101), np.uint8)), stores)
    assert network.seen == []
    assert all((read(store) == 0).all() for store in stores.values())


def test_skipping_can_be_switched_off(tmp_path: Path, network: CountingNetwork) -> None:
    go(
        normalized(tmp_path, roi=np.zeros((150, 101), np.uint8)),
        outputs(tmp_path, fusions=("mean",)),
        skip_outside_roi=False,
    )
    assert len(network.seen) == 24


def test_a_killed_job_continues_with_its_finished_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: CountingNetwork
) -> None:
    path, stores = normalized(tmp_path), outputs(tmp_path, fusions=("mean", "gaussian"))
    failing = CountingNetwork(fail_after=17)
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (failing,))
    with pytest.raises(InterruptedError):
        go(path, stores, workers=1)
    assert not stores["mean"].exists()
    assert partial_path(stores["mean"]).exists()
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (network,))
    go(path, stores)
    assert len(failing.seen) > 0
    assert len(network.seen) < 24
    plan = WindowPlan(150, 101, 32, 24, 64)
    for fusion, store in stores.items():
        np.testing.assert_allclose(read(store), eager(read(path), plan, fusion=fusion), atol=6e-4)


def test_what_another_plan_left_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: CountingNetwork
) -> None:
    path, stores = normalized(tmp_path), outputs(tmp_path, fusions=("mean",))
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (CountingNetwork(fail_after=17),))
    with pytest.raises(InterruptedError):
        go(path, stores, workers=1)
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (network,))
    go(path, stores, overlap=0.5)
    expected = eager(read(path), WindowPlan(150, 101, 32, 16, 64), fusion="mean")
    np.testing.assert_allclose(read(stores["mean"]), expected, atol=6e-4)


def test_an_image_smaller_than_the_window_has_a_map_of_its_own_size(tmp_path: Path, network: CountingNetwork) -> None:
    path, stores = normalized(tmp_path, height=20, width=9), outputs(tmp_path)
    go(path, stores)
    for fusion, store in stores.items():
        expected = eager(read(path), WindowPlan(20, 9, 32, 24, 64), fusion=fusion)
        np.testing.assert_allclose(read(store), expected, atol=6e-4)


def test_a_window_larger_than_a_shard_is_a_configuration_error(tmp_path: Path, network: CountingNetwork) -> None:
    with pytest.raises(ConfigurationError, match="shard"):
        go(normalized(tmp_path), outputs(tmp_path), storage={"chunk": 16, "shard": 16})


def test_a_missing_image_is_named(tmp_path: Path, network: CountingNetwork) -> None:
    with pytest.raises(StoreError, match=r"nowhere\.zarr"):
        go(tmp_path / "nowhere.zarr", outputs(tmp_path))


def test_an_image_that_is_not_all_there_is_named(tmp_path: Path, network: CountingNetwork) -> None:
    path = normalized(tmp_path, roi=np.ones((150, 100), np.uint8))
    with pytest.raises(StoreError, match=r"incomplete[\s\S]*array roi \(150, 100\)"):
        go(path, outputs(tmp_path))
    assert not network.seen


def test_nan_leaves_no_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = outputs(tmp_path)
    broken = lambda windows: fixed_network(windows) * np.float32(np.nan)  # noqa: E731
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (broken,))
    with pytest.raises(ModelError, match=r"eye, window at y \d+, x \d+"):
        go(normalized(tmp_path), stores)
    assert not any(store.exists() for store in stores.values())


def test_a_network_gives_probabilities_of_the_classes_without_background() -> None:
    torch = pytest.importorskip("torch")

    class Grey(torch.nn.Module):
        def forward(self, pixels):
            grey = pixels.float().mean(dim=1, keepdim=True) / 255
            return torch.cat([torch.zeros_like(grey), grey, -grey], dim=1)

    windows = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (2, 3, 32, 32), dtype=np.uint8)
    grey = windows.mean(axis=1) / 255
    for task, expected in (
        ("multiclass", np.exp([grey, -grey]) / (1 + np.exp(grey) + np.exp(-grey))),
        ("multilabel", 1 / (1 + np.exp([0 * grey, -grey, grey]))),
    ):
        for precision, tolerance in (("float32", 1e-6), ("bfloat16", 1e-2)):
            found = NetworkPredictor(Grey(), task, torch.device("cpu"), precision)(windows)
            assert found.dtype == np.float32
            assert found.flags.c_contiguous
            np.testing.assert_allclose(found, np.moveaxis(expected, 0, 1), atol=tolerance)


def test_torch_gets_its_threads_back() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as stage model leaves it, with random weights."""
    torch = pytest.importorskip("torch")
    from pipeline.config import ModelSettings
    from pipeline.model.card import Card, InputScaling
    from pipeline.model.network import build_network
    from pipeline.stores.model_files import CARD, WEIGHTS

    folder = tmp_path_factory.mktemp("model")
    chosen = ModelSettings(encoder="resnet18", encoder_weights="none")
    torch.manual_seed(0)
    network = build_network(chosen, classes=2, task="multilabel")
    card = Card.model_validate(
        {
            "model": "unet",
            "dataset": "d",
            "task": "multilabel",
            "outputs": 2,
            "channels": 3,
            "patch": 32,
            "classes": [{"code": each.code, "name": each.name} for each in record().classes],
            "scaling": InputScaling(divide_by=255, mean=(0, 0, 0), std=(1, 1, 1)),
            "pixel_size_um": None,
            "normalisation": {},
            "settings": chosen,
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
    torch.save(network.state_dict(), folder / WEIGHTS)
    content = card.model_dump(mode="json") | {"files": {WEIGHTS: file_digest(folder / WEIGHTS)}}
    (folder / CARD).write_text(json_text(content))
    return folder


def test_a_trained_model_gives_the_same_maps_on_any_number_of_workers(tmp_path: Path, trained: Path) -> None:
    path, results = normalized(tmp_path), []
    for workers in (1, 3):
        stores = outputs(tmp_path / str(workers), fusions=("none", "gaussian"))
        config = ProbabilityConfig(storage=STORAGE, batch_size=3, workers=workers, threads=1, device="cpu")
        predict_image(path, model=trained, outputs=stores, config=config, window=32, job=Job(record(), ORIGIN))
        results.append({fusion: read(store) for fusion, store in stores.items()})
    for fusion, first in results[0].items():
        assert first.std() > 0
        np.testing.assert_array_equal(first, results[1][fusion])


def test_a_model_of_other_classes_is_refused(trained: Path) -> None:
    other = record().model_copy(update={"classes": record().classes[::-1]})
    with pytest.raises(ModelError, match=r"MA.*EX"):
        load_predictors(trained, record=other, config=ProbabilityConfig(device="cpu"))


def test_a_model_of_another_task_is_refused(trained: Path) -> None:
    other = record().model_copy(update={"task": "multiclass"})
    with pytest.raises(ModelError, match=r"other tasks"):
        load_predictors(trained, record=other, config=ProbabilityConfig(device="cpu"))


def test_a_gpu_that_is_not_there_is_a_configuration_error(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match="device"):
        load_predictors(trained, record=record(), config=ProbabilityConfig(device="cuda"))


def test_bytes_are_the_probabilities_in_steps_of_a_255th(tmp_path: Path, network: CountingNetwork) -> None:
    path, stores = normalized(tmp_path), outputs(tmp_path)
    go(path, stores, stored="uint8")
    for fusion, store in stores.items():
        plan = WindowPlan(150, 101, 32, 32 if fusion == "none" else 24, 64)
        expected = eager(read(path), plan, fusion=fusion)
        assert read(store).dtype == np.uint8
        assert dict(open_group(store).attrs)["lesionmap"]["scale"] == 1 / 255
        assert np.abs(read(store) / 255 - expected).max() <= 0.5 / 255 + 1e-6
        half = half_map(expected.astype(np.float32))
        assert np.abs(read(store, "1") / 255 - half).max() <= 0.5 / 255 + 1e-6
        assert np.abs(open_probability(store).read(Box(0, 0, 150, 101)) - expected).max() < 3e-3


def test_an_image_smaller_than_the_window_is_refused_where_so_configured(
    tmp_path: Path, network: CountingNetwork
) -> None:
    with pytest.raises(ConfigurationError, match=r"eye[\s\S]*20, 109[\s\S]*small_images"):
        go(normalized(tmp_path, height=20, width=109), outputs(tmp_path), small_images="refuse")
    assert not network.seen
    go(normalized(tmp_path / "large", height=32, width=32), outputs(tmp_path / "large"), small_images="refuse")


def test_a_full_disk_is_said_in_plain_words_and_the_run_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: CountingNetwork
) -> None:
    path, stores = normalized(tmp_path), outputs(tmp_path, fusions=("mean",))
    real, left = os.replace, [20]

    def full(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StoreError, match=r"no space left on the disk[\s\S]*MiB free[\s\S]*run again"):
        go(path, stores, workers=1)
    monkeypatch.setattr(os, "replace", real)
    assert not stores["mean"].exists()
    go(path, stores)
    expected = eager(read(path), WindowPlan(150, 101, 32, 24, 64), fusion="mean")
    np.testing.assert_allclose(read(stores["mean"]), expected, atol=6e-4)


@pytest.mark.parametrize("fusion", ["gaussian", "max", "none"])
def test_logits_are_fused_by_a_trained_model(tmp_path: Path, trained: Path, fusion: str) -> None:
    """With windows side by side, and for the largest value, it makes no difference; for a weighted mean it does."""
    path, found = normalized(tmp_path), {}
    for fuse in ("probabilities", "logits"):
        store = outputs(tmp_path / fuse, fusions=(fusion,))
        config = ProbabilityConfig(storage=STORAGE, batch_size=3, threads=1, device="cpu", fuse=fuse)
        predict_image(path, model=trained, outputs=store, config=config, window=32, job=Job(record(), ORIGIN))
        found[fuse] = read(store[fusion]).astype(np.float32)
    off = np.abs(found["logits"] - found["probabilities"]).max()
    assert (off > 1e-3) if fusion == "gaussian" else (off <= 5e-4)
    assert off < 0.3


def test_the_workers_and_the_scheduler_are_not_what_a_map_depends_on() -> None:
    plain = ProbabilityConfig().of_the_values()
    assert plain == ProbabilityConfig(workers=7, dask={"scheduler": "tcp://host:1"}, splits=("test",)).of_the_values()
    assert plain != ProbabilityConfig(views="flips").of_the_values()


@pytest.mark.parametrize("address", ["processes", "host:8786", "tcp://"])
def test_what_is_no_scheduler_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="scheduler"):
        ProbabilityConfig(dask={"scheduler": address})
