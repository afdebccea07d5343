"""The truth of any box of any grid is that of the whole, wherever it is stored."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.truth import has_size, open_truth
from pipeline.seeds import stream
from tests.raw.whole import whole_truth

HEIGHT, WIDTH = 160, 240
MASK = stream(0, "test", "truth").random((HEIGHT, WIDTH)) < 0.4
CODES = ("A", "B")


def record(adaptor="folder", **layout) -> DatasetRecord:
    """A data set of two classes."""
    return DatasetRecord.model_validate(
        {
            "title": "t",
            "adaptor": adaptor,
            "modality": "histology",
            "task": "multilabel",
            "classes": [{"code": code, "name": f"class {code}"} for code in CODES],
            adaptor: {"images": "{image}.tif", **layout},
        }
    )


def entry(**files) -> ImageEntry:
    masks = tuple((code, path) for code, path in files.items() if code in CODES)
    others = {name: path for name, path in files.items() if name not in CODES}
    return ImageEntry("i", None, masks, **others)


def save(path, values, **options):
    tifffile.imwrite(path, values, photometric="minisblack", **options)
    return path


def whole(entry, record, height=HEIGHT, width=WIDTH):
    with open_truth(entry, record=record, height=HEIGHT, width=WIDTH) as truth:
        return truth.on(height, width).read(Box.of_shape(height, width))


STORED = {
    "tiles": {"tile": (32, 48), "compression": "zlib"},
    "strips": {"rowsperstrip": 7, "compression": "lzw"},
    "none": {},
}


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_any_box_of_a_mask_is_what_is_stored(tmp_path, kind, dtype):
    values = MASK if dtype is bool else MASK.astype(dtype) * 76
    path = save(tmp_path / "m.tif", values, **STORED[kind])
    with open_truth(entry(B=path), record=record(), height=HEIGHT, width=WIDTH, workers=2) as truth:
        for box in (Box(0, 0, HEIGHT, WIDTH), Box(31, 47, 65, 100), Box(5, 5, 5, 9), Box(159, 239, 160, 240)):
            found = truth.on(HEIGHT, WIDTH).read(box)
            assert found.dtype == np.uint8
            assert np.array_equal(found[1], MASK[box.slices])
            assert not found[0].any()


def test_a_palette_gives_its_indices(tmp_path):
    picture = Image.fromarray(MASK.astype(np.uint8), "P")
    picture.putpalette([0, 0, 0, 255, 0, 0])
    picture.save(tmp_path / "p.tif")
    assert np.array_equal(whole(entry(A=tmp_path / "p.tif"), record())[0], MASK)


def test_jpeg_in_a_tiff_is_cut_at_the_middle(tmp_path):
    blocks = np.kron(MASK[:10, :15], np.ones((16, 16), bool))
    path = save(tmp_path / "j.tif", blocks * np.uint8(255), tile=(32, 32), compression="jpeg")
    assert np.array_equal(whole(entry(A=path), record())[0], blocks)


def test_a_label_image_gives_a_mask_for_each_value(tmp_path):
    labels = stream(0, "test", "labels").integers(0, 4, (HEIGHT, WIDTH), dtype=np.uint8)
    layout = {"label": "{image}_l.tif", "values": {"A": 1, "B": [3, 2]}}
    for path in (save(tmp_path / "l.tif", labels, tile=(64, 64)), tmp_path / "l.png"):
        Image.fromarray(labels).save(tmp_path / "l.png")
        found = whole(entry(label=path), record(**layout))
        assert np.array_equal(found[0], labels == 1)
        assert np.array_equal(found[1], labels >= 2)


def test_a_label_image_in_a_lossy_format_is_rejected(tmp_path):
    Image.fromarray(MASK.astype(np.uint8)).save(tmp_path / "l.jpg")
    with pytest.raises(ImageRejected, match="lossless"):
        whole(entry(label=tmp_path / "l.jpg"), record(label="{image}.jpg", values={"A": 1, "B": 2}))


def coverage(mask, rows, columns):
    """Share of each pixel of a coarser grid that is covered, for grids that divide the mask."""
    high, wide = mask.shape[0] // rows, mask.shape[1] // columns
    return mask.reshape(rows, high, columns, wide).mean(axis=(1, 3))


@pytest.mark.parametrize("factor", [2, 4, 5, 8])
def test_on_a_coarser_grid_a_pixel_is_set_where_half_of_it_is_covered(tmp_path, factor):
    path = save(tmp_path / "m.tif", MASK, tile=(32, 32))
    rows, columns = HEIGHT // factor, WIDTH // factor
    found = whole(entry(A=path), record(), rows, columns)[0]
    assert np.array_equal(found, coverage(MASK, rows, columns) >= 0.5 - 1e-12)


@pytest.mark.parametrize("factor", [2, 4])
def test_a_mask_of_a_coarser_level_of_a_slide_serves_the_image(tmp_path, factor):
    small = MASK[: HEIGHT // factor, : WIDTH // factor]
    path = save(tmp_path / "m.tif", small, tile=(32, 32))
    found = whole(entry(A=path), record("slide"))[0]
    assert np.array_equal(found, np.kron(small, np.ones((factor, factor), bool)))
    assert np.array_equal(whole(entry(A=path), record("slide"), HEIGHT // factor, WIDTH // factor)[0], small)
    with pytest.raises(ImageRejected, match=r"another size(.|\n)*m\.tif"):
        whole(entry(A=path), record())


def test_a_mask_of_another_shape_is_rejected_even_for_a_slide(tmp_path):
    path = save(tmp_path / "m.tif", MASK[:, :-9])
    with pytest.raises(ImageRejected, match=r"231×160(.|\n)*240×160(.|\n)*level"):
        whole(entry(A=path), record("slide"))


@given(st.integers(500, 90_000), st.integers(500, 90_000), st.integers(0, 6), st.booleans())
def test_a_level_is_known_however_it_was_rounded(height, width, times, up):
    size = [-(-each // 2**times) if up else max(each // 2**times, 1) for each in (height, width)]
    assert has_size((size[0], size[1]), of=(height, width), any_level=True)
    assert not has_size((size[0] + 3 + height // 20, size[1]), of=(height, width), any_level=True)


@given(st.integers(10, 200), st.integers(10, 300), st.data())
def test_any_partition_of_any_grid_gives_the_same_truth(tmp_path_factory, height, width, data):
    path = tmp_path_factory.getbasetemp() / "grid.tif"
    if not path.exists():
        save(path, MASK[::2, ::2], tile=(16, 32))
    rows, columns = data.draw(st.integers(5, height)), data.draw(st.integers(5, width))
    with open_truth(entry(A=path), record=record("slide"), height=HEIGHT, width=WIDTH) as truth:
        together = truth.on(height, width).read(Box.of_shape(height, width))
        for y0 in range(0, height, rows):
            for x0 in range(0, width, columns):
                box = Box(y0, x0, min(y0 + rows, height), min(x0 + columns, width))
                assert np.array_equal(truth.on(height, width).read(box), together[(slice(None), *box.slices)])


def test_few_stored_pixels_are_held_at_a_time_when_a_truth_is_made_small(tmp_path, monkeypatch):
    path, largest = save(tmp_path / "m.tif", MASK), []
    together = whole(entry(A=path), record(), 16, 24)
    monkeypatch.setattr("pipeline.arrays.resample._BAND", 1000)
    with open_truth(entry(A=path), record=record(), height=HEIGHT, width=WIDTH) as truth:
        layer = truth._layers[0]
        object.__setattr__(layer, "read", lambda box, read=layer.read: largest.append(box.area) or read(box))
        assert np.array_equal(truth.on(16, 24).read(Box.of_shape(16, 24)), together)
    assert max(largest) < 3000


def test_polygons_are_in_pixels_of_the_image(tmp_path):
    ring = [[20, 10], [60, 10], [60, 50], [20, 50]]
    feature = {"geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": {"class": "class B"}}
    (tmp_path / "a.geojson").write_text(json.dumps([feature]))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[10:50, 20:60] = True
    for adaptor in ("folder", "slide"):
        made = entry(annotations=tmp_path / "a.geojson")
        assert np.array_equal(whole(made, record(adaptor))[1], expected)
        assert np.array_equal(
            whole(made, record(adaptor), HEIGHT // 10, WIDTH // 10)[1], coverage(expected, 16, 24) >= 0.5
        )


def test_what_nobody_annotated_has_no_truth():
    with open_truth(ImageEntry("i", None, annotated=False), record=record(), height=5, width=6) as truth:
        assert truth is None


def test_phantoms_know_their_truth():
    made = DatasetRecord.model_validate(
        {
            "title": "p",
            "adaptor": "phantom",
            "modality": "histology",
            "task": "binary",
            "classes": [{"code": "LESION", "name": "l"}],
            "phantom": {"world": "histology", "size": 128, "images": 2},
        }
    )
    truth = whole_truth(ImageEntry("p", None, number=1), record=made, height=128, width=128)
    assert truth.shape == (1, 128, 128)
    assert truth.any()


@pytest.mark.data
def test_real_idrid_masks_are_zero_and_one(real_data):
    path = next((real_data / "idrid").rglob("IDRiD_01_MA.tif"))
    with open_truth(entry(A=path), record=record(), height=2848, width=4288) as truth:
        assert truth.on(2848, 4288).read(Box.of_shape(2848, 4288))[0].sum() == 6941
