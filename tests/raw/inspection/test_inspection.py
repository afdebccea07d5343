"""A folder that nobody described gets a manifest that lists each image with its truth, whatever the names look like."""

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.config.manifest import ManifestRecord, load_manifest
from pipeline.config.validation import OPEN, validate
from pipeline.errors import ManifestError
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.facts import fact_sheet
from pipeline.raw.inspection.classes import described
from pipeline.raw.inspection.fingerprint import Fingerprint, Lesions, fingerprint, lesions_of
from pipeline.raw.inspection.layout import inspected_layout, patient_pattern
from pipeline.raw.inspection.manifest import manifest_text
from pipeline.raw.inspection.settings import Machine, settings_text
from pipeline.raw.inspection.world import world_of
from pipeline.seeds import stream

SIDE = 48


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


PINK, RED, BLUE = (1.0, 0.55, 0.8), (1.0, 0.5, 0.3), (0.4, 0.5, 1.0)


def picture(seed, *, colour=PINK, dark=False):
    pixels = stream(seed, "test").integers(90, 250, (SIDE, SIDE, 1)) * np.array(colour)
    if dark:
        y, x = np.ogrid[:SIDE, :SIDE]
        pixels[(y - SIDE / 2) ** 2 + (x - SIDE / 2) ** 2 > (SIDE / 2.1) ** 2] = 0
    return pixels.astype(np.uint8)


def mask(value=255):
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[10:16, 20:30] = value
    return values


def inspected(root):
    """The layout, its classes, and the record of its manifest after open lines were answered."""
    layout = inspected_layout(root)
    classes = described(layout)
    found = fingerprint(root, layout.files, slides=False)
    text = manifest_text("mine", layout, found, root=root, classes=classes)
    tree = yaml.safe_load(text.replace(f'["{OPEN}"]', "[255]").replace(OPEN, "answered"))
    return layout, classes, validate(ManifestRecord, tree, source="text", error=ManifestError).datasets["mine"]


def listed(root, record):
    return list_images(record, dataset="mine", root=root)


@settings(deadline=None, max_examples=12)
@given(
    ids=st.lists(
        st.from_regex(r"[A-Za-z]{1,4}[0-9]{1,4}", fullmatch=True), min_size=3, max_size=5, unique_by=str.lower
    ),
    folders=st.sampled_from([("", ""), ("images", "masks"), ("a/b", "a/c"), ("Photos", "Ground Truth")]),
    words=st.sampled_from([("",), ("_mask",), ("_MA", "_EX"), ("-red", "-blue", "-green")]),
    suffix=st.sampled_from([".png", ".tif", ".bmp"]),
)
def test_every_image_is_listed_with_its_masks(ids, folders, words, suffix):
    if folders[0] == folders[1] and "" in words:
        words = ("_mask",)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for at, name in enumerate(ids):
            save(root / folders[0] / f"{name}{suffix}", picture(at))
            for word in words:
                save(root / folders[1] / f"{name}{word}{suffix}", mask())
        _, classes, record = inspected(root)
        entries = listed(root, record)
        assert sorted(each.image_id for each in entries) == sorted(ids)
        assert len(classes.classes) == len(words)
        for each in entries:
            assert [path.stem.removeprefix(each.image_id) for _, path in each.masks] == sorted(words)


def test_classes_in_folders_of_their_own(tmp_path):
    for name in ("e1", "e2", "e3"):
        save(tmp_path / "images" / f"{name}.png", picture(1))
        for code in ("MA", "HE"):
            save(tmp_path / "masks" / code / f"{name}.png", mask())
    _, _, record = inspected(tmp_path)
    assert record.codes == ("HE", "MA")
    assert record.task == "multilabel"
    assert all(len(each.masks) == 2 for each in listed(tmp_path, record))


def test_names_that_share_a_word_that_their_masks_replace(tmp_path):
    for at in range(4):
        save(tmp_path / "image" / f"image_{at}.png", picture(at))
        save(tmp_path / "mask" / f"mask_{at}.png", mask())
    _, _, record = inspected(tmp_path)
    assert [len(each.masks) for each in listed(tmp_path, record)] == [1] * 4


