"""Deep zoom: levels are eager halvings, masks are exact, a page is words and files beside it, and few of them."""

import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import stores
from pipeline.arrays.raster import Raster
from pipeline.config import NormalizedConfig
from pipeline.config.manifest import ClassRecord
from pipeline.normalized.pyramid import halve, level_shapes
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.zoom.files import even_jpeg_bytes, finest_step, jpeg_bytes, pixels_of, write_stacks
from pipeline.report.zoom.levels import halve_highest, held, highest_of, pyramid_strips
from pipeline.report.zoom.page import ImageStores, Pages, write_viewer
from pipeline.report.zoom.size import page_size
from pipeline.report.zoom.stacks import BORDER, INSIDE, STEPS, Stack, mask_indices, probability_steps
from pipeline.seeds import stream
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

RNG = ("tests", "report", "zoom")


@pytest.mark.parametrize("halving", [halve, halve_highest])
@pytest.mark.parametrize("size", [(64, 64), (61, 77), (1, 9), (33, 130)])
def test_levels_are_those_of_the_whole_image_halved(halving, size):
    planes = stream(0, *RNG, *size).integers(0, 256, (2, *size)).astype(np.uint8)
    shapes = level_shapes(*size, smallest=5, most=9)
    found = [np.zeros((2, *shape), np.uint8) for shape in shapes]
    for strip in pyramid_strips(Raster.of(planes), halve=halving, shapes=shapes, rows=8):
        assert strip.planes.shape[1] == min(8, shapes[strip.level][0] - strip.y0)
        found[strip.level][:, strip.y0 : strip.y0 + 8] = strip.planes
    for level in found:
        assert np.array_equal(level, planes)
        planes = halving(planes)


@pytest.mark.parametrize("times", range(5))
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 48), (33, 17), (50, 3)])
def test_several_levels_of_a_mask_at_once_are_those_one_after_the_other(size, times):
    block = stream(times, "tests", "highest").integers(0, 40, (2, *size)).astype(np.uint8)
    block[block > 3] = 0
    one = block
    for _ in range(times):
        one = halve_highest(one)
    np.testing.assert_array_equal(highest_of(block, times=times), one)
    assert not highest_of(np.zeros_like(block), times=times).any()


def test_a_mask_is_its_inside_and_its_border_whatever_the_boxes():
    mask = cv2.circle(np.zeros((40, 50), np.uint8), (20, 18), 11, 1, -1)[None] > 0
    index = mask_indices(Raster.of(mask))
    whole = index.read(index.box)
    assert np.array_equal(whole > 0, mask)
    padded = np.pad(mask[0], 1, mode="edge")
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & mask[0]
    assert np.array_equal(whole[0] == INSIDE, inner)
    assert np.array_equal(whole[0] == BORDER, mask[0] & ~inner)
    parts = [index.read(replace(index.box, y0=y, y1=min(y + 7, 40))) for y in range(0, 40, 7)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole)


def values(path):
    return np.asarray(Image.open(path))


def test_a_step_of_every_probability_is_that_which_is_nearest():
    halves = np.arange(np.float16(1).view(np.uint16) + 1, dtype=np.uint16).view(np.float16)
    assert np.array_equal(probability_steps(halves), np.rint(halves.astype(float) * STEPS))
    of_bytes = np.arange(256, dtype=np.uint8).reshape(2, 4, 32)
    assert np.array_equal(probability_steps(of_bytes), probability_steps((of_bytes / 255).astype(np.float16)))
    narrow = of_bytes.reshape(2, 128, 1)
    assert np.array_equal(probability_steps(narrow), probability_steps(of_bytes).reshape(2, 128, 1)), "one pixel wide"
    assert probability_steps(np.array([-0.0, np.nan, np.inf], np.float16)).tolist() == [0, 0, STEPS]


def test_stacks_of_one_pass_have_the_files_of_each_alone_and_their_source_is_read_once(tmp_path):
    planes = (stream(0, *RNG, "together").random((2, 1300, 1100)) > 0.999).astype(np.uint8)
    read = []

    def masks(box):
        read.append(box)
        return planes[(..., *box.slices)].view(np.bool_)

    for whole in (10**7, 1000):
        shared = held(Raster(planes.shape[1:], masks))
        palettes = (((0, 0, 0, 0), (9, 8, 7, 40), (9, 8, 7, 255)),) * 2
        stacks = [
            Stack("truth", mask_indices(shared), halve_highest, palettes, (0, 1)),
            Stack("prediction", shared.map(lambda found: found.view(np.uint8)), halve_highest, palettes, (0, 1), 0),
        ]
        alone = [layer for each in stacks for layer in write_stacks([each], tmp_path, whole=whole)]
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        read.clear()
        assert write_stacks(stacks, tmp_path, whole=whole) == alone
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
        assert len(read) == 3, "strips"


