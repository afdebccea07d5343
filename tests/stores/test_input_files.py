"""A file that is replaced, cut or taken away under a job is refused by name, and nothing is made of both of its contents."""

import os
import shutil

import numpy as np
import pytest
import zarr
from PIL import Image

from pipeline.config import NormalizedConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ImageRejected
from pipeline.normalized import image as normalized_image
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.predict import normalise as predict_normalise
from pipeline.predict.normalise import normalise_new_image
from pipeline.raw import facts
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.raw.facts import write_fact_sheet
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.runtime.input_records import record_reading
from pipeline.stores import input_files, open_array
from pipeline.stores.documents import read_json
from pipeline.stores.input_files import InputFiles
from pipeline.stores.job import Job, job_of
from pipeline.stores.provenance import Provenance

RECORD = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel"}
RECORD |= {"classes": [{"code": "OD", "name": "disc"}], "folder": {"images": "{image}.png"}}
SMALL = {"chain": "fundus", "strip_rows": 32, "strip_columns": 32, "gaussian": {"sigma": 2.0}}
SMALL |= {"storage": {"chunk": 32, "shard": 32}}


def save(path, number):
    Image.fromarray(fundus_phantom(number, size=96, seed=1).image).save(path)


def replace(path):
    save(path.with_name("other.png"), 2)
    found = path.stat()
    os.utime(path.with_name("other.png"), ns=(found.st_atime_ns, found.st_mtime_ns))
    path.with_name("other.png").replace(path)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def write(path):
    with path.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"x")


HARM = {"replaced": replace, "cut": cut, "removed": lambda path: path.unlink(), "written to": write}


@pytest.fixture
def entry(tmp_path):
    save(tmp_path / "eye.png", 1)
    Image.fromarray(np.uint8(255) * fundus_phantom(1, size=96, seed=1).masks["OD"].astype(np.uint8)).save(
        tmp_path / "eye_OD.png"
    )
    return ImageEntry("eye", tmp_path / "eye.png", (("OD", tmp_path / "eye_OD.png"),))


def after(monkeypatch, module, name, harm, *, calls=1):
    """Do harm after some calls of a function."""
    real, left = getattr(module, name), [calls]

    def harmful(*given, **named):
        found = real(*given, **named)
        left[0] -= 1
        if not left[0]:
            harm()
        return found

    monkeypatch.setattr(module, name, harmful)


@pytest.mark.parametrize("what", ["image", "mask OD"])
@pytest.mark.parametrize("harm", HARM)
def test_the_fact_sheet_of_a_file_that_changed_while_it_was_read_is_a_rejection(
    entry, tmp_path, monkeypatch, harm, what
):
    path = entry.files[what]
    after(monkeypatch, facts, "open_image", lambda: HARM[harm](path))
    job = Job(DatasetRecord.model_validate(RECORD), Provenance("raw", {}, "c"))
    states = write_fact_sheet(entry, job=job, output=tmp_path / "results" / "d" / "raw" / "eye.json")
    said = read_json(tmp_path / "results" / "d" / "raw" / "eye.json")["rejected"]
    assert all(word in said for word in ["changed while it was read", path.name, "Run again"])
    assert str(tmp_path) not in said
    assert states[what].changed_ns == -1


def test_it_is_read_anew_even_where_the_former_content_is_back(entry, tmp_path, monkeypatch):
    data, results = entry.image.read_bytes(), tmp_path / "results"
    inputs = ImageInputs(entry, results=results, dataset="d")
    job = Job(DatasetRecord.model_validate(RECORD), Provenance("raw", {}, "c"))
    for _ in range(3):
        said = inputs.reading()
        with monkeypatch.context() as patch:
            after(patch, facts, "open_image", lambda: replace(entry.image))
            states = write_fact_sheet(entry, job=job, output=results / "d" / "raw" / "eye.json")
        record_reading(states, inputs.record, said=said)
        entry.image.write_bytes(data)
        assert inputs.reading() != said
    said = inputs.reading()
    record_reading(
        write_fact_sheet(entry, job=job, output=results / "d" / "raw" / "eye.json"), inputs.record, said=said
    )
    assert read_json(results / "d" / "raw" / "eye.json")["rejected"] == ""
    assert inputs.reading() == said


def normalise(entry, output):
    config = {"record": RECORD, "normalized": SMALL}
    job = job_of("normalized", config=config, code="c", inputs=entry.files)
    normalise_fundus(entry, config=NormalizedConfig.model_validate(SMALL), job=job, output=output)


@pytest.mark.parametrize("what", ["image", "mask OD"])
@pytest.mark.parametrize("harm", HARM)
def test_a_store_of_two_contents_is_never_made_nor_continued(entry, tmp_path, monkeypatch, harm, what):
    normalise(entry, tmp_path / "expected" / "eye.zarr")
    path, output = entry.files[what], tmp_path / "results" / "eye.zarr"
    data = path.read_bytes()
    with monkeypatch.context() as patch:
        after(patch, normalized_image, "write_box", lambda: HARM[harm](path), calls=7)
        with pytest.raises(ImageRejected, match=f"(?s)changed while it was read.*{path.name}"):
            normalise(entry, output)
    assert not output.exists()
    path.write_bytes(data)
    normalise(entry, output)
    for name in ("0", "1", "truth", "roi"):
        assert np.array_equal(open_array(output, name)[:], open_array(tmp_path / "expected" / "eye.zarr", name)[:])