def test_folders_of_splits_keep_their_test_set(tmp_path):
    for split in ("training", "test"):
        for at in range(3):
            save(tmp_path / split / "images" / f"{split}{at}.png", picture(at))
            save(tmp_path / split / "labels" / f"{split}{at}.png", mask(1))
    _, _, record = inspected(tmp_path)
    assert {each.image_id: each.official_test for each in listed(tmp_path, record)} == {
        f"{split}{at}": split == "test" for split in ("training", "test") for at in range(3)
    }


@pytest.mark.parametrize(("pictures", "masks"), [("", "_mask"), ("/images", "_mask"), ("/images", "")])
def test_masks_beside_other_pictures_of_the_same_names_are_not_those_of_the_images(tmp_path, pictures, masks):
    for folder in (f"{patient}/visit{visit}" for patient in ("P1", "P2", "P3") for visit in (0, 1)):
        place = pictures.replace("images", "masks")
        save(tmp_path / f"{folder}{pictures}" / "left.png", picture(len(folder)))
        save(tmp_path / f"{folder}{place}" / f"left{masks}.png", mask())
    layout, classes, record = inspected(tmp_path)
    assert [each.code for each in classes.classes] == ["LESION"]
    for entry in listed(tmp_path, record):
        ((_, path),) = entry.masks
        assert path.relative_to(tmp_path).parts[:2] == entry.image.relative_to(tmp_path).parts[:2]
    assert any("3 files like" in note and "truth of these pictures" in note for note in layout.notes)


def test_masks_beside_pictures_of_themselves_are_those_of_the_images(tmp_path):
    for at in range(3):
        save(tmp_path / "images" / f"e{at}.png", picture(at))
        save(tmp_path / "MA" / f"e{at}_shown.png", picture(at + 9))
        save(tmp_path / "MA" / f"e{at}.png", mask())
        save(tmp_path / "EX" / f"e{at}.png", mask())
    _, classes, _ = inspected(tmp_path)
    assert {each.code for each in classes.classes} == {"MA", "EX"}


def test_maps_in_a_folder_of_masks_are_no_images(tmp_path):
    ramp = np.tile(np.arange(SIDE, dtype=np.uint8) * 5, (SIDE, 1))
    for at in range(3):
        save(tmp_path / "images" / f"e{at}.png", picture(at))
        save(tmp_path / "masks" / f"e{at}.png", ramp)
    layout = inspected_layout(tmp_path)
    assert (layout.images, len(layout.files), layout.truths) == ("images/{image}.png", 3, ())
    assert layout.notes == ("3 files like masks/e0.png: the folder is named as truth, the values are a picture's",)


def test_folders_of_patients_are_groups(tmp_path):
    for patient in ("P1", "P2", "P3"):
        for at in range(2):
            save(tmp_path / "images" / patient / f"s{at}.png", picture(at))
            save(tmp_path / "masks" / patient / f"s{at}.png", mask())
    layout, _, record = inspected(tmp_path)
    entries = listed(tmp_path, record)
    assert {each.group for each in entries} == {"P1", "P2", "P3"}
    assert all(each.masks for each in entries)
    assert layout.truths[0].images == 6


def test_what_a_value_means_is_asked_and_refused_until_it_is_answered(tmp_path):
    for at in range(3):
        save(tmp_path / f"a{at}.jpg", picture(at))
        values = np.maximum(mask(1), np.roll(mask(2), 20, axis=0))
        values[:1] = 255
        save(tmp_path / f"a{at}_label.png", values)
    layout = inspected_layout(tmp_path)
    classes = described(layout)
    found = fingerprint(tmp_path, layout.files, slides=False)
    text = manifest_text("mine", layout, found, root=tmp_path, classes=classes)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ManifestError, match=r"3 questions are not answered(.|\n)*classes\.0\.name \(line \d"):
        load_manifest(tmp_path / "mine.yaml")
    _, _, record = inspected(tmp_path)
    assert record.layout.labels == {"C1": (1,), "C2": (2,)}
    assert record.ignore == (255,)


def test_many_values_are_one_question_and_never_more_than_five(tmp_path):
    values = np.zeros((SIDE, SIDE), np.uint8)
    for value in range(1, 10):
        values[4 * value : 4 * value + 2, :9] = values[4 * value : 4 * value + 2, 20:29] = value
    for at in range(3):
        save(tmp_path / f"a{at}.jpg", picture(at))
        save(tmp_path / f"a{at}_label.png", values)
    layout = inspected_layout(tmp_path)
    found = fingerprint(tmp_path, layout.files, slides=False)
    text = manifest_text("mine", layout, found, root=tmp_path, classes=described(layout))
    assert len(described(layout).classes) == 9
    assert sum(OPEN in line.split(" # ")[0] for line in text.splitlines() if not line.startswith("#")) == 1


