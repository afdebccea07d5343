"""Thresholds come from validation alone; masks, labels and outlines of an image say the same."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models.v05
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from scipy import ndimage

from pipeline.config import SegmentationConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import StoreError
from pipeline.normalized.pyramid import halve_labels
from pipeline.segmentation.segment import segment_image
from pipeline.segmentation.threshold_file import read_thresholds, write_thresholds
from pipeline.stores import create_plane, create_pyramid, open_array, open_group, write_box, write_table
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal
from tests.scenes.renames import Rename, recorded_renames

STORAGE = Storage(chunk=16, shard=32)
ORIGIN = Provenance("segmentation", {"a": 1}, "code")
EIGHT = np.ones((3, 3))
Bytes = NDArray[np.uint8]


def record(*, priority: tuple[str, ...] = ("OD", "EX")) -> DatasetRecord:
    classes = [
        {"code": "EX", "name": "Hard exudate", "colour": "#0000FF"},
        {"code": "OD", "name": "Optic disc", "colour": "magenta", "kind": "anatomy"},
    ]
    layout = {"images": "{image}.png", "masks": {"EX": "{image}_1.png", "OD": "{image}_2.png"}}
    tree = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel", "classes": classes}
    return DatasetRecord.model_validate({**tree, "folder": layout, "priority": priority})


def random(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def blobs(height: int, width: int, *, seed: int) -> NDArray[np.float16]:
    smooth = ndimage.gaussian_filter(random(seed).random((2, height, width)), (0, 2, 2))
    low, high = smooth.min(), smooth.max()
    return ((smooth - low) / (high - low)).astype(np.float16)


def image(
    folder: Path, name: str, probability: NDArray[np.float16], truth: Bytes | None = None, ignore: Bytes | None = None
) -> tuple[Path, Path]:
    height, width = probability.shape[1:]
    notes = {"image_id": name, "mapping": {"factor_y": 0.5, "factor_x": 0.25}}
    paths = folder / "probability" / f"{name}.zarr", folder / "normalized" / f"{name}.zarr"
    for path, array in zip(paths, (probability, np.zeros((3, height, width), np.uint8)), strict=True):
        group = create_pyramid(
            path,
            channels=[str(at) for at in range(len(array))],
            shapes=((height, width),),
            dtype=array.dtype,
            storage=STORAGE,
            provenance={"stage": "x"},
            extra={"lesionmap": notes},
        )
        write_box(group["0"], array, y0=0, x0=0)
    for plane, values in (("truth", truth), ("ignore", ignore)):
        if values is not None:
            made = create_plane(group, plane, shape=values.shape, dtype=np.uint8, storage=STORAGE)
            write_box(made, values, y0=0, x0=0)
    for path in paths:
        seal(path)
    return paths


def segmented(
    folder: Path, probability: NDArray[np.float16], *, dataset: DatasetRecord | None = None, **config: object
) -> tuple[Path, dict[str, Any]]:
    maps, normal = image(folder, "eye", probability)
    cuts = folder / "thresholds.json"
    cuts.write_text(json_text({"classes": {"EX": {"threshold": 0.5}, "OD": {"threshold": 0.625}}}))
    store, outlines = folder / "out" / "eye.zarr", folder / "out" / "eye.geojson"
    segment_image(
        maps,
        normalized=normal,
        thresholds=cuts,
        store=store,
        geojson=outlines,
        config=SegmentationConfig.model_validate({"storage": STORAGE, **config}),
        job=Job(dataset or record(), ORIGIN),
    )
    return store, json.loads(outlines.read_text())


def read(path: Path, name: str) -> Bytes:
    return np.asarray(open_array(path, name)[:])


def expected_masks(probability: NDArray[np.float16], *, areas: tuple[int, int], fill: bool) -> NDArray[np.bool_]:
    masks = []
    for plane, cut, area in zip(probability, (0.5, 0.625), areas, strict=True):
        labels, count = ndimage.label(plane.astype(np.float64) >= cut, EIGHT)
        sizes = ndimage.sum_labels(labels > 0, labels, range(1, count + 1))
        kept = np.isin(labels, 1 + np.flatnonzero(sizes >= area))
        masks.append(ndimage.binary_fill_holes(kept) if fill else kept)
    return np.stack(masks)


def rasterised(feature: dict[str, Any], *, height: int, width: int) -> NDArray[np.bool_]:
    """Pixels of the normalised image whose centre lies in a feature, by the even-odd rule over its rings."""
    geometry = feature["geometry"]
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    centres = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), axis=-1).reshape(-1, 2)
    inside = np.zeros(len(centres), dtype=bool)
    for rings in polygons:
        for ring in rings:
            inside ^= Outline(np.array(ring) * [0.25, 0.5]).contains_points(centres)
    return inside.reshape(height, width)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 80), st.integers(1, 80), st.integers(0, 99), st.integers(0, 30), st.booleans())
def test_masks_are_cut_cleaned_and_filled_as_on_the_whole_image(
    height: int, width: int, seed: int, area: int, fill: bool
) -> None:
    probability = blobs(height, width, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        store, _ = segmented(Path(folder), probability, minimum_area=3, minimum_areas={"OD": area}, fill_holes=fill)
        np.testing.assert_array_equal(read(store, "masks"), expected_masks(probability, areas=(3, area), fill=fill))


@pytest.mark.parametrize("winner", ["EX", "OD"])
def test_labels_follow_the_overlap_priority_and_masks_keep_the_overlap(tmp_path: Path, winner: str) -> None:
    probability = np.ones((2, 40, 40), np.float16)
    probability[0, :, :20], probability[1, 30:] = 0, 0
    order = ("EX", "OD") if winner == "EX" else ("OD", "EX")
    store, _ = segmented(tmp_path, probability, dataset=record(priority=order))
    labels, masks = read(store, "0"), read(store, "masks")
    assert labels.dtype == masks.dtype == np.uint8
    assert (masks[:, :30, 20:] == 1).all()
    assert (labels[:30, 20:] == (1 if winner == "EX" else 2)).all()
    assert (labels[:30, :20] == 2).all()
    assert (labels[30:, :20] == 0).all()


def test_labels_of_a_multiclass_task_are_the_most_probable_class_in_parts_of_its_threshold(tmp_path: Path) -> None:
    probability = blobs(70, 50, seed=4)
    multiclass = record().model_copy(update={"task": "multiclass"})
    store, _ = segmented(tmp_path, probability, dataset=multiclass, minimum_area=4)
    masks, shares = read(store, "masks"), probability.astype(np.float64) / np.array([0.5, 0.625])[:, None, None]
    shares = np.where(masks > 0, shares, -1)
    expected = np.where(masks.any(axis=0), 2 - (shares[0] > shares[1]), 0)  # OD is first by priority
    np.testing.assert_array_equal(read(store, "0"), expected)
    assert (masks.all(axis=0) & (expected == 1)).any()


def test_the_store_is_a_valid_label_image_in_the_colours_of_the_classes(tmp_path: Path) -> None:
    store, _ = segmented(tmp_path, blobs(70, 50, seed=1))
    found = ome_zarr_models.v05.ImageLabel.from_zarr(open_group(store))
    label = dict(open_group(store).attrs)["ome"]["image-label"]
    assert found.attributes.ome.image_label.colors[0].label_value == 1
    assert [each["rgba"] for each in label["colors"]] == [[0, 0, 255, 255], [255, 0, 255, 255]]
    assert [each["code"] for each in label["properties"]] == ["EX", "OD"]
    assert [axis.name for axis in found.attributes.ome.multiscales[0].axes] == ["y", "x"]
    assert dict(open_group(store).attrs)["provenance"] == ORIGIN.as_attributes()
    labels = read(store, "0")
    np.testing.assert_array_equal(read(store, "1"), halve_labels(labels, winners=(1, 0)))


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_each_region_is_one_outline_in_original_pixels_with_its_own_measurements(
    height: int, width: int, seed: int
) -> None:
    probability = blobs(height, width, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        store, collection = segmented(Path(folder), probability)
        masks = read(store, "masks")
    drawn = np.zeros_like(masks, dtype=int)
    for each in collection["features"]:
        properties = each["properties"]
        number = ["EX", "OD"].index(properties["metadata"]["class_code"])
        inside = rasterised(each, height=height, width=width)
        drawn[number] += inside
        values, found = probability[number][inside].astype(np.float64), properties["measurements"]
        assert found["area_px"] == inside.sum()
        assert found["area_source_px"] == inside.sum() * 8
        assert found["mean_probability"] == pytest.approx(values.mean())
        assert found["max_probability"] == values.max()
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        assert (found["y0"], found["y1"]) == (rows[0] * 2, (rows[-1] + 1) * 2)
        assert (found["x0"], found["x1"]) == (columns[0] * 4, (columns[-1] + 1) * 4)
        assert (found["y"], found["x"]) == pytest.approx((np.argwhere(inside).mean(axis=0) + 0.5) * (2, 4))
        # What filling adds is its holes and the regions in them, which each stand for themselves.
        filled = ndimage.binary_fill_holes(inside) & ~masks[number].astype(bool)
        assert (found["holes"] > 0) == bool(filled.any())
        assert found["hole_area_px"] <= filled.sum()
    np.testing.assert_array_equal(drawn, masks)
    regions = sum(ndimage.label(mask, EIGHT)[1] for mask in masks)
    assert len(collection["features"]) == regions


def test_outlines_carry_name_and_colour_as_qupath_reads_them(tmp_path: Path) -> None:
    probability = np.zeros((2, 20, 20), np.float16)
    probability[1, 5:9, 5:9] = 1
    _, collection = segmented(tmp_path, probability)
    (only,) = collection["features"]
    assert only["properties"]["objectType"] == "annotation"
    assert only["properties"]["classification"] == {"name": "Optic disc", "color": [255, 0, 255]}
    assert only["properties"]["metadata"]["image_id"] == "eye"
    assert sorted(map(tuple, only["geometry"]["coordinates"][0][:-1])) == [(20, 10), (20, 18), (36, 10), (36, 18)]


def test_an_image_without_lesions_has_an_empty_collection(tmp_path: Path) -> None:
    store, collection = segmented(tmp_path, np.zeros((2, 33, 17), np.float16))
    assert {key: collection[key] for key in ("type", "features")} == {"type": "FeatureCollection", "features": []}
    assert not read(store, "masks").any()


def test_an_image_that_is_all_lesion_is_one_region_per_class(tmp_path: Path) -> None:
    store, collection = segmented(tmp_path, np.ones((2, 33, 47), np.float16))
    assert len(collection["features"]) == 2
    assert read(store, "masks").all()


def test_nothing_is_left_beside_the_results(tmp_path: Path) -> None:
    segmented(tmp_path, blobs(40, 40, seed=2))
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.name != ".partial") == [
        "eye.geojson",
        "eye.zarr",
    ]
    assert list((tmp_path / "out" / ".partial").iterdir()) == []


def test_a_map_of_another_size_than_its_image_is_refused(tmp_path: Path) -> None:
    maps, _ = image(tmp_path / "a", "eye", blobs(40, 40, seed=2))
    _, normal = image(tmp_path / "b", "eye", blobs(40, 41, seed=2))
    (tmp_path / "t.json").write_text(json_text({"classes": {"EX": {"threshold": 0.5}, "OD": {"threshold": 0.5}}}))
    with pytest.raises(StoreError, match="does not fit"):
        segment_image(
            maps,
            normalized=normal,
            thresholds=tmp_path / "t.json",
            job=Job(record(), ORIGIN),
            config=SegmentationConfig(),
            store=tmp_path / "s.zarr",
            geojson=tmp_path / "s.geojson",
        )
    assert not (tmp_path / "s.zarr").exists()


# Thresholds


def table(folder: Path, rows: dict[str, tuple[str, int, int]]) -> Path:
    frame = pd.DataFrame(
        [{"image_id": name, "split": split, "pixels_EX": ex, "pixels_OD": od} for name, (split, ex, od) in rows.items()]
    )
    write_table(frame, folder / "images.parquet", provenance={})
    return folder / "images.parquet"


def fitted(folder: Path, rows: dict[str, tuple[str, int, int]], planes: dict[str, Any], **config: object) -> Any:
    stores = {name: image(folder, name, *pair) for name, pair in planes.items()}
    write_thresholds(
        table(folder, rows),
        probability=[(name, pair[0]) for name, pair in stores.items()],
        normalized={name: pair[1] for name, pair in stores.items()},
        config=SegmentationConfig.model_validate({"storage": STORAGE, "fill_holes": False, **config}),
        job=Job(record(), ORIGIN),
        output=folder / "thresholds.json",
    )
    return json.loads((folder / "thresholds.json").read_text())


def separable(*, cut: float, seed: int) -> tuple[NDArray[np.float16], Bytes]:
    probability = blobs(70, 40, seed=seed)
    return probability, (probability >= cut).astype(np.uint8)


def test_a_threshold_that_separates_the_validation_images_is_found(tmp_path: Path) -> None:
    planes = {name: separable(cut=0.375, seed=seed) for seed, name in enumerate("ab")}
    rows = dict.fromkeys(planes, ("validation", 1, 1))
    found = fitted(tmp_path, rows, planes)
    for code, number in (("EX", 0), ("OD", 1)):
        each = found["classes"][code]
        assert each["dice"] == 1
        assert each["fitted"]
        assert each["positives"] == sum(int(truth[number].sum()) for _, truth in planes.values())
        for probability, truth in planes.values():
            np.testing.assert_array_equal(probability[number] >= each["threshold"], truth[number] != 0)
    assert found["provenance"] == ORIGIN.as_attributes()
    assert (
        read_thresholds(tmp_path / "thresholds.json", codes=("EX", "OD"))["EX"] == found["classes"]["EX"]["threshold"]
    )


def test_the_threshold_is_the_best_of_the_masks_that_will_be_written(tmp_path: Path) -> None:
    """Against the Dice of the eagerly cleaned mask at every probability that occurs; over several images and blocks."""
    truth, planes = {}, {}
    for at, name in enumerate("ab"):
        probability = np.round(blobs(90, 75, seed=at) * np.float16(64)) / np.float16(64)
        truth[name] = (blobs(90, 75, seed=at + 7) * 0.5 + probability * 0.5 >= 0.62).astype(np.uint8)
        planes[name] = (probability.astype(np.float16), truth[name])
    rows = dict.fromkeys(planes, ("validation", 1, 1))
    cleaned = fitted(tmp_path / "1", rows, planes, minimum_area=12, fill_holes=True)["classes"]
    raw = fitted(tmp_path / "2", rows, planes)["classes"]

    def dice(number: int, cut: float) -> float:
        masks = {}
        for name, (probability, _) in planes.items():
            labels, count = ndimage.label(probability[number].astype(np.float64) >= cut, EIGHT)
            sizes = ndimage.sum_labels(labels > 0, labels, range(1, count + 1))
            masks[name] = ndimage.binary_fill_holes(np.isin(labels, 1 + np.flatnonzero(sizes >= 12)))
        hits = sum((masks[name] & (truth[name][number] > 0)).sum() for name in masks)
        return 2 * hits / sum(masks[name].sum() + truth[name][number].sum() for name in masks)

    for number, code in enumerate(("EX", "OD")):
        best = max(dice(number, cut / 64) for cut in range(1, 65))
        assert cleaned[code]["dice"] == pytest.approx(best, rel=1e-12)
        assert dice(number, cleaned[code]["threshold"]) == pytest.approx(best, rel=1e-12)
        assert raw[code]["dice"] != cleaned[code]["dice"]


def test_thresholds_masks_and_outlines_are_of_the_smoothed_map(tmp_path: Path) -> None:
    smoothing, rows = {"method": "gaussian", "sigma": 2.5}, {"a": ("validation", 1, 1)}
    noisy = np.clip(blobs(70, 40, seed=0) + random(1).normal(0, 0.2, (2, 70, 40)), 0, 1).astype(np.float16)
    smooth = ndimage.gaussian_filter(noisy.astype(np.float64), (0, 2.5, 2.5)).astype(np.float16)
    truth = (smooth >= 0.45).astype(np.uint8)
    found = fitted(tmp_path / "fit", rows, {"a": (noisy, truth)}, smoothing=smoothing)["classes"]
    plain = fitted(tmp_path / "plain", rows, {"a": (noisy, truth)})["classes"]
    assert [found[code]["dice"] for code in ("EX", "OD")] == [1, 1]
    assert all(plain[code]["dice"] < 1 for code in ("EX", "OD"))
    store, collection = segmented(tmp_path / "cut", noisy, smoothing=smoothing, fill_holes=False)
    np.testing.assert_array_equal(read(store, "masks"), expected_masks(smooth, areas=(0, 0), fill=False))
    highest = [each["properties"]["measurements"]["max_probability"] for each in collection["features"]]
    assert max(highest) == smooth.max()


def test_pixels_that_nobody_is_sure_of_say_nothing_about_a_threshold(tmp_path: Path) -> None:
    probability, rows = blobs(70, 40, seed=0), {"a": ("validation", 1, 1)}
    truth = (blobs(70, 40, seed=1) >= 0.6).astype(np.uint8)
    ignore = np.zeros((70, 40), np.uint8)
    ignore[:, 11:], truth[:, :, 11:] = 1, 0
    kept = fitted(tmp_path / "1", rows, {"a": (probability[..., :11], truth[..., :11])})
    assert fitted(tmp_path / "2", rows, {"a": (probability, truth, ignore)})["classes"] == kept["classes"]
    assert fitted(tmp_path / "3", rows, {"a": (probability, truth)})["classes"] != kept["classes"]


@pytest.mark.parametrize("split", ["train", "test", "predict", "rejected"])
def test_only_validation_images_are_used(tmp_path: Path, split: str) -> None:
    planes = {"a": separable(cut=0.375, seed=0), "b": separable(cut=0.75, seed=1)}
    alone = fitted(tmp_path / "1", {"a": ("validation", 1, 1)}, {"a": planes["a"]})
    both = fitted(tmp_path / "2", {"a": ("validation", 1, 1), "b": (split, 1, 1)}, planes)
    assert both["classes"] == alone["classes"]


def test_each_fold_speaks_for_the_images_that_it_did_not_see(tmp_path: Path) -> None:
    cuts = {"a": 0.3, "b": 0.6, "c": 0.8}
    made = {name: separable(cut=cut, seed=at) for at, (name, cut) in enumerate(cuts.items())}
    stores = {name: image(tmp_path, name, *pair) for name, pair in made.items()}
    rows = pd.DataFrame(
        {
            "image_id": ["a", "b", "c"],
            "split": ["train", "validation", "test"],
            "fold": [0, 1, -1],
            "pixels_EX": [9, 9, 9],
            "pixels_OD": [9, 9, 9],
        }
    )
    write_table(rows, tmp_path / "images.parquet", provenance={})

    def found(*folds: int) -> float:
        write_thresholds(
            tmp_path / "images.parquet",
            probability=[(name, pair[0]) for name, pair in stores.items()],
            normalized={name: pair[1] for name, pair in stores.items()},
            folds=folds,
            config=SegmentationConfig(storage=STORAGE, fill_holes=False),
            job=Job(record(), ORIGIN),
            output=tmp_path / "thresholds.json",
        )
        return read_thresholds(tmp_path / "thresholds.json", codes=("EX", "OD"))["EX"]

    assert found(0) == pytest.approx(0.3, abs=0.05)
    assert found(1) == found(-1) == pytest.approx(0.6, abs=0.05)
    pooled = [(made[name][0][0], made[name][1][0] > 0) for name in ("a", "b")]
    maps, truth = (np.concatenate([pair[at].ravel() for pair in pooled]) for at in (0, 1))
    dice = {cut: 2 * (truth & (maps >= cut)).sum() / (truth.sum() + (maps >= cut).sum()) for cut in np.unique(maps)}
    reached = 2 * (truth & (maps >= found(0, 1))).sum() / (truth.sum() + (maps >= found(0, 1)).sum())
    assert reached == pytest.approx(max(dice.values()), abs=2e-3)
    assert found(0, 1) != found(1)


def test_a_copy_of_the_thresholds_goes_with_the_model_where_it_has_a_folder(tmp_path: Path) -> None:
    def write(copy: Path) -> bytes:
        write_thresholds(
            table(tmp_path, {"a": ("validation", 1, 1)}),
            probability=[],
            normalized={},
            config=SegmentationConfig(fit_thresholds=False),
            job=Job(record(), ORIGIN),
            output=tmp_path / "thresholds.json",
            copy=copy,
        )
        return (tmp_path / "thresholds.json").read_bytes()

    (tmp_path / "model").mkdir()
    assert write(tmp_path / "model" / "thresholds.mean.json") == (tmp_path / "model/thresholds.mean.json").read_bytes()
    write(tmp_path / "ensemble" / "thresholds.mean.json")
    assert not (tmp_path / "ensemble").exists()


def test_a_power_cut_leaves_no_thresholds_without_their_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model").mkdir()
    copy, output = tmp_path / "model" / "thresholds.mean.json", tmp_path / "thresholds.json"
    renames = recorded_renames(monkeypatch)
    write_thresholds(
        table(tmp_path, {"a": ("validation", 1, 1)}),
        probability=[],
        normalized={},
        config=SegmentationConfig(fit_thresholds=False),
        job=Job(record(), ORIGIN),
        output=output,
        copy=copy,
    )
    assert renames == [Rename(copy, True), Rename(output, True)]


def test_an_image_in_which_nobody_looked_for_a_class_says_nothing_about_it(tmp_path: Path) -> None:
    planes = {"a": separable(cut=0.375, seed=0), "b": separable(cut=0.75, seed=1)}
    alone = fitted(tmp_path / "1", {"a": ("validation", 1, 1)}, {"a": planes["a"]})
    both = fitted(tmp_path / "2", {"a": ("validation", 1, 1), "b": ("validation", -1, 1)}, planes)
    assert both["classes"]["EX"] == alone["classes"]["EX"]
    assert both["classes"]["OD"] != alone["classes"]["OD"]


def test_without_validation_images_the_default_stays_and_says_why(tmp_path: Path) -> None:
    found = fitted(tmp_path, {"a": ("train", 1, 1)}, {}, threshold=0.25)
    for each in found["classes"].values():
        assert (each["threshold"], each["dice"], each["fitted"]) == (0.25, None, False)
        assert each["reason"]


def test_fitting_can_be_switched_off(tmp_path: Path) -> None:
    found = fitted(
        tmp_path, {"a": ("validation", 1, 1)}, {"a": separable(cut=0.375, seed=0)}, fit_thresholds=False, threshold=0.75
    )
    assert {each["threshold"] for each in found["classes"].values()} == {0.75}


def test_a_validation_image_without_a_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lost"):
        fitted(tmp_path, {"lost": ("validation", 1, 1)}, {})


@pytest.mark.parametrize("content", ["", "{", "{}", '{"classes": {"EX": {"threshold": 0.5}}}'])
def test_damaged_thresholds_are_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "cuts.json").write_text(content)
    with pytest.raises(StoreError, match=r"cuts\.json"):
        read_thresholds(tmp_path / "cuts.json", codes=("EX", "OD"))
