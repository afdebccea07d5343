"""What is said of truth files as a whole is what the reader of truth does with them."""

import json
import re

import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline.config.validation import OPEN
from pipeline.project import PROJECT
from pipeline.raw.formats.reader import open_values
from pipeline.raw.inspection.classes import described
from pipeline.raw.inspection.fingerprint import fingerprint
from pipeline.raw.inspection.layout import inspected_layout
from pipeline.raw.inspection.manifest import manifest_text
from pipeline.raw.inspection.truth_notes import truth_notes
from pipeline.raw.truth_values import count_values, mask_cut
from pipeline.seeds import stream

SIDE = 96


def area(*values):
    found = np.zeros((SIDE, SIDE), np.uint8)
    for at, value in enumerate(values):
        found[8 + 24 * at : 24 + 24 * at, 8:60] = value
    return found


def write(root, truths, *, name="masks/e{}.png", **options):
    """Pictures with these truth files."""
    for at, values in enumerate(truths):
        pixels = stream(at, "test").integers(90, 250, (SIDE, SIDE, 1)) * np.array((1.0, 0.55, 0.8))
        for path, each in ((root / f"images/e{at}.png", pixels.astype(np.uint8)), (root / name.format(at), values)):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(each).save(path, **(options if each is values else {}))


def told(root):
    """Classes, notes on their truth, and the block of the manifest on files."""
    layout = inspected_layout(root)
    classes = described(layout)
    text = manifest_text("mine", layout, fingerprint(root, layout.files, slides=False), root=root, classes=classes)
    notes = [*layout.notes, *(note for each in classes.classes[:1] for note in truth_notes(each))]
    assert all(note in text for note in notes), "what the command says stands in the manifest"
    return classes, notes, yaml.safe_load(text)["datasets"]["mine"]


@pytest.mark.parametrize("values", [(1,), (255,), (1, 2)])
def test_truth_that_is_mostly_empty_has_the_classes_of_the_rest_and_is_counted(tmp_path, values):
    write(tmp_path, [area(*values) if at == 3 else area() for at in range(20)])
    classes, notes, record = told(tmp_path)
    assert [each.values for each in classes.classes] == ([(1,), (2,)] if len(values) == 2 else [None])
    assert len(notes) == 1
    assert "19 of 20 files looked at hold no class" in notes[0]
    assert "reviewed" not in record["folder"]


def test_truth_that_is_empty_everywhere_is_said_to_teach_nothing(tmp_path):
    write(tmp_path, [area()] * 4)
    _, notes, _ = told(tmp_path)
    assert "All 4 files looked at are 0 everywhere" in notes[0]


def test_of_truth_without_empty_files_nothing_is_said(tmp_path):
    write(tmp_path, [area(255)] * 4)
    assert told(tmp_path)[1] == []


def test_two_ways_to_write_one_mask_are_one_class_and_read_as_masks(tmp_path):
    write(tmp_path, [area(1 if at < 2 else 255) for at in range(5)])
    classes, notes, record = told(tmp_path)
    assert [each.values for each in classes.classes] == [None]
    assert "0 and 1 in 2 files and 0 and 255 in 3 files" in notes[0]
    assert OPEN not in json.dumps(record)
    for at in range(5):
        path = tmp_path / f"masks/e{at}.png"
        with open_values(path) as source:
            assert mask_cut(source, count_values(source, path=path), path=path) == 0


@pytest.mark.parametrize(
    "truths", [[area(1)] * 3 + [area(2)] * 3, [area(1, 255)] * 3 + [area(1)] * 3], ids=["1|2", "both"]
)
def test_values_that_may_differ_in_meaning_are_asked(tmp_path, truths):
    write(tmp_path, truths)
    classes, _, record = told(tmp_path)
    assert classes.classes[0].values == (1,)
    assert OPEN in json.dumps(record)


@pytest.mark.parametrize("quality", [30, 75, 95, 100])
def test_noise_of_jpeg_is_no_class(tmp_path, quality):
    write(tmp_path, [area(255) if at else area() for at in range(4)], name="masks/e{}.jpg", quality=quality)
    classes, notes, record = told(tmp_path)
    assert [each.values for each in classes.classes] == [None]
    assert classes.classes[0].truth.contents.values == (0, 255)
    assert record["folder"]["masks"] == {"LESION": "masks/{image}.jpg"}
    assert "1 of 4 files looked at hold no class" in notes[0]


@pytest.mark.parametrize(
    ("values", "said"), [((1, 2), "PNG or TIFF"), ((1,), "PNG or TIFF"), ((128, 255), "PNG or TIFF")]
)
def test_classes_in_jpeg_are_not_read_with_the_reason_and_what_to_do(tmp_path, values, said):
    write(tmp_path, [area(*values)] * 3, name="masks/e{}.jpg", quality=90)
    classes, notes, _ = told(tmp_path)
    assert classes.classes == ()
    assert "not read" in notes[0]
    assert said in notes[0]


def coloured(*colours):
    return np.stack([area(*(colour[at] for colour in colours)) for at in range(3)], axis=2)


def test_one_colour_is_a_mask_and_several_are_not_read_with_the_reason_and_what_to_do(tmp_path):
    write(tmp_path / "one", [coloured((255, 0, 0))] * 3)
    classes, notes, record = told(tmp_path / "one")
    assert (classes.by_masks, notes, list(record["folder"]["masks"])) == (True, [], ["LESION"])
    write(tmp_path / "two", [coloured((255, 0, 0), (0, 255, 0))] * 3)
    classes, notes, _ = told(tmp_path / "two")
    assert classes.classes == ()
    assert re.search(r"not read: .*several colours: red .*, green .*own_data.md, section Classes in colours", notes[0])
    assert "pattern of the images" not in notes[0]