def test_numbered_objects_are_one_class(tmp_path):
    values = np.zeros((SIDE, SIDE), np.uint8)
    for value in range(1, 10):
        values[4 * value : 4 * value + 2, :9] = value
    for at in range(3):
        save(tmp_path / f"a{at}.bmp", picture(at))
        save(tmp_path / f"a{at}_anno.bmp", np.where(values <= 9 - at, values, 0).astype(np.uint8))
    _, classes, record = inspected(tmp_path)
    assert len(classes.classes) == 1
    assert record.task == "binary"
    assert {1, 9, 200} <= set(record.layout.labels["LESION"])


def test_values_that_every_file_has_are_classes_even_if_each_is_one_region(tmp_path):
    values = np.zeros((SIDE, SIDE), np.uint8)
    for value in range(1, 8):
        values[4 * value : 4 * value + 2, :9] = value
    for at in range(3):
        save(tmp_path / f"a{at}.bmp", picture(at))
        save(tmp_path / f"a{at}_anno.bmp", np.roll(values, at, axis=1))
    classes = described(inspected_layout(tmp_path)).classes
    assert [each.values for each in classes] == [(value,) for value in range(1, 8)]


def test_objects_that_touch_are_counted_by_their_numbers_and_classes_by_themselves(tmp_path):
    values = np.zeros((SIDE, SIDE), np.uint8)
    values[:4, :4], values[:4, 4:8], values[20:24, :4] = 1, 2, 1
    save(tmp_path / "a.png", values)
    assert lesions_of(tmp_path, ["a.png"], values=range(1, 255), numbered=True).count == 2
    assert [lesions_of(tmp_path, ["a.png"], values=[value]).count for value in (1, 2)] == [2, 1]


def test_polygons_name_their_classes(tmp_path):
    ring = [[1, 1], [9, 1], [9, 9], [1, 1]]
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [ring]},
            "properties": {"classification": {"name": name}},
        }
        for name in ("Tumor", "Tumor", "Stroma band")
    ]
    for at in range(2):
        save(tmp_path / f"a{at}.png", picture(at))
        (tmp_path / f"a{at}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    _, _, record = inspected(tmp_path)
    assert [each.name for each in record.classes] == ["Tumor", "Stroma band"]
    assert all(each.annotations for each in listed(tmp_path, record))


def test_pictures_without_truth_can_be_described_and_no_pictures_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(ManifestError, match="No images are found"):
        inspected_layout(tmp_path)
    save(tmp_path / "a.png", picture(1))
    _, _, record = inspected(tmp_path)
    assert [each.annotated for each in listed(tmp_path, record)] == [False]


def test_masks_with_noise_or_of_other_types_are_truth(tmp_path):
    noisy = np.clip(
        mask().astype(int)
        + stream(1, "test").integers(-9, 9, (SIDE, SIDE)) * (stream(2, "test").random((SIDE, SIDE)) < 0.05),
        0,
        255,
    )
    for at in range(3):
        save(tmp_path / "images" / f"a{at}.png", picture(at))
        save(tmp_path / "noisy" / f"a{at}_EX.png", noisy.astype(np.uint8))
        (tmp_path / "wide").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "wide" / f"a{at}_HE.tif", mask(1).astype(np.uint32))
    _, _, record = inspected(tmp_path)
    assert record.codes == ("EX", "HE")
    assert all(len(each.masks) == 2 for each in listed(tmp_path, record))


WORLDS = {
    "fundus": {"colour": RED, "dark": True},
    "histology": {"colour": PINK},
    "grey": {"colour": (1.0, 1.0, 1.0)},
    "grey disc": {"colour": (1.0, 1.0, 1.0), "dark": True},
    "skin": {"colour": RED},
    "fluorescence": {"colour": BLUE},
}


