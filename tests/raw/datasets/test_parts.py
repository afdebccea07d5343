"""Files that the data of a slide lie in count as its own: another one of them is another image."""

import struct
from pathlib import Path

import pytest

from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.entry import ImageEntry, entry_from_files
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.datasets.parts import part_files


def dicom(series: str, *, typed: bool = True) -> bytes:
    value = series.encode().ljust(len(series) + len(series) % 2, b"\0")
    length = b"UI" + struct.pack("<H", len(value)) if typed else struct.pack("<I", len(value))
    return b"\0" * 128 + b"DICM" + b"\x20\x00\x0e\x00" + length + value + b"pixels"


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


SLIDES = {
    "a.mrxs": ({"a/Slidedat.ini": b"", "a/Data0000.dat": b"0"}, {"b/Data0000.dat": b"1"}),
    "a.vms": ({"a(1,0).jpg": b"0", "a.map": b"1"}, {"b.jpg": b""}),
    "a.dcm": (
        {"level1.dcm": dicom("1.2.3"), "2": dicom("1.2.3", typed=False)},
        {"b.dcm": dicom("1.2.4"), "c.txt": b""},
    ),
}
NAMED = {
    "a.mrxs": b"\xff\xd8",
    "a.vms": b"[Virtual Microscope Specimen]\nImageFile(1,0)=a(1,0).jpg\nMapFile=a.map\nImageFile=gone.jpg\n",
    "a.dcm": dicom("1.2.3"),
}


@pytest.mark.parametrize("name", SLIDES)
def test_the_files_that_hold_a_slide_are_found_and_no_others(tmp_path, name):
    own, others = SLIDES[name]
    write(tmp_path, {name: NAMED[name], **own, **others})
    assert part_files(tmp_path / name) == tuple(sorted(tmp_path / each for each in own))


@pytest.mark.parametrize("name", ["a.mrxs", "a.vms", "a.dcm", "a.svs"])
def test_what_is_not_there_has_no_parts(tmp_path, name):
    assert part_files(tmp_path / name) == ()


@pytest.mark.parametrize("name", SLIDES)
def test_another_content_of_a_part_is_another_content_of_the_image(tmp_path, name):
    own, _ = SLIDES[name]
    write(tmp_path / "slides", {name: NAMED[name], **own})
    classes = [{"code": "A", "name": "a"}]
    record = DatasetRecord.model_validate(
        {
            "title": "t",
            "adaptor": "slide",
            "modality": "histology",
            "task": "multilabel",
            "classes": classes,
            "slide": {"images": name.replace("a.", "{image}.")},
        }
    )

    def content() -> str:
        entries = list_images(record, dataset="d", root=tmp_path / "slides")
        (entry,) = (each for each in entries if each.image_id == "a")
        return ImageInputs(entry, results=tmp_path / "results", dataset="d").content()

    before = content()
    assert content() == before
    part = tmp_path / "slides" / next(iter(own))
    part.write_bytes(part.read_bytes() + b"another")
    assert content() != before


def test_a_job_is_given_the_parts_of_its_image(tmp_path):
    entry = ImageEntry("a", tmp_path / "a.mrxs", parts=(tmp_path / "a" / "Data0000.dat",))
    assert entry_from_files(entry.facts(), **entry.file_lists()) == entry
    assert list(entry.files) == ["image", "part Data0000.dat"]
