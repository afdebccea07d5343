"""Truth in several formats is one class if no image has two, and one pattern finds its files and no others."""

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.manifest import ManifestRecord
from pipeline.config.validation import OPEN, validate
from pipeline.errors import ManifestError
from pipeline.raw.datasets.folder import truth_without_image
from pipeline.raw.inspection.classes import described
from pipeline.raw.inspection.fingerprint import fingerprint
from pipeline.raw.inspection.layout import inspected_layout
from pipeline.raw.inspection.manifest import manifest_text
from tests.raw.inspection.test_inspection import listed, mask, picture, save

FORMATS = [".png", ".tif", ".tiff", ".bmp", ".PNG", ".TIF", ".jpg", ".JPEG"]
COUNT = 9


ANSWERS = {"reviewed": "null", "missing_mask": "unknown", "name": "answered", "modality": "fundus"}


def inspected(root):
    """The classes of a folder, and the record of its manifest after open lines were answered."""
    layout, classes = _described(root)
    text = _text(root, layout, classes)
    for key, answer in ANSWERS.items():
        text = text.replace(f'{key}: "{OPEN}"', f"{key}: {answer}")
    tree = yaml.safe_load(text)
    return classes, validate(ManifestRecord, tree, source="text", error=ManifestError).datasets["mine"]


def _described(root):
    layout = inspected_layout(root)
    return layout, described(layout)


def _text(root, layout, classes):
    found = fingerprint(root, layout.files, slides=False)
    return manifest_text("mine", layout, found, root=root, classes=classes)


def labels():
    values = np.zeros((48, 48), np.uint8)
    values[4:12, 4:12], values[20:30, 20:30] = 1, 2
    return values


def saved(root, *, formats, word, images, truth, values):
    """Images, and truth of each in the format at its place; its paths by the names of the images."""
    paths = {}
    for at in range(COUNT):
        save(root / images / f"eye.{at}.jpg", picture(at))
        if at < len(formats):
            path = root / truth / f"eye.{at}{word}{formats[at]}"
            save(path, values())
            paths[f"eye.{at}"] = path
    return paths


@settings(deadline=None, max_examples=20)
@given(
    formats=st.lists(st.sampled_from(FORMATS), min_size=3, max_size=COUNT),
    word=st.sampled_from(["", "_EX", "-mask"]),
    places=st.sampled_from([("images", "truth"), ("a/images", "a/masks"), (".", "masks"), (".", ".")]),
    labelled=st.booleans(),
)
def test_truth_in_any_formats_is_one_class_and_is_found(formats, word, places, labelled):
    if places == (".", "."):  # Where plain names are those of the images.
        word = word or "_gt"
    if labelled:
        formats = [".bmp" if each.lower().startswith(".j") else each for each in formats]
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        values = labels if labelled else mask
        paths = saved(root, formats=formats, word=word, images=places[0], truth=places[1], values=values)
        classes, record = inspected(root)
        assert len({each.truth.pattern for each in classes.classes}) == 1
        assert len(classes.classes) == 1 + labelled
        entries = {each.image_id: each for each in listed(root, record)}
        assert len(entries) == COUNT
        for name, entry in entries.items():
            found = [entry.label] if entry.label else [path for _, path in entry.masks]
            assert found == ([paths[name]] if name in paths else [])
        counts = [f"{suffix} {count}" for suffix, count in _counted(formats).items()]
        said = " ".join(classes.classes[0].truth.notes)
        assert all(each in said for each in counts) if len(counts) > 1 else not said


def _counted(formats):
    lower = [each.lower() for each in formats]
    return {each: lower.count(each) for each in lower}


def test_thirteen_masks_of_one_format_and_one_of_another_are_one_class(tmp_path):
    for at in range(16):
        save(tmp_path / "images" / f"e{at}.jpg", picture(at))
    for at in range(14):
        save(tmp_path / "truth" / f"e{at}{'.jpg' if at == 13 else '.png'}", mask())
    (tmp_path / "truth" / "README.txt").write_text("drawn by hand")
    classes, record = inspected(tmp_path)
    (found,) = classes.classes
    assert (found.name, found.truth.pattern, found.truth.images) == ("Lesion", "truth/{image}.*", 14)
    assert "In two formats: .png 13, .jpg 1." in found.truth.notes[0]
    assert sum(bool(each.masks) for each in listed(tmp_path, record)) == 14
    assert truth_without_image(tmp_path, layout=record.layout) == ["truth/README.txt"]