@pytest.mark.parametrize("world", WORLDS)
def test_the_world_is_told_by_disc_or_colour_and_asked_where_neither_tells(tmp_path, world):
    for at in range(3):
        save(tmp_path / f"{at}.png", picture(at, **WORLDS[world]))
    layout = inspected_layout(tmp_path)
    found = fingerprint(tmp_path, layout.files, slides=False)
    assert found.world == (world if world in ("fundus", "histology") else None)
    assert found.reason.startswith("3 of 3 pictures looked at are")
    text = manifest_text("mine", layout, found, root=tmp_path, classes=described(layout))
    assert (f'modality: "{OPEN}"   # QUESTION' in text) == (found.world is None)
    assert found.reason in text


def test_pictures_of_two_kinds_in_equal_parts_are_asked(tmp_path):
    for at in range(4):
        save(tmp_path / f"{at}.png", picture(at, **WORLDS["fundus" if at < 2 else "histology"]))
    found = fingerprint(tmp_path, inspected_layout(tmp_path).files, slides=False)
    assert found.world is None
    assert "2 of 4 pictures looked at are a lit red disc" in found.reason
    assert "2 of 4 pictures looked at are pink and purple" in found.reason


def test_real_images_and_phantoms_show_their_world(tmp_path, real_data):
    eyes, tissue = (real_data / each for each in ("idrid/A. Segmentation/1. Original Images/b. Testing Set", "he"))
    for root, world in ((eyes, "fundus"), (tissue, "histology")):
        assert world_of(root, sorted(each.name for each in root.iterdir()), slides=False)[0] == world


@pytest.mark.parametrize("place", ["images/{}.ome.zarr", "{}.zarr"])
def test_folders_of_ome_zarr_are_pictures_and_fit_their_masks(tmp_path, place):
    for at in range(3):
        pixels = np.moveaxis(picture(at), 2, 0)
        group = zarr.create_group(tmp_path / place.format(f"a{at}"))
        group.create_array("0", data=pixels, chunks=(1, SIDE, SIDE))
        axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
        save(tmp_path / "masks" / f"a{at}.png", mask())
    layout, _, record = inspected(tmp_path)
    assert layout.images == place.format("{image}")
    entries = listed(tmp_path, record)
    assert [each.image_id for each in entries] == ["a0", "a1", "a2"]
    assert [len(each.masks) for each in entries] == [1, 1, 1]


def test_pictures_of_ome_tiff_fit_masks_of_another_type(tmp_path):
    for at in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / "images" / f"a{at}.ome.tif", picture(at), photometric="rgb", metadata=None)
        save(tmp_path / "masks" / f"a{at}.png", mask())
    layout, _, record = inspected(tmp_path)
    assert layout.images == "images/{image}.ome.tif"
    assert [len(each.masks) for each in listed(tmp_path, record)] == [1] * 3


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ((0.25, 0.25, 0.25), "3 of 3 images looked at say 0.25 µm"),
        ((0.25, 0.5, None), "2 of 3 images looked at say 0.25 to 0.5 µm"),
        ((None, None, None), "no file looked at says how large a pixel is"),
    ],
)
def test_pixel_sizes_that_files_say_are_named_and_used(tmp_path, sizes, said):
    for at, size in enumerate(sizes):
        (tmp_path / "images").mkdir(exist_ok=True)
        tags = {"resolution": (1e4 / size, 1e4 / size), "resolutionunit": "CENTIMETER"} if size else {}
        tifffile.imwrite(tmp_path / "images" / f"a{at}.tif", picture(at), photometric="rgb", metadata=None, **tags)
        save(tmp_path / "masks" / f"a{at}.png", mask())
    layout, classes, record = inspected(tmp_path)
    found = fingerprint(tmp_path, layout.files, slides=False)
    (line,) = [
        each
        for each in manifest_text("mine", layout, found, root=tmp_path, classes=classes).splitlines()
        if "pixel_size_um" in each
    ]
    assert said in line
    assert record.pixel_size_um is None
    entry = listed(tmp_path, record)[0]
    assert fact_sheet(entry, record=record)["pixel_size_um"] == (pytest.approx(sizes[0]) if sizes[0] else None)


@pytest.mark.parametrize(("memory", "batch"), [(0, 4), (24 * 2**30, 4), (5 * 2**30, 2), (2**30, 1)])
def test_a_batch_needs_at_most_half_of_the_memory(memory, batch):
    found = Fingerprint(20, 0, 2848, 4288, (2848, 4288), 2848, "fundus", "")
    text = settings_text("mine", found, {}, manifest="m", machine=Machine(2, gpu=False, memory=memory), several=True)
    assert yaml.safe_load(text)["overrides"]["mine"]["model"]["models"]["unet"]["batch_size"] == batch
    assert ("over half of the memory" in text) == (batch < 4)


