"""Values of truth are judged by how much they hold: a few pixels of another value neither make a class nor hide one."""

import json

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline.config.validation import OPEN
from pipeline.errors import ImageRejected
from pipeline.raw.formats.reader import open_values
from pipeline.raw.inspection.classes import described
from pipeline.raw.inspection.contents import MOST_VALUES_SAMPLED, VALUES_SAMPLED
from pipeline.raw.inspection.fingerprint import fingerprint
from pipeline.raw.inspection.layout import inspected_layout
from pipeline.raw.inspection.manifest import manifest_text
from pipeline.raw.inspection.truth_notes import stray_note
from pipeline.raw.truth_values import check_labels, count_values, mask_cut
from pipeline.seeds import stream

SIDE = 96
AREA = (slice(16, 64), slice(8, 56))


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def area(value):
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[AREA] = value
    return values


def picture(seed):
    return (stream(seed, "test").integers(90, 250, (SIDE, SIDE, 1)) * np.array((1.0, 0.55, 0.8))).astype(np.uint8)


def write(root, truths):
    """Pictures with these truth files."""
    for at, values in enumerate(truths):
        save(root / "images" / f"e{at}.png", picture(at))
        save(root / "masks" / f"e{at}.png", values)


def told(root):
    """Classes, and the block of the manifest on files, with its text."""
    layout = inspected_layout(root)
    classes = described(layout)
    text = manifest_text("mine", layout, fingerprint(root, layout.files, slides=False), root=root, classes=classes)
    return classes, yaml.safe_load(text)["datasets"]["mine"], text


def with_few(values, other, count):
    values = values.copy()
    values[70, 10 : 10 + count] = other
    return values


@pytest.mark.parametrize(("other", "counts"), [(128, "counts as set"), (100, "counts as not set")])
def test_a_few_pixels_of_another_value_leave_a_mask_a_mask(tmp_path, other, counts):
    write(tmp_path, [with_few(area(255), other, 4 if at == 2 else 0) for at in range(6)])
    classes, record, text = told(tmp_path)
    assert [each.values for each in classes.classes] == [None]
    assert record["folder"]["masks"] == {"LESION": "masks/{image}.png"}
    assert OPEN not in json.dumps(record)
    assert f"{other} in 4 pixels of 1 file ({counts})" in text
    # What is said is what the reader of masks does.
    with open_values(tmp_path / "masks" / "e2.png") as source:
        cut = mask_cut(source, count_values(source, path=tmp_path), path=tmp_path)
    assert (other > cut) == (counts == "counts as set")


@pytest.mark.parametrize(("own", "other"), [(1, 2), (2, 1), (255, 1), (1, 255)])
def test_a_few_pixels_that_the_reader_of_masks_refuses_are_asked_and_the_class_is_kept(tmp_path, own, other):
    write(tmp_path, [with_few(area(own), other, 3 if at == 4 else 0) for at in range(6)])
    path = tmp_path / "masks" / "e4.png"
    with open_values(path) as source, pytest.raises(ImageRejected):
        mask_cut(source, count_values(source, path=path), path=path)
    _, record, text = told(tmp_path)
    assert record["folder"]["values"] == {"LESION": own}
    assert record["folder"]["ignore"] == [OPEN]
    assert f"QUESTION: what is {other}? Found: {other} in 3 pixels of 1 file" in text
    assert stray_text(tmp_path).endswith("so what the values mean is asked: masks/e4.png.")
    # The answer "a slip": that file is refused by name, the others are read.
    with open_values(path, labels=True) as source, pytest.raises(ImageRejected, match=f"not declare: {other}"):
        check_labels(count_values(source, path=path), declared=[own], path=path)


def stray_text(root):
    return stray_note(described(inspected_layout(root)).classes[0])


def test_several_stray_values_are_one_question(tmp_path):
    write(tmp_path, [with_few(with_few(area(1), 2, 2), 3, 1)] * 6)
    _, record, text = told(tmp_path)
    assert record["folder"]["ignore"] == [OPEN]
    assert "what is 2 and 3?" in text


def test_thin_rims_leave_a_mask_a_mask(tmp_path):
    fine = np.zeros((2 * SIDE, 2 * SIDE), np.uint8)
    cv2.circle(fine, (SIDE, SIDE), 51, 255, -1)
    write(tmp_path, [cv2.resize(fine, (SIDE, SIDE), interpolation=cv2.INTER_AREA)] * 6)
    assert len(np.unique(np.asarray(Image.open(tmp_path / "masks" / "e0.png")))) > 3
    _, record, text = told(tmp_path)
    assert record["folder"]["masks"] == {"LESION": "masks/{image}.png"}
    assert "thin rims of other values" in text


@pytest.mark.parametrize("place", [(slice(70, 80), slice(8, 18)), (slice(64, 66), slice(8, 56)), (70, slice(0, 90))])
def test_a_value_that_holds_a_part_is_a_class_of_its_own(tmp_path, place):
    """An area, a band along the other class, and a thin line that touches nothing."""
    values = area(255)
    values[place] = 128
    write(tmp_path, [values] * 6)
    _, record, _ = told(tmp_path)
    assert record["folder"]["values"] == {"C128": 128, "C255": 255}
    assert "ignore" not in record["folder"]
    assert [each["name"] for each in record["classes"]] == [OPEN, OPEN]