def test_classes_in_several_formats_are_as_many_classes(tmp_path):
    for at in range(6):
        save(tmp_path / f"e{at}.jpg", picture(at))
        for code, odd in (("EX", 1), ("MA", 2)):
            save(tmp_path / f"e{at}_{code}.{'tif' if at == odd else 'png'}", mask())
    classes, record = inspected(tmp_path)
    assert [each.truth.pattern for each in classes.classes] == ["{image}_EX.*", "{image}_MA.*"]
    assert [len(each.masks) for each in listed(tmp_path, record)] == [2] * 6


@pytest.mark.parametrize("lone", [False, True])
def test_folders_of_patients_may_differ_in_their_formats(tmp_path, lone):
    for patient in range(3):
        for at in range(4):
            save(tmp_path / f"P{patient}" / "images" / f"e{at}.jpg", picture(at))
            other = patient == 2 if lone else at == 3
            save(tmp_path / f"P{patient}" / "masks" / f"e{at}.{'tif' if other else 'png'}", mask())
    classes, record = inspected(tmp_path)
    assert [each.truth.pattern for each in classes.classes] == ["{group}/masks/{image}.*"]
    entries = listed(tmp_path, record)
    assert [len(each.masks) for each in entries] == [1] * 12
    for each in entries:
        assert each.masks[0][1].parent.parent == each.image.parent.parent


def test_images_with_masks_of_both_formats_keep_them_apart_and_are_named(tmp_path):
    for at in range(6):
        save(tmp_path / "images" / f"e{at}.jpg", picture(at))
        save(tmp_path / "truth" / f"e{at}.png", mask())
    save(tmp_path / "truth" / "e3.tif", mask())
    classes, record = inspected(tmp_path)
    assert {each.truth.pattern for each in classes.classes} == {"truth/{image}.png", "truth/{image}.tif"}
    (note,) = (note for each in classes.classes for note in each.truth.notes)
    assert re.search(r"stay apart: 1 image has files of both \(e3\)", note)
    assert len(listed(tmp_path, record)) == 6


def test_a_pattern_of_any_suffix_never_takes_images_or_notes_of_images(tmp_path):
    for name in ("beside", "notes"):
        root = tmp_path / name
        images = root if name == "beside" else root / "images"
        masks = root if name == "beside" else root / "truth"
        for at in range(6):
            save(images / f"e{at}.jpg", picture(at))
            save(masks / f"e{at}.{'bmp' if at == 5 else 'png'}", mask())
        if name == "notes":
            (masks / "e1.txt").write_text("a note")
        classes, record = inspected(root)
        assert len(classes.classes) == 2
        assert any("would find e0.jpg" in n or "would find truth/e1" in n for n in _notes(classes))
        assert [len(each.masks) for each in listed(root, record)] == [1] * 6


def _notes(classes):
    return [note for each in classes.classes for note in each.truth.notes]


def test_polygons_and_masks_are_no_formats_of_one(tmp_path):
    for at in range(4):
        save(tmp_path / "images" / f"e{at}.jpg", picture(at))
        save(tmp_path / "truth" / f"e{at}.png", mask())
    (tmp_path / "truth" / "e9.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    classes, _ = inspected(tmp_path)
    assert [each.truth.pattern for each in classes.classes] == ["truth/{image}.png"]


def test_a_jpeg_beside_label_images_is_none_of_their_values_and_is_named(tmp_path):
    for at in range(6):
        save(tmp_path / "images" / f"e{at}.jpg", picture(at))
        save(tmp_path / "truth" / f"e{at}.{'jpg' if at == 5 else 'png'}", mask() if at == 5 else labels())
    text = _text(tmp_path, *_described(tmp_path))
    assert "values: {C1: 1, C2: 2}" in text
    assert 'label: "truth/{image}.*"' in text
    assert "1 file of 6 cannot be read" in text