def own_store(path):
    zarr.create_group(path).attrs.update({"ome": {}, "provenance": {}})


def test_results_of_earlier_runs_and_predictions_are_no_data_and_are_named(tmp_path):
    for at in range(3):
        save(tmp_path / f"a{at}.png", picture(at))
        save(tmp_path / f"a{at}_mask.png", mask())
    alone = inspected_layout(tmp_path)
    for at in range(9):
        save(tmp_path / "results" / "mine" / "report" / "figures" / f"shot_{at}.png", picture(at))
        save(tmp_path / "results" / "experiments" / f"plot_{at}.png", picture(at))
        save(tmp_path / "out" / "eye" / f"look.{at}.png", picture(at))
    save(tmp_path / "notes" / "photo.png", picture(5))
    (tmp_path / "results" / "mine" / "raw").mkdir()
    (tmp_path / "results" / "mine" / "raw" / "images.parquet").write_bytes(b"")
    own_store(tmp_path / "out" / "eye" / "probability.unet.mean.zarr")
    own_store(tmp_path / "copied.zarr")
    layout = inspected_layout(tmp_path)
    assert (layout.images, layout.files, layout.truths) == (alone.images, alone.files, alone.truths)
    assert len(layout.notes) == 2
    assert "notes/photo.png" in layout.notes[0]
    assert all(name in layout.notes[1] for name in ("results of lesionmap", "copied.zarr", "out/eye"))
    with pytest.raises(ManifestError, match="only results of lesionmap"):
        inspected_layout(tmp_path / "results")


def test_there_are_never_more_than_five_questions(tmp_path):
    for count in range(1, 7):
        root = tmp_path / str(count)
        values = np.zeros((SIDE, SIDE), np.uint8)
        for value in range(1, count + 1):
            values[6 * value : 6 * value + 2, :9] = values[6 * value : 6 * value + 2, 20:29] = value
        values[0, : 9 * count] = 255
        for at in range(3):
            save(root / f"a{at}.jpg", picture(at, colour=BLUE))
            save(root / f"a{at}_label.png", values)
        layout = inspected_layout(root)
        found = fingerprint(root, layout.files, slides=False)
        text = manifest_text("mine", layout, found, root=root, classes=described(layout))
        questions = sum(OPEN in line.split(" # ")[0] for line in text.splitlines() if not line.startswith("#"))
        assert 2 <= questions <= 5


def test_lesions_are_measured_in_pixels_of_the_images(tmp_path):
    save(tmp_path / "a.png", mask())
    save(tmp_path / "b.png", np.zeros((SIDE, SIDE), np.uint8))
    found = lesions_of(tmp_path, ["a.png", "b.png"], values=None)
    assert (found.count, found.empty, found.files) == (1, 1, 2)
    assert found.median_px == pytest.approx(2 * np.sqrt(60 / np.pi))
    assert found.share == 60 / (2 * SIDE * SIDE)


@pytest.mark.parametrize("gpu", [False, True])
def test_rescaling_keeps_small_lesions_visible(gpu):
    large = Fingerprint(20, 0, 2848, 4288, (2848, 4288), 2848, "fundus", "")
    for lesion, factor in ((16.0, 0.5), (6.0, None)):
        each = Lesions(10, lesion, lesion, 0.01, 0, 3)
        text = settings_text("mine", large, {"MA": each}, manifest="m", machine=Machine(2, gpu), several=True)
        rescaling = yaml.safe_load(text)["overrides"]["mine"]["normalized"]["rescale"]
        assert rescaling == {"factor": None if gpu else factor}


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["TCGA-A1-A0SK-01", "TCGA-A1-A0SK-02", "TCGA-A2-A0EQ-01", "TCGA-A7-A0CE-01"], 3),
        (["a_OD", "a_OS", "b_OD", "c_OS"], 3),
        (["patient1_3", "patient1_4", "patient2_1", "patient10_9"], 3),
        (["IDRiD_01", "IDRiD_02", "IDRiD_03"], 0),
        (["x1", "x2"], 0),
    ],
)
def test_patients_are_found_in_names_only_where_names_tell(names, groups):
    found = patient_pattern(names)
    assert len({re.search(found[0], name)[1] for name in names} if found else ()) == groups