def test_255_is_asked_as_not_sure_where_it_holds_the_smaller_part_only(tmp_path):
    for name, rows in (("small", 4), ("large", 30)):
        values = area(1)
        values[AREA[0], 40:56] = 2
        values[66 : 66 + rows] = 255
        write(tmp_path / name, [values] * 3)
        _, record, text = told(tmp_path / name)
        assert (record["folder"].get("ignore") == [OPEN]) == (name == "small")
        assert ("C255" in record["folder"]["values"]) == (name == "large")
        assert 'mean "not sure"?' in text or 'If it means "not sure"' in text


def test_each_class_says_what_it_holds_and_in_how_many_files(tmp_path):
    truths = [area(1) for _ in range(4)]
    truths[3][70:80, 8:56] = 2
    write(tmp_path, truths)
    _, _, text = told(tmp_path)
    first, second = 4 * 48 * 48, 480
    assert f"Value 1 holds {100 * first / (first + second):.3g} % of what is not 0, in 4 of 4 files" in text
    assert f"Value 2 holds {100 * second / (first + second):.3g} % of what is not 0, in 1 of 4 files" in text


def test_a_value_in_one_of_many_files_is_seen(tmp_path):
    count = 5 * VALUES_SAMPLED
    assert count < MOST_VALUES_SAMPLED
    truths = [area(1)] * count
    truths[7] = with_few(area(1), 7, 5)
    write(tmp_path, truths)
    (truth,) = inspected_layout(tmp_path).truths
    assert truth.contents.judged.files == count
    assert {each.value: len(each.paths) for each in truth.contents.held} == {0: count, 1: count, 7: 1}


def test_values_of_patients_in_folders_of_their_own_are_counted_together(tmp_path):
    for patient in ("P1", "P2", "P3"):
        for at in range(2):
            save(tmp_path / "images" / patient / f"s{at}.png", picture(at))
            save(tmp_path / "masks" / patient / f"s{at}.png", with_few(area(255), 128, 2 if patient == "P2" else 0))
    (truth,) = inspected_layout(tmp_path).truths
    assert {each.value: (each.pixels, len(each.paths)) for each in truth.contents.held if each.value} == {
        128: (4, 2),
        255: (6 * 48 * 48, 6),
    }
    assert truth.strays.are_cut


def test_beside_another_class_a_refused_stray_neither_hides_its_class_nor_is_silent(tmp_path):
    write(tmp_path, [area(255)] * 6)
    (tmp_path / "masks").rename(tmp_path / "EX")
    write(tmp_path, [with_few(area(255), 1, 1 if at == 3 else 0) for at in range(6)])
    (tmp_path / "masks").rename(tmp_path / "HE")
    classes, record, text = told(tmp_path)
    assert record["folder"]["masks"] == {"EX": "EX/{image}.png", "HE": "HE/{image}.png"}
    assert "Refused because of them until they are mended, and their images left out: HE/e3.png." in text
    assert [stray_note(each) != "" for each in classes.classes] == [False, True]


def test_label_images_and_polygons_beside_masks_are_said_not_to_be_used(tmp_path):
    write(tmp_path, [area(255)] * 3)
    (tmp_path / "masks").rename(tmp_path / "EX")
    labels = area(1)
    labels[70:80] = 2
    write(tmp_path, [labels] * 3)
    for at in range(3):
        (tmp_path / "polygons").mkdir(exist_ok=True)
        (tmp_path / "polygons" / f"e{at}.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    _, record, text = told(tmp_path)
    assert record["folder"]["masks"] == {"EX": "EX/{image}.png"}
    assert "# Not used: label images like masks/{image}.png with the values 0, 1, 2" in text
    assert "# Not used: polygons like polygons/{image}.geojson, for 3 images" in text


@pytest.mark.parametrize(("counts", "values"), [((300, 290), "1-65535"), ((9, 300), "1-65535"), ((40, 35), "1-254")])
def test_numbers_of_many_objects_are_one_class_up_to_the_largest(tmp_path, counts, values):
    for at, count in enumerate(counts):
        numbers = np.zeros((SIDE, SIDE), np.uint16)
        for number in range(1, count + 1):
            y, x = divmod(number - 1, 19)
            numbers[5 * y + 1 : 5 * y + 4, 5 * x + 1 : 5 * x + 4] = number
        save(tmp_path / "images" / f"e{at}.png", picture(at))
        save(tmp_path / "masks" / f"e{at}.png", numbers)
    classes, record, text = told(tmp_path)
    assert record["folder"]["values"] == {"LESION": values}
    assert OPEN not in json.dumps(record)
    assert len(max(text.splitlines(), key=len)) < 400
    for at in range(2):
        path = tmp_path / "masks" / f"e{at}.png"
        with open_values(path, labels=True) as source:
            check_labels(count_values(source, path=path), declared=classes.classes[0].values, path=path)