def test_unread_truth_that_counts_as_images_is_said_to(tmp_path):
    write(tmp_path, [coloured((255, 0, 0), (0, 255, 0))] * 3, name="images/e{}_mask.png")
    assert "count as: convert or move them" in told(tmp_path)[1][0]


def test_some_unread_files_beside_others_are_counted_with_the_first_reason(tmp_path):
    write(tmp_path, [coloured((255, 0, 0), (0, 255, 0)) if at == 1 else area(255) for at in range(4)])
    classes, notes, _ = told(tmp_path)
    assert classes.by_masks
    assert re.search("1 file of 4 cannot be read, .*several colours", notes[0])


def numbered(count):
    found = np.zeros((SIDE, SIDE), np.uint8)
    for at in range(count):
        found[2 + 10 * (at // 8) : 9 + 10 * (at // 8), 2 + 11 * (at % 8) : 10 + 11 * (at % 8)] = at + 1
    return found


RED = coloured((255, 0, 0))
LABELS = {
    "numbers": [numbered(8 + at) for at in range(3)],
    "labels": [area(1, 2)] * 3,
    "files of two classes": [area(1), area(2), area(2)],
    "one empty": [area(1, 2), area(1, 2), area()],
}


def questions(root):
    """Classes, the values of the manifest, and its open lines."""
    classes, _, record = told(root)
    folder = record["folder"]
    return [each.values for each in classes.classes], folder.get("values"), folder.get("ignore")


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", LABELS)
def test_masks_in_colour_beside_label_images_change_no_class_and_are_counted_with_what_to_do(tmp_path, kind, first):
    write(tmp_path / "alone", LABELS[kind])
    write(tmp_path / "both", [RED] * 2 + LABELS[kind] if first else LABELS[kind] + [RED] * 2)
    assert questions(tmp_path / "both") == questions(tmp_path / "alone")
    note = told(tmp_path / "both")[1][-1]
    assert re.search(r"^2 files of 5 cannot be read, .*a label image in colour.*Write a number for each colour", note)
    assert note.endswith("Classes in colours.")


@pytest.mark.parametrize("value", [1, 128, 200, 255])
@pytest.mark.parametrize("empty", [0, 1, 3])
def test_masks_in_colour_beside_masks_are_masks_whatever_these_set(tmp_path, value, empty):
    write(tmp_path, [area()] * empty + [area(value)] * (3 - empty) + [RED] * 2)
    classes, notes, record = told(tmp_path)
    assert [each.values for each in classes.classes] == [None]
    assert record["folder"]["masks"] == {"LESION": "masks/{image}.png"}
    assert OPEN not in json.dumps(record)
    files = 5 if empty == 3 else 3
    said = [f"{empty} of {files} files looked at hold no class"] if empty else []
    said += ["In one colour or lossy, and read as masks like the others: 2 files of 5."] if empty < 3 else []
    assert [note[: len(each)] for note, each in zip(notes, said, strict=True)] == said
    for at in range(5):
        path = tmp_path / f"masks/e{at}.png"
        with open_values(path) as source:
            assert mask_cut(source, count_values(source, path=path), path=path) == 0


@pytest.mark.parametrize("colours", [["red"], ["labels"], ["labels", "red"], ["red", "labels"]])
def test_folders_of_patients_are_judged_together(tmp_path, colours):
    for patient, what in enumerate(colours * 2):
        write(tmp_path / f"p{patient}", [RED] * 3 if what == "red" else [area(1, 2)] * 3)
    values, _, ignored = questions(tmp_path)
    assert values == ([(1,), (2,)] if "labels" in colours else [None])
    assert ignored is None


def test_lossy_files_are_no_label_images(tmp_path):
    write(tmp_path, [area(1, 2)] * 3, name="masks/e{}.tif")
    for at in (0, 2):
        Image.fromarray(area(255)).save(tmp_path / f"masks/e{at}.tif", compression="jpeg")
    classes, notes, _ = told(tmp_path)
    assert [each.values for each in classes.classes] == [(1,), (2,)]
    assert re.search(r"^2 files of 3 cannot be read, .*a lossy file.*Export it anew as PNG or TIFF\.$", notes[0])


def test_no_sentence_ends_in_two_stops(tmp_path):
    several = coloured((255, 0, 0), (0, 255, 0))
    for at, kind in enumerate(([several, area(255)], [several, area(1, 2)], [RED, area(1, 2)], [several, several])):
        for name in ("masks/e{}.png", "images/e{}_mask.png"):
            root = tmp_path / f"{at}{name[0]}"
            write(root, kind * 2, name=name)
            notes = told(root)[1]
            assert notes
            assert not any(".." in note.replace(str(PROJECT), "") for note in notes)


def test_the_loop_of_the_manual_makes_a_label_image_that_is_recognised(tmp_path, monkeypatch):
    page = (PROJECT / "docs" / "own_data.md").read_text()
    code = page.partition("## Classes in colours")[2].partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    write(tmp_path, [coloured((255, 0, 0), (0, 255, 0))] * 3, name="colours/e{}.png")
    exec(compile(code, "own_data.md", "exec"), {})
    for path in sorted((tmp_path / "colours").iterdir()):
        path.unlink()
    classes, _, record = told(tmp_path)
    assert [each.values for each in classes.classes] == [(1,), (2,)]
    assert record["folder"]["label"] == "labels/{image}.png"
