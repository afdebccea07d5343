"""What the report shows as the original is the image as it was read, on the grid of the normalised one."""

import cv2
import numpy as np
import pytest

from pipeline.config import NormalizedConfig, Rescale
from pipeline.config.manifest import DatasetRecord, PhantomLayout
from pipeline.geometry import Box
from pipeline.report.pictures.originals import looks
from pipeline.seeds import stream

HISTOLOGY = {"chain": "histology"}


@pytest.fixture
def record(world):
    return world.record.model_copy(update={"modality": "histology"})


@pytest.fixture
def picture(tmp_path):
    coarse = stream(0, "tests", "originals").integers(0, 256, (30, 40, 3)).astype(np.uint8)
    pixels = cv2.resize(coarse, (400, 300), interpolation=cv2.INTER_LINEAR)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    return tmp_path / "a.png", pixels


def test_a_place_is_read_pixel_for_pixel(record, picture):
    path, pixels = picture
    look = looks({"a": path}, numbers={"a": 0}, record=record, config=NormalizedConfig(**HISTOLOGY))["a"]
    box = Box(20, 110, 120, 250)
    found = look(box)
    assert np.array_equal(found.near, pixels[box.slices])
    assert np.array_equal(found.small, pixels)
    assert look(None).near is None


def test_a_place_of_a_rescaled_image_lies_on_the_grid_of_the_normalised_one(record, picture):
    path, pixels = picture
    config = NormalizedConfig(**HISTOLOGY, rescale=Rescale(factor=0.5))
    found = looks({"a": path}, numbers={"a": 0}, record=record, config=config)["a"](Box(10, 50, 60, 130))
    expected = cv2.resize(pixels, (200, 150), interpolation=cv2.INTER_AREA)[10:60, 50:130]
    assert found.near.shape == expected.shape
    assert np.abs(found.near.astype(int) - expected).max() <= 1


def test_a_phantom_needs_no_file():
    record = DatasetRecord(
        title="Phantom",
        adaptor="phantom",
        modality="histology",
        task="binary",
        licence="CC0-1.0",
        phantom=PhantomLayout(world="histology", images=2, test=1, size=200),
        classes=[{"code": "LESION", "name": "Lesion"}],
    )
    found = looks({}, numbers={"x": 0, "y": 1}, record=record, config=NormalizedConfig(**HISTOLOGY))
    pictures = [found[name](Box(0, 0, 50, 60)) for name in "xy"]
    assert pictures[0].near.shape == (50, 60, 3)
    assert not np.array_equal(pictures[0].near, pictures[1].near)


@pytest.mark.data
def test_a_slide_shows_what_openslide_shows(record, real_data):
    openslide = pytest.importorskip("openslide")
    path = next((real_data / "wsi").glob("*.svs"))
    with openslide.OpenSlide(path) as slide:
        expected = np.asarray(slide.read_region((700, 900), 0, (120, 80)).convert("RGB"))
    found = looks({"a": path}, numbers={"a": 0}, record=record, config=NormalizedConfig(**HISTOLOGY))["a"]
    assert np.array_equal(found(Box(900, 700, 980, 820)).near, expected)