def test_layers_are_lossless_in_one_file_and_in_tiles_and_what_is_empty_has_no_file(tmp_path):
    planes = np.zeros((2, 700, 1300), np.uint8)
    planes[0, 600:650, 30:80] = 1
    stack = Stack("truth", Raster.of(planes), halve_highest, (((0, 0, 0, 0), (9, 8, 7, 255)),) * 2, (0, 1))
    (whole,) = write_stacks([stack], tmp_path)
    assert (whole["kind"], whole["class"]) == ("truth", 0)
    assert np.array_equal(values(tmp_path / whole["levels"][0]["url"]), planes[0])
    assert Image.open(tmp_path / "truth.0.0.png").convert("RGBA").getpixel((40, 620)) == (9, 8, 7, 255)
    assert Image.open(tmp_path / "truth.0.0.png").convert("RGBA").getpixel((0, 0))[3] == 0
    (tiled,) = write_stacks([stack], tmp_path, whole=1000)
    assert tiled["tiles"] == [[3], [0], [0]]
    assert (tiled["width"], tiled["height"], tiled["last"]) == (1300, 700, 2)
    assert np.array_equal(values(tmp_path / "truth.0.0.1.0.png"), planes[0, 512:, :512])
    assert np.array_equal(values(tmp_path / "truth.0.1.0.0.png"), halve_highest(planes[0])[:, :512])


OTHER = "unet / <i>gaussian"
BOXES = [
    ("eye_04", "train", 30, 0, 64, 64),
    ("eye_04", "train", 0, 16, 64, 48),
    ("eye_04", "train", 30, 0, 64, 64),
    ("eye_04", "validation", 1, 1, 64, 64),
    ("eye_03", "train", 2, 2, 64, 64),
]
"""Rows of a patch index."""


@pytest.fixture
def viewer(world, tmp_path):
    """Page of the first tested image of the invented eyes, whose names hold markup."""
    name = "eye_04"
    picture = tmp_path / "eye.png"
    pixels = stores.open_array(world.inputs.normalized[name], "0")[:]
    cv2.imwrite(str(picture), np.moveaxis(pixels, 0, 2)[..., ::-1])
    classes = [ClassRecord(code=each.code, name="<b>a&b</b>", colour=each.colour) for each in world.record.classes]
    record = world.record.model_copy(update={"classes": tuple(classes)})
    result, other = world.results
    index = pd.DataFrame(BOXES, columns=["image_id", "split", "y", "x", "height", "width"])
    stores.write_table(index, tmp_path / "index.parquet", provenance={})
    found = ImageStores(
        world.inputs.normalized[name],
        result.probability[name],
        result.segmentation[name],
        {OTHER: other.segmentation[name]},
        (tmp_path / "index.parquet",) * 2,
    )
    job = Job(record, Provenance(stage="report", config={}, code="0123456789ab"))
    pages = Pages("<script>alert(1)</script>", "unet / </script><b>", NormalizedConfig(), job)
    write_viewer(ImageEntry(name, picture), found, pages=pages, output=tmp_path / "zoom" / name)
    return tmp_path / "zoom" / name


def facts_of(folder):
    page = (folder / "index.html").read_text()
    return json.loads(re.search(r'id="facts">(.*?)</script>', page, re.S)[1])


def test_the_layers_of_an_image_are_its_stores(viewer, world):
    found = facts_of(viewer)["panes"][0]["layers"]
    layers = {
        (each["kind"], each["class"]): viewer / each["levels"][0]["url"] for each in found if not each.get("result")
    }
    normalized, result = world.inputs.normalized["eye_04"], world.results[0]
    truth = stores.open_array(normalized, "truth")[:] > 0
    masks = stores.open_array(result.segmentation["eye_04"], "masks")[:] > 0
    maps = stores.open_array(result.probability["eye_04"], "0")[:].astype(np.float32)
    for kind, planes in (("truth", truth), ("prediction", masks), ("probability", np.rint(maps * STEPS) > 0)):
        for at, plane in enumerate(planes):
            assert ((kind, at) in layers) == plane.any()
            if plane.any():
                assert np.array_equal(values(layers[kind, at]) > 0, plane)
    kinds = values(layers["errors", None])
    assert np.array_equal(kinds > 0, (truth | masks).any(axis=0))
    assert np.array_equal(kinds == 2, (masks.any(axis=0) & ~truth.any(axis=0)))
    pixels = np.moveaxis(stores.open_array(normalized, "0")[:], 0, 2).astype(int)
    for kind in ("original", "normalised"):
        assert np.abs(values(layers[kind, None]).astype(int) - pixels).mean() < 25  # noise, which JPEG smooths most


def test_another_model_and_fusion_adds_its_prediction_and_errors_alone(viewer, world):
    found = facts_of(viewer)["panes"][0]["layers"]
    assert {each["kind"] for each in found if each.get("result") == 0} == {"prediction", "errors", "probability"}
    assert {each["kind"] for each in found if "result" not in each} == {"original", "normalised", "truth"}
    other = {
        (each["kind"], each["class"]): viewer / each["levels"][0]["url"] for each in found if each.get("result") == 1
    }
    masks = stores.open_array(world.results[1].segmentation["eye_04"], "masks")[:] > 0
    truth = stores.open_array(world.inputs.normalized["eye_04"], "truth")[:] > 0
    assert {kind for kind, _ in other} == {"prediction", "errors"}
    for at, plane in enumerate(masks):
        assert (("prediction", at) in other) == plane.any()
        if plane.any():
            assert np.array_equal(values(other["prediction", at]) > 0, plane)
    assert np.array_equal(values(other["errors", None]) > 0, (truth | masks).any(axis=0))
    page = (viewer / "index.html").read_text()
    assert re.findall(r'<option value="(\d)">', page) == ["0", "1"]
    assert "unet / &lt;i&gt;gaussian" in page


