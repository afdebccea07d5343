"""Seams are measured where they are: the known order of the fusions, on a network that is unsure near window borders."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pipeline.arrays.raster import Raster
from pipeline.config import ProbabilityConfig, Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import starts_1d
from pipeline.probability import predict
from pipeline.probability.predict import predict_image
from pipeline.report.measures.borders import COLUMNS, Lonely, Seam, lonely_regions, measure_seams, write_borders
from pipeline.report.measures.steps import border_lines
from pipeline.stores import create_plane, create_pyramid, open_array, read_table, write_box, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from pipeline.stores.record import seal

STORAGE = Storage(chunk=32, shard=128)
WINDOW, OVERLAP, STRIDE = 64, 0.25, 48
SIZE = (300, 266)
FUSIONS = ("none", "max", "mean", "gaussian")
ORIGIN = Provenance("probability", {}, "code")


def record() -> DatasetRecord:
    layout = {"images": "{image}.png", "masks": {"EX": "{image}.png"}}
    tree = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "binary", "folder": layout}
    return DatasetRecord.model_validate({**tree, "classes": [{"code": "EX", "name": "Exudate"}]})


def lines(axis: int, *, overlapping: bool) -> tuple[int, ...]:
    starts = starts_1d(SIZE[axis], WINDOW, STRIDE if overlapping else WINDOW)
    return border_lines(starts, window=WINDOW, length=SIZE[axis], overlapping=overlapping)


def lesion() -> np.ndarray:
    """A soft-edged truth that crosses window borders of both plans along, across, aslant, and where four meet."""
    mask = np.zeros(SIZE, bool)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    mask |= np.abs((y - 20) - 0.9 * (x - 10)) < 5  # aslant, through every row and column of windows
    mask |= (
        (np.abs(y - 128) < 9) & (x > 20) & (x < 250)
    )  # along a border of the plan without overlap, across all others
    mask |= (np.abs(x - 192) < 9) & (y > 30) & (y < 280)
    for cy, cx in ((64, 64), (240, 112), (112, 48), (285, 255)):  # where four windows meet, and in a corner
        mask |= np.hypot(y - cy, x - cx) < 13
    return mask


def test_the_lesion_crosses_borders_in_every_way():
    mask = lesion()
    for overlapping in (False, True):
        rows, columns = (lines(axis, overlapping=overlapping) for axis in (0, 1))
        assert all((mask[at] & mask[at - 1]).any() for at in rows)
        assert all((mask[:, at] & mask[:, at - 1]).any() for at in columns)
        assert any(mask[y - 1 : y + 1, x - 1 : x + 1].all() for y in rows for x in columns)
        assert any(mask[at - 1 : at + 1].all(axis=0).mean() > 0.5 for at in rows) or overlapping


def distance_to_side() -> np.ndarray:
    along = np.minimum(np.arange(WINDOW), WINDOW - 1 - np.arange(WINDOW)) + 0.5
    return np.minimum.outer(along, along).astype(np.float32)


def forgetful(windows: np.ndarray) -> np.ndarray:
    """What is near the border of a window is half forgotten, for lack of what lies around it."""
    trust = np.clip(0.3 + 0.7 * distance_to_side() / 16, 0, 1)
    return windows[:, :1].astype(np.float32) / 255 * trust


def seeing_ghosts(windows: np.ndarray) -> np.ndarray:
    """The border of a window itself is taken for a lesion."""
    ghost = np.float32(0.7) * np.exp(-distance_to_side() / 5)
    return np.maximum(windows[:, :1].astype(np.float32) / 255, ghost)


@pytest.fixture
def maps(tmp_path: Path, monkeypatch):
    """Runs a network over the image and gives the maps by fusion."""
    truth = ndimage.gaussian_filter(lesion().astype(np.float32), 3)
    path = tmp_path / "results" / "d" / "normalized" / "eye.zarr"
    notes = {"image_id": "eye", "mapping": {"factor_y": 1.0, "factor_x": 1.0}}
    group = create_pyramid(
        path,
        channels=("r", "g", "b"),
        shapes=(SIZE,),
        dtype=np.uint8,
        storage=STORAGE,
        provenance={"stage": "normalized"},
        extra={"lesionmap": notes},
    )
    planes = {
        "0": np.repeat(np.rint(255 * truth)[None], 3, axis=0).astype(np.uint8),
        "roi": np.ones(SIZE, np.uint8),
        "truth": lesion()[None].astype(np.uint8),
    }
    for name, values in planes.items():
        write_box(create_plane(group, name, shape=values.shape, dtype=np.uint8, storage=STORAGE), values, y0=0, x0=0)
    seal(path)

    def run(network, name="unet", *, overlap=OVERLAP, fusions=FUSIONS):
        monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (network,))
        outputs = {each: tmp_path / "results" / "d" / "probability" / name / each / "eye.zarr" for each in fusions}
        config = ProbabilityConfig.model_validate(
            {"storage": STORAGE, "overlap": overlap, "skip_outside_roi": False, "threads": 1}
        )
        predict_image(
            path, model=Path("model"), outputs=outputs, config=config, window=WINDOW, job=Job(record(), ORIGIN)
        )
        return outputs

    return run


def seams_of(values: np.ndarray, *, overlapping: bool = True) -> Seam:
    return measure_seams(
        Raster.of(values),
        classes=len(values),
        window=WINDOW,
        stride=STRIDE if overlapping else WINDOW,
        overlapping=overlapping,
    )[0]


def seam_errors(outputs: dict[str, Path]) -> dict[str, float]:
    maps = {fusion: np.asarray(open_array(path, "0")[:]) for fusion, path in outputs.items()}
    return {fusion: seams_of(values, overlapping=fusion != "none").excess for fusion, values in maps.items()}


def distances(outputs: dict[str, Path], reference: np.ndarray) -> dict[str, float]:
    return {fusion: float(np.abs(open_array(path, "0")[0] - reference).mean()) for fusion, path in outputs.items()}


def reference(maps, network) -> np.ndarray:
    """The map in which every pixel lies in the middle of some window that outweighs the others."""
    dense = maps(network, "dense", overlap=0.875, fusions=("gaussian",))
    return np.asarray(open_array(dense["gaussian"], "0")[0]).astype(np.float32)


def test_where_borders_are_forgotten_overlap_mends_the_seams_and_gaussian_weights_most(maps):
    outputs = maps(forgetful)
    seams, off = seam_errors(outputs), distances(outputs, reference(maps, forgetful))
    # Without overlap both sides of a border are as dim, so the seam is a dark line, not a step; the map is far off.
    assert off["none"] > 1.5 * off["mean"] > 1.5 * off["gaussian"]
    assert off["max"] < off["mean"]
    assert seams["mean"] > 3 * abs(seams["gaussian"])
    assert seams["mean"] > seams["max"]


def test_ghosts_at_borders_are_kept_by_the_maximum_and_outweighed_by_gaussian_weights(maps):
    outputs = maps(seeing_ghosts)
    off = distances(outputs, reference(maps, seeing_ghosts))
    assert off["max"] > 1.5 * off["mean"] > 1.5 * off["gaussian"]
    assert off["none"] > 1.5 * off["gaussian"]
    seams = seam_errors(outputs)
    assert seams["max"] > 5 * abs(seams["gaussian"])
    assert seams["mean"] > 3 * abs(seams["gaussian"])


def moody(windows: np.ndarray) -> np.ndarray:
    """Each window is more or less sure of all that it sees, as networks are whose answer depends on the context."""
    mood = 0.55 + 0.45 * np.cos(windows.astype(np.float32).sum(axis=(1, 2, 3)) / 1000)
    return (windows[:, :1].astype(np.float32) / 255) * mood[:, None, None, None].astype(np.float32)


def test_where_windows_disagree_seams_are_worst_without_overlap_and_least_with_gaussian_weights(maps):
    seams = seam_errors(maps(moody))
    assert seams["none"] > 1.3 * seams["mean"] > 1.3 * 3 * abs(seams["gaussian"])
    assert seams["max"] > 3 * abs(seams["gaussian"])


def test_a_map_without_windows_has_no_seams():
    smooth = ndimage.gaussian_filter(lesion().astype(np.float32), 3)[None]
    rough = np.random.Generator(np.random.PCG64(0)).random((1, *SIZE)).astype(np.float32)
    for values in (smooth, rough):
        seam = seams_of(values)
        typical = seam.beside_step / seam.beside_pixels
        assert abs(seam.excess) < 0.1 * typical
    flat = seams_of(np.zeros((1, *SIZE), np.float32))
    assert np.isnan(flat.excess)
    assert flat.worst_line == -1


def test_the_worst_line_is_where_a_seam_was_put():
    values = ndimage.gaussian_filter(lesion().astype(np.float32), 3)[None]
    values[:, 144:] *= 0.6
    seam = seams_of(values)
    assert 144 in lines(0, overlapping=True)
    assert (seam.worst_axis, seam.worst_line) == ("y", 144)


def test_lonely_regions_touch_neither_truth_nor_the_mean():
    masks, truth, mean = arrays = np.zeros((3, 2, 40, 40), np.uint8)
    masks[1, 2:5, 2:5] = 1  # on the truth
    masks[1, 10:14, 10:12] = 1  # nothing there, the mean thinks so too
    masks[1, 20:25, 30:33] = 1  # nothing there, and nobody else thinks so
    masks[1, 25, 33] = 1  # joined to it by a corner
    masks[1, 38, 0] = 1
    truth[1, 4, 4], mean[1, 13, 11], mean[0, 38, 0] = 1, 1, 1
    first, second = ([Raster.of(each[at]) for each in arrays] for at in (0, 1))
    assert lonely_regions(second[0], others=second[1:2]) == Lonely(3, 25, 16, 23, 32)
    assert lonely_regions(second[0], others=second[1:]) == Lonely(2, 17, 16, 23, 32)
    assert lonely_regions(first[0], others=first[1:]) == Lonely(0, 0)


def test_a_region_that_is_wholly_ignored_is_not_lonely_and_others_count_by_their_sure_pixels():
    mask, ignore = np.zeros((2, 40, 40), np.uint8)
    mask[2:5, 2:5] = mask[20:25, 30:33] = mask[38, 0] = 1
    ignore[1:6, 1:6] = ignore[20:23, 30:40] = 1
    found = lonely_regions(Raster.of(mask), others=[Raster.of(np.zeros_like(mask))], ignored=Raster.of(ignore))
    assert found == Lonely(2, 7, 6, 22, 31)
    nothing = lonely_regions(Raster.of(mask), others=[], ignored=Raster.of(np.zeros_like(mask)))
    assert nothing == lonely_regions(Raster.of(mask), others=[])
    assert lonely_regions(Raster.of(mask), others=[], ignored=Raster.of(np.ones_like(mask))) == Lonely(0, 0)


def test_the_table_has_a_row_for_each_image_fusion_and_class(maps, tmp_path):
    outputs = maps(forgetful)
    masks = tmp_path / "masks.zarr"
    group = create_pyramid(masks, channels=("l",), shapes=(SIZE,), dtype=np.uint8, storage=STORAGE, provenance={})
    made = create_plane(group, "masks", shape=(1, *SIZE), dtype=np.uint8, storage=STORAGE)
    write_box(made, lesion()[None].astype(np.uint8), y0=0, x0=0)
    seal(masks)
    rows = {"image_id": ["eye", "other"], "group_id": ["a", "b"], "split": ["test", "train"], "pixels_EX": [9, 9]}
    write_table(pd.DataFrame(rows), tmp_path / "images.parquet", provenance={})
    for known, expected in ((9, 0), (-1, -1)):
        write_table(pd.DataFrame({**rows, "pixels_EX": [known, 9]}), tmp_path / "images.parquet", provenance={})
        write_borders(
            tmp_path / "images.parquet",
            probability={fusion: {"eye": path} for fusion, path in outputs.items()},
            segmentation={fusion: {"eye": masks} for fusion in outputs},
            normalized={"eye": tmp_path / "results" / "d" / "normalized" / "eye.zarr"},
            folds=[-1],
            job=Job(record(), ORIGIN),
            output=tmp_path / "borders.parquet",
        )
        table = read_table(tmp_path / "borders.parquet")
        assert list(table.columns) == list(COLUMNS)
        assert list(table["fusion"]) == list(FUSIONS)
        assert set(table["lonely_regions"]) == set(table["false_regions"]) == {expected}
    found = table["border_step"] / table["border_pixels"] - table["beside_step"] / table["beside_pixels"]
    assert dict(zip(table["fusion"], found, strict=True)) == pytest.approx(seam_errors(outputs))
