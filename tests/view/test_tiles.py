"""Tiles: of every layer at every level those of the whole image, halved."""

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.arrays.raster import Raster
from pipeline.normalized.pyramid import halve
from pipeline.report.zoom.levels import halve_highest
from pipeline.report.zoom.stacks import STEPS, Stack, mask_indices
from pipeline.runtime.array_cache import ArrayCache
from pipeline.view.originals import Originals, is_named
from pipeline.view.tiles import StoredLayer, Tile, image_layers, levels_of, render_tile
from tests.view.scene import CONFIG, IMAGE, RECORD, Scene


def assembled(layer, level: int) -> np.ndarray:
    """All tiles of a level side by side."""
    height, width = levels_of(layer.shape)[level]
    cache = ArrayCache(10**7)
    rows = [
        np.concatenate([layer.planes(Tile(level, y, x), cache=cache) for x in range(-(-width // 512))], axis=2)
        for y in range(-(-height // 512))
    ]
    return np.concatenate(rows, axis=1)


@pytest.fixture(scope="module")
def layers(scene: Scene):
    place = f"unet/gaussian/{IMAGE}.zarr"
    return image_layers(
        scene.dataset / "normalized" / f"{IMAGE}.zarr",
        segmentation=scene.dataset / "segmentation" / place,
        probability=scene.dataset / "probability" / place,
        record=RECORD,
        judged=[0, 1],
    )


def test_tiles_of_all_layers_are_the_arrays_exactly(layers, scene: Scene):
    errors = np.where(
        (scene.truth > scene.masks).any(axis=0),
        np.where((scene.masks > scene.truth).any(axis=0), 4, 3),
        np.where((scene.masks > scene.truth).any(axis=0), 2, (scene.truth & scene.masks).any(axis=0)),
    )
    full = {
        "normalised": scene.pixels,
        "truth": mask_indices(Raster.of(scene.truth > 0)).read(mask_indices(Raster.of(scene.truth > 0)).box),
        "prediction": scene.masks,
        "errors": errors[None].astype(np.uint8),
        "probability": np.rint(scene.maps.astype(np.float32) * STEPS).astype(np.uint8),
    }
    assert set(layers) == set(full)
    for kind, planes in full.items():
        assert np.array_equal(assembled(layers[kind], 0), planes), kind
    for kind in ("normalised", "truth", "prediction", "errors"):
        halving = halve if kind == "normalised" else halve_highest
        planes = full[kind]
        for level in range(1, len(levels_of(layers[kind].shape))):
            planes = halving(planes)
            assert np.array_equal(assembled(layers[kind], level), planes), (kind, level)


@pytest.mark.parametrize("size", [(4200, 300), (513, 4100)])
def test_coarse_tiles_are_made_of_finer_ones_and_no_pixel_of_a_mask_is_lost(size):
    mask = np.zeros((2, *size), np.uint8)
    mask[0, size[0] - 1, size[1] - 1] = mask[1, 7, 5] = 1
    layer = StoredLayer(
        Stack("truth", Raster.of(mask), halve_highest, ((), ()), (0, 1)), "a", "1", {0: Raster.of(mask)}
    )
    whole = mask
    for level in range(len(levels_of(size))):
        assert np.array_equal(assembled(layer, level), whole)
        whole = halve_highest(whole)
    assert level >= 3


def test_a_picture_file_holds_the_very_indices_and_beyond_the_image_there_is_none(layers, scene: Scene):
    cache = ArrayCache(10**7)
    data = render_tile(layers["prediction"], Tile(0, 1, 2), number=1, cache=cache)
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), scene.masks[1, 512:, 1024:])
        assert picture.convert("RGBA").getpixel((0, 0))[3] in (0, 150)
    with Image.open(io.BytesIO(render_tile(layers["normalised"], Tile(0, 0, 0), number=None, cache=cache))) as picture:
        difference = np.asarray(picture).astype(int) - np.moveaxis(scene.pixels[:, :512, :512], 0, 2)
    assert np.abs(difference).mean() < 3
    for tile, number in ((Tile(0, 2, 0), 1), (Tile(0, 0, 3), 1), (Tile(9, 0, 0), 1), (Tile(0, 0, 0), 7)):
        with pytest.raises(KeyError):
            render_tile(layers["prediction"], tile, number=number, cache=cache)


def test_originals_are_the_file_at_every_level(scene: Scene):
    originals = Originals({IMAGE: scene.entry}, RECORD, CONFIG)
    layer = originals.layer(IMAGE)
    assert np.array_equal(assembled(layer, 0), scene.pixels)
    half = assembled(layer, 1).astype(int)
    assert np.abs(half - halve(scene.pixels)).mean() < 1
    assert originals.layer(IMAGE) is layer, "opened once"
    originals.close()


@pytest.mark.parametrize(
    ("file", "named"), [("eye_1.png", True), ("photographs/eye_1.png", True), ("other/eye_1.png", False), ("", False)]
)
def test_only_files_that_the_table_of_images_names_are_originals(scene: Scene, file: str, named: bool):
    assert is_named(scene.entry, {"file": file}) == named