def test_what_breaks_because_a_file_is_gone_is_said_as_that(tmp_path):
    (tmp_path / "a").write_text("a")
    files = InputFiles.of([tmp_path / "a"])
    (tmp_path / "a").unlink()
    with pytest.raises(ImageRejected, match=r"(?s)changed while.*no file any more"), files.steady():
        (tmp_path / "a").read_text()
    with pytest.raises(ZeroDivisionError), InputFiles.of([tmp_path]).steady():
        _ = 1 / 0


def test_a_prediction_is_of_one_file(entry, tmp_path, monkeypatch):
    after(monkeypatch, predict_normalise, "check_bits", lambda: replace(entry.image))
    with pytest.raises(ImageRejected, match=r"(?s)changed while it was read.*eye\.png"):
        normalise_new_image(entry.image, out=tmp_path / "out", settings=SMALL)


STORE_HARM = {
    "replaced": lambda chunk: replaced_chunk(chunk),
    "removed": lambda chunk: chunk.unlink(),
    "added": lambda chunk: (chunk.parent / "new").write_bytes(b""),
    "cut": cut,
    "taken away with its folder": lambda chunk: shutil.rmtree(chunk.parents[4]),
}


def replaced_chunk(chunk):
    """Another chunk of the same size and date, as a synchronisation writes it."""
    other, found = chunk.with_name("other"), chunk.stat()
    other.write_bytes(chunk.read_bytes()[::-1])
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(chunk)


@pytest.fixture
def stored(tmp_path):
    """A picture in OME-Zarr of another program, and one of its chunks."""
    folder, pixels = tmp_path / "data" / "eye.ome.zarr", np.moveaxis(fundus_phantom(1, size=96, seed=1).image, 2, 0)
    group = zarr.create_group(folder)
    group.create_array("0", shape=pixels.shape, chunks=(1, 32, 32), dtype=np.uint8)[...] = pixels
    scale = [{"type": "scale", "scale": [1.0, 1.0, 1.0]}]
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    multiscale = {"axes": axes, "datasets": [{"path": "0", "coordinateTransformations": scale}]}
    group.attrs.update({"ome": {"version": "0.5", "multiscales": [multiscale]}})
    return ImageEntry("eye", folder, annotated=False), folder / "0" / "c" / "0" / "1" / "1"


@pytest.mark.parametrize("harm", STORE_HARM)
def test_the_fact_sheet_of_a_store_that_changed_while_it_was_read_is_a_rejection(stored, tmp_path, monkeypatch, harm):
    entry, chunk = stored
    after(monkeypatch, facts, "open_image", lambda: STORE_HARM[harm](chunk))
    job = Job(DatasetRecord.model_validate(RECORD), Provenance("raw", {}, "c"))
    states = write_fact_sheet(entry, job=job, output=tmp_path / "eye.json")
    said = read_json(tmp_path / "eye.json")["rejected"]
    assert all(word in said for word in ["changed while it was read", "eye.ome.zarr", "Run again"])
    assert states["image"].changed_ns == -1


@pytest.mark.parametrize("harm", STORE_HARM)
def test_a_store_of_two_contents_of_a_store_is_never_made_nor_continued(stored, tmp_path, monkeypatch, harm):
    entry, chunk = stored
    shutil.copytree(entry.image, tmp_path / "kept")
    normalise(entry, tmp_path / "expected.zarr")
    with monkeypatch.context() as patch:
        after(patch, normalized_image, "write_box", lambda: STORE_HARM[harm](chunk), calls=3)
        with pytest.raises(ImageRejected, match=r"(?s)changed while it was read.*eye\.ome\.zarr"):
            normalise(entry, tmp_path / "eye.zarr")
    assert not (tmp_path / "eye.zarr").exists()
    shutil.rmtree(entry.image, ignore_errors=True)
    shutil.copytree(tmp_path / "kept", entry.image)
    normalise(entry, tmp_path / "eye.zarr")
    for name in ("0", "1", "roi"):
        assert np.array_equal(
            open_array(tmp_path / "eye.zarr", name)[:], open_array(tmp_path / "expected.zarr", name)[:]
        )


def test_a_store_is_looked_through_twice_a_job_whatever_its_blocks(stored, tmp_path, monkeypatch):
    entry, looked = stored[0], []
    real = input_files._folder_glance
    monkeypatch.setattr(input_files, "_folder_glance", lambda folder: looked.append(folder) or real(folder))
    normalise(entry, tmp_path / "eye.zarr")
    assert looked == [entry.image] * 2
    job = Job(DatasetRecord.model_validate(RECORD), Provenance("raw", {}, "c"))
    write_fact_sheet(entry, job=job, output=tmp_path / "eye.json")
    assert looked == [entry.image] * 4


def test_our_own_stores_are_passed_over(stored, tmp_path):
    normalise(stored[0], tmp_path / "eye.zarr")
    assert not InputFiles.of([tmp_path / "eye.zarr"]).seen
