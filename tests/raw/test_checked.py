"""What stage raw found in a file counts later as long as the contents are the same: no second look, the same pixels."""

import json
import os

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.geometry import Box
from pipeline.raw.checked import as_checked
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import write_fact_sheet
from pipeline.raw.formats import tiff_page
from pipeline.raw.formats.reader import open_picture, open_values
from pipeline.raw.pixels import open_image
from pipeline.raw.truth import open_truth
from pipeline.runtime.input_records import record_reading
from pipeline.seeds import stream
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance, file_digest

LABELS = {"images": "{image}.tif", "label": "{image}_l.png", "values": {"A": 1, "B": [2, 3]}}


def record(**layout) -> DatasetRecord:
    facts = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel"}
    classes = [{"code": code, "name": code} for code in "AB"]
    return DatasetRecord.model_validate(facts | {"classes": classes, "folder": layout or {"images": "{image}.tif"}})


def jpeg_tiff(path, *, side=256):
    rgb = stream(0, "test", "checked").integers(90, 160, (side, side, 3), dtype=np.uint8)
    with tifffile.TiffWriter(path) as file:
        kind = {"photometric": "ycbcr", "compression": "jpeg", "tile": (64, 64)}
        file.write(rgb, subifds=1, **kind)
        file.write(np.ascontiguousarray(rgb[::2, ::2]), subfiletype=1, **kind)
    return path


@pytest.fixture
def entry(tmp_path):
    rim = np.zeros((256, 256), np.uint8)
    rim[60:99, 60:99], rim[60:61, 60:99] = 255, 100
    Image.fromarray(rim).save(tmp_path / "eye_A.png")
    tifffile.imwrite(tmp_path / "eye_B.tif", (rim > 0).astype(np.uint8) * 7)
    masks = (("A", tmp_path / "eye_A.png"), ("B", tmp_path / "eye_B.tif"))
    return ImageEntry("eye", jpeg_tiff(tmp_path / "eye.tif"), masks)


def checked(entry, facts, folder):
    write_fact_sheet(entry, job=Job(facts, Provenance("raw", {}, "c")), output=folder / "eye.json")
    digests = {name: file_digest(path) for name, path in entry.files.items()}
    return as_checked(entry, sheet=folder / "eye.json", digests=digests)


def truth_of(entry, facts):
    with open_truth(entry, record=facts, height=256, width=256) as truth:
        return truth.on(256, 256).read(Box.of_shape(256, 256))


def test_values_are_not_counted_again_and_the_truth_is_the_same(entry, tmp_path, monkeypatch):
    found = checked(entry, record(), tmp_path)
    assert dict(found.checked.cuts) == {"A": 127, "B": 0}
    expected = truth_of(entry, record())
    assert expected.any(axis=(1, 2)).all()
    monkeypatch.setattr("pipeline.raw.truth.count_values", None)
    assert np.array_equal(truth_of(found, record()), expected)


def test_neither_are_those_of_a_label_image(entry, tmp_path, monkeypatch):
    Image.fromarray(np.arange(4, dtype=np.uint8).repeat(64 * 256).reshape(256, 256)).save(tmp_path / "eye_l.png")
    labelled = ImageEntry("eye", entry.image, label=tmp_path / "eye_l.png")
    found = checked(labelled, record(**LABELS), tmp_path)
    expected = truth_of(labelled, record(**LABELS))
    assert [int(each.sum()) for each in expected] == [64 * 256, 2 * 64 * 256]
    monkeypatch.setattr("pipeline.raw.truth.count_values", None)
    assert np.array_equal(truth_of(found, record(**LABELS)), expected)


@pytest.mark.parametrize("name", ["image", "mask A", "mask B"])
def test_a_file_of_other_contents_is_refused_and_one_without_a_digest_looked_through_again(entry, tmp_path, name):
    assert checked(entry, record(), tmp_path).checked is not None
    digests = {each: file_digest(path) for each, path in entry.files.items()} | {name: "another"}
    with pytest.raises(ImageRejected, match=f"(?s)changed after stage raw.*{entry.files[name].name}.*another"):
        as_checked(entry, sheet=tmp_path / "eye.json", digests=digests)
    del digests[name]
    assert as_checked(entry, sheet=tmp_path / "eye.json", digests=digests).checked is None


def test_so_is_one_of_which_the_sheet_says_nothing(entry, tmp_path):
    checked(entry, record(), tmp_path)
    digests = {each: file_digest(path) for each, path in entry.files.items()}
    sheet = json.loads((tmp_path / "eye.json").read_text())
    for old in (sheet | {"rejected": "damaged"}, {key: sheet[key] for key in sheet if key != "truth_cuts"}):
        (tmp_path / "eye.json").write_text(json_text(old))
        assert as_checked(entry, sheet=tmp_path / "eye.json", digests=digests).checked is None


def scans(monkeypatch) -> list[int]:
    looked, real = [], tiff_page.check_scans
    monkeypatch.setattr(tiff_page, "check_scans", lambda data, **given: looked.append(1) or real(data, **given))
    return looked


def test_jpeg_tiles_of_the_finest_level_are_looked_through_once(entry, tmp_path, monkeypatch):
    found = checked(entry, record(), tmp_path)
    looked, read = scans(monkeypatch), {}
    for name, each in (("anew", entry), ("again", found)):
        with open_image(each, record=record()) as source:
            read[name] = source.read(Box.of_shape(256, 256))
        assert len(looked) == 16
        with open_image(each, record=record()) as source:
            # Stage raw reads no coarser level through.
            source.read(Box.of_shape(128, 128), level=1)
        assert len(looked) == 20
        del looked[16:]
    assert np.array_equal(read["anew"], read["again"])


def test_what_nobody_has_looked_through_is_refused_where_it_is_damaged(tmp_path):
    path = tmp_path / "eye.jpg"
    rgb = stream(0, "test", "checked").integers(90, 160, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[-2:])
    for opened in (open_picture(path), open_values(path)):
        with pytest.raises(ImageRejected, match="damaged JPEG"), opened:
            pass


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_palettes_are_looked_up_as_by_definition(tmp_path, dtype):
    rng, most = stream(0, "test", "palette"), np.iinfo(dtype).max
    indices = rng.integers(0, most + 1, (50, 60), dtype=dtype)
    colours = rng.integers(0, 65536, (3, most + 1), dtype=np.uint16) * (rng.random(most + 1) < 0.5)
    tifffile.imwrite(tmp_path / "m.tif", indices, photometric="palette", colormap=colours.astype(np.uint16))
    with open_values(tmp_path / "m.tif") as source:
        assert np.array_equal(source.read(Box.of_shape(50, 60)) > 0, colours.any(axis=0)[indices])


def test_an_input_that_was_replaced_with_its_old_date_is_refused_and_read_anew_after_a_touch(tmp_path):
    path, sheet = tmp_path / "eye.png", tmp_path / "results" / "eyes" / "raw" / "eye.json"
    Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(path)
    entry, facts = ImageEntry("eye", path, annotated=False), record()
    inputs = ImageInputs(entry, results=tmp_path / "results", dataset="eyes")
    states = write_fact_sheet(entry, job=Job(facts, Provenance("raw", {}, "c")), output=sheet)
    record_reading(states, inputs.record, said=inputs.reading())
    said, before = inputs.reading(), path.stat()
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert inputs.reading() == said, "size and date are the recorded ones"
    with pytest.raises(ImageRejected, match=r"(?s)changed after stage raw.*a new date \(touch\)"):
        as_checked(entry, sheet=sheet, digests={"image": file_digest(path)})
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert inputs.reading() != said
