"""A fact sheet tells what is in a file, or why the file cannot be used, without naming a folder."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.raw.datasets.entry import ImageEntry, entry_from_files
from pipeline.raw.facts import fact_sheet, write_fact_sheet
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.raw.pixels import open_image
from pipeline.raw.splits.duplicates import hash_level, near_duplicates
from pipeline.seeds import stream
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance, file_digest
from tests.raw.whole import whole_truth

RECORD = DatasetRecord.model_validate(
    {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": "A", "name": "a"}, {"code": "B", "name": "b"}],
        "folder": {"images": "{image}.png"},
    }
)


@pytest.fixture
def entry(tmp_path):
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "eye.png")
    mask = np.zeros((20, 30), np.uint8)
    mask[2:5, 3:9] = 255
    Image.fromarray(mask).save(tmp_path / "eye_B.png")
    return ImageEntry("eye", tmp_path / "eye.png", (("B", tmp_path / "eye_B.png"),), group="p")


def test_a_good_image_is_described(entry):
    sheet = fact_sheet(entry, record=RECORD)
    assert (sheet["height"], sheet["width"], sheet["rejected"]) == (20, 30, "")
    assert sheet["pixels"] == {"A": 0, "B": 18}
    assert sheet["sha256"] == file_digest(entry.image)


def test_turns_by_exif_are_recorded_where_a_file_has_one(entry):
    assert fact_sheet(entry, record=RECORD)["turns"] == {}
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.open(entry.image).save(entry.image, exif=exif)
    assert fact_sheet(entry, record=RECORD)["turns"] == {"image": 3, "mask B": 1}


def test_a_mask_of_another_size_rejects_the_image_and_names_both_sizes(entry):
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(entry.masks[0][1])
    sheet = fact_sheet(entry, record=RECORD)
    assert all(word in sheet["rejected"] for word in ["eye_B.png", "20×30", "30×20", "to do:"])
    assert str(entry.image.parent) not in json.dumps(sheet)


def test_a_truncated_mask_rejects_the_image(entry):
    path = entry.masks[0][1]
    path.write_bytes(path.read_bytes()[:60])
    assert "eye_B.png" in fact_sheet(entry, record=RECORD)["rejected"]


def test_what_reads_a_rejected_image_raises(entry):
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(entry.masks[0][1])
    with pytest.raises(ImageRejected, match="eye_B"):
        whole_truth(entry, record=RECORD, height=20, width=30)


def test_truth_comes_in_manifest_order_with_overlaps(entry):
    truth = whole_truth(entry, record=RECORD, height=20, width=30)
    assert truth.shape == (2, 20, 30)
    assert truth[0].sum() == 0
    assert truth[1, 2:5, 3:9].all()
    assert truth[1].sum() == 18


def test_unannotated_images_have_unknown_counts(entry):
    plain = ImageEntry("eye", entry.image, annotated=False)
    assert fact_sheet(plain, record=RECORD)["pixels"] == {"A": -1, "B": -1}


def test_the_written_sheet_holds_no_path_and_is_the_same_again(entry, tmp_path):
    output = tmp_path / "results" / "d" / "raw" / "eye.json"
    provenance = Provenance("raw", {"a": 1}, "code")
    written = []
    for _ in range(2):
        write_fact_sheet(entry, job=Job(RECORD, provenance), output=output)
        written.append(output.read_text())
    assert written[0] == written[1]
    assert str(tmp_path) not in written[0]
    assert set(json.loads(written[0])["provenance"]["inputs"]) == {"image", "mask B"}


def test_an_entry_survives_the_way_through_a_job(entry):
    facts = {"image_id": "eye", "annotated": True, "number": 0, "codes": ["B"], "group": "p"}
    again = entry_from_files(facts, image=[str(entry.image)], masks=[str(entry.masks[0][1])], label=[])
    assert again == entry


def test_polygons_survive_the_way_through_a_job(tmp_path):
    drawn = ImageEntry("eye", tmp_path / "eye.tif", annotations=tmp_path / "eye.geojson")
    assert drawn.files == {"image": tmp_path / "eye.tif", "annotations": tmp_path / "eye.geojson"}
    facts = {"image_id": "eye", "annotated": True, "number": 0, "codes": []}
    again = entry_from_files(facts, image=[str(drawn.image)], masks=[], label=[], annotations=[str(drawn.annotations)])
    assert again == drawn


@pytest.fixture
def slide(tmp_path):
    rng = stream(0, "test", "facts")
    rgb = rng.integers(0, 256, (300, 420, 3), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "s.tif") as writer:
        options = {"photometric": "rgb", "tile": (64, 64), "compression": "zlib", "metadata": None}
        size = {"resolution": (40000, 40000), "resolutionunit": "centimeter"}
        writer.write(rgb, subifds=1, **options, **size)
        writer.write(rgb[::2, ::2], subfiletype=1, **options)
    mask = rng.random((300, 420)) < 0.3
    tifffile.imwrite(tmp_path / "s_B.tif", mask, photometric="minisblack", tile=(64, 64))
    return ImageEntry("s", tmp_path / "s.tif", (("B", tmp_path / "s_B.tif"),)), mask


@pytest.mark.parametrize("size", [2**26, 40_000])
def test_a_slide_is_described_block_by_block(slide, monkeypatch, size):
    monkeypatch.setattr("pipeline.raw.facts.BLOCK_BYTES", size)
    entry, mask = slide
    sheet = fact_sheet(entry, record=RECORD, workers=2)
    assert sheet["rejected"] == ""
    assert sheet["levels"] == [[300, 420], [150, 210]]
    assert sheet["pixel_size_um"] == pytest.approx(0.25)
    assert sheet["pixels"] == {"A": 0, "B": int(mask.sum())}
    given = fact_sheet(entry, record=RECORD.model_copy(update={"pixel_size_um": 0.5}))
    assert given["pixel_size_um"] == 0.5


def test_a_damaged_tile_rejects_the_slide_and_is_named(slide):
    entry, _ = slide
    data = bytearray(entry.image.read_bytes())
    with tifffile.TiffFile(entry.image) as file:
        start = file.pages[0].dataoffsets[9]
    data[start + 10 : start + 60] = bytes(50)
    entry.image.write_bytes(data)
    sheet = fact_sheet(entry, record=RECORD)
    assert "tile 9 at row 64, column 128" in sheet["rejected"]
    assert str(entry.image.parent) not in sheet["rejected"]


def test_a_slide_is_known_by_a_level_of_its_pyramid_and_its_copy_in_another_format_is_found(tmp_path):
    rgb = fundus_phantom(1, size=1040, seed=0).image
    with tifffile.TiffWriter(tmp_path / "s.tif") as writer:
        options = {"photometric": "rgb", "tile": (256, 256), "compression": "zlib", "metadata": None}
        writer.write(rgb, subifds=1, **options)
        writer.write(np.ascontiguousarray(rgb[::2, ::2]), subfiletype=1, **options)
    Image.fromarray(rgb).resize((700, 700)).save(tmp_path / "p.jpg", quality=60)
    Image.fromarray(fundus_phantom(2, size=1040, seed=0).image).save(tmp_path / "q.jpg")
    read = [ImageEntry(name, tmp_path / name, annotated=False) for name in ("s.tif", "p.jpg", "q.jpg")]
    hashes = {entry.image_id: fact_sheet(entry, record=RECORD)["perceptual_hash"] for entry in read}
    with open_image(read[0], record=RECORD) as source:
        assert hash_level(source) == 1
    assert [pair[:2] for pair in near_duplicates(hashes)] == [("p.jpg", "s.tif")]


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    codes = ("A", "B")
    masks = tuple((code, tmp_path / code / "eye.png") for code in codes)
    entry = ImageEntry("eye", tmp_path / "images" / "eye.png", masks)
    assert entry.files == {"image": entry.image, "mask A": masks[0][1], "mask B": masks[1][1]}


@pytest.mark.parametrize(("most", "used"), [(4095, False), (60000, True), (0, True)])
def test_data_of_12_bits_in_16_is_rejected_because_it_would_be_black(tmp_path, most, used):
    pixels = np.linspace(0, most, 64 * 48).astype(np.uint16).reshape(48, 64)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack")
    rejected = fact_sheet(ImageEntry("a", tmp_path / "a.tif", annotated=False), record=RECORD)["rejected"]
    assert (rejected == "") == used
    assert used or "up to 4095" in rejected