def test_training_patches_of_the_image_are_boxes_each_once(viewer):
    assert facts_of(viewer)["boxes"] == [[0, 16, 64, 48], [30, 0, 64, 64]]
    assert 'data-layer="patches"' in (viewer / "index.html").read_text()


def test_a_page_names_no_other_place_and_names_with_markup_stay_text(viewer):
    page = (viewer / "index.html").read_text()
    assert not re.search(r"(https?:)?//[a-z]", page)
    assert "alert(1)</script>" not in page
    assert "<b>" not in page
    assert "<i>gaussian" not in page
    assert "&lt;b&gt;a&amp;b&lt;/b&gt;" in page
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert {each for each in named if each != "data:,"} == {
        "../../index.html",
        *(f"../../viewer/{each}" for each in ("viewer.css", "openseadragon.min.js", "viewer.js")),
    }


def test_every_control_is_one_that_a_keyboard_reaches_and_that_has_a_name(viewer):
    page = (viewer / "index.html").read_text()
    assert not re.search(r"\son[a-z]+=|tabindex", page)
    assert '<select name="shown" aria-label=' in page
    for kind in ("truth", "prediction", "errors", "probability", "patches"):
        assert f'data-layer="{kind}"' in page
        assert re.search(f'type="range"[^>]*data-opacity="{kind}" aria-label="Opacity of', page)


def test_a_picture_at_its_full_size_is_near_its_pixels_in_one_file_and_in_tiles(tmp_path):
    planes = stream(0, *RNG, "noise").integers(100, 160, (3, 512, 512)).astype(np.uint8)
    coarser = np.frombuffer(jpeg_bytes(pixels_of(planes)), np.uint8)

    def off(data: np.ndarray) -> float:
        pixels = cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]
        return float(np.abs(pixels.astype(int) - np.moveaxis(planes, 0, 2)).mean())

    for whole in (planes[0].size, 0):
        (layer,) = write_stacks([Stack("normalised", Raster.of(planes), halve)], tmp_path, whole=whole)
        file = tmp_path / (layer["levels"][0]["url"] if whole else "normalised.0.0.0.jpg")
        with Image.open(file) as picture:
            assert [sampling[1:3] for sampling in picture.layer] == [(1, 1)] * 3, "colour is not halved"
            assert {step for steps in picture.quantization.values() for step in steps} == {finest_step(512, 512)}
        assert off(np.fromfile(file, np.uint8)) < 0.7 * off(coarser)


@pytest.mark.parametrize("shape", [(2, 66_000), (66_000, 2)])
def test_an_image_longer_than_a_jpeg_can_be_is_cut_into_tiles_though_its_pixels_are_few(tmp_path, shape):
    planes = Raster(shape, lambda box: np.full((3, box.height, box.width), 90, np.uint8))
    (layer,) = write_stacks([Stack("original", planes, halve)], tmp_path)
    assert (layer["height"], layer["width"], layer["tile"]) == (*shape, 512)
    assert page_size(*shape, classes=0, results=0, mapped=False).files == 1 + 2 * len(list(tmp_path.iterdir()))


def test_a_smaller_image_has_finer_steps_for_its_finer_grain():
    assert finest_step(1424, 2144) < finest_step(2848, 4288) == finest_step(30_000, 40_000)


def test_a_picture_that_no_table_makes_small_is_written_all_the_same():
    noise = stream(0, *RNG, "black and white").choice([0, 255], (3, 64, 64)).astype(np.uint8)
    data = even_jpeg_bytes(pixels_of(noise), step=1)
    assert len(data) > 2 * noise[0].size  # where Pillow has no room to optimise
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
    assert np.abs(back.astype(int) - np.moveaxis(noise, 0, 2)).max() <= 4


def test_a_photograph_of_12_mpx_with_five_classes_takes_at_most_60_files(tmp_path):
    shape = (2848, 4288)
    picture = Raster(shape, lambda box: np.zeros((3, box.height, box.width), np.uint8))
    mask = Raster(shape, lambda box: np.ones((1, box.height, box.width), np.uint8))
    (base,) = write_stacks([Stack("original", picture, halve)], tmp_path)
    (layer,) = write_stacks([Stack("truth", mask, halve_highest, (((0, 0, 0, 0), (9, 8, 7, 255)),), (0,))], tmp_path)
    pictures, overlays = len(base["levels"]), len(layer["levels"])
    assert [each["width"] for each in base["levels"]] == [4288, 2144, 1072]
    assert 2 * pictures + (3 * 5 + 1) * overlays + 1 <= 60
