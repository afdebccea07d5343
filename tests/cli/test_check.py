"""The command says what a run will do, and one sentence about what is wrong."""

import json
import os
import re

import imagecodecs
import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from pipeline.cli import main
from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.changed_files import ImageInputs
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.facts import write_fact_sheet
from pipeline.runtime.input_records import record_reading
from pipeline.seeds import stream
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

FEW = {"samplings": {"guided": {"patch": 32, "total": 12, "jitter": 4, "background_share": 0.0}}}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / f"{name}.jpg")
        mask = np.zeros((40, 60), np.uint8)
        mask[10:14, 20:26] = 255
        Image.fromarray(mask).save(tmp_path / f"{name}_EX.png")
    record = {
        "title": "Mine",
        "adaptor": "folder",
        "root": ".",
        "modality": "fundus",
        "task": "binary",
        "classes": [{"code": "EX", "name": "Exudates"}],
        "folder": {"images": "{image}.jpg", "masks": {"EX": "{image}_EX.png"}},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"mine": record}}))
    # The shipped overrides name the shipped data sets, which this manifest does not hold.
    (tmp_path / "run.yaml").write_text(yaml.safe_dump({"manifest": "mine.yaml", "datasets": ["mine"], "index": FEW}))
    return tmp_path


def check(*arguments):
    return main(["check", "--configfile", "run.yaml", *arguments])


def test_check_says_what_is_there_and_what_it_needs(folder, capsys):
    assert check() == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ["3 with truth to split", "60×40", "unet", "gaussian", "GB", "fit: "])
    assert all(word in text for word in ["time", "processor", "disk", "about", "training images"])


def test_pages_in_deep_zoom_are_said_with_their_files_and_bytes(folder, capsys):
    assert check("--config", "report={zoom: all}") == 0
    assert re.search(r"deep zoom\W+3 pages, at most 21 files, about \d+ kB", capsys.readouterr().out)


def test_where_no_data_set_can_be_described_no_size_is_said(folder, capsys):
    for path in folder.glob("*.jpg"):
        path.unlink()
    assert check() == 1
    said = capsys.readouterr()
    assert "Results go to" not in said.out
    assert said.err


def test_check_warns_where_the_disk_has_too_little_room(folder, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.cli.check.free_bytes", lambda folder: 1000)
    assert check() == 0
    assert "free there. To do:" in capsys.readouterr().out


def test_check_says_in_how_many_annotated_images_a_class_is_unknown(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"] |= {"task": "multilabel", "missing_mask": "unknown"}
    tree["datasets"]["mine"]["classes"].append({"code": "OD", "name": "Disc"})
    tree["datasets"]["mine"]["folder"]["masks"]["OD"] = "{image}_OD.png"
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(folder / "a_OD.png")
    assert check() == 0
    text = capsys.readouterr().out
    assert "3 with truth to split" in text
    assert "1; unknown in 2 annotated images" in text


def test_check_finds_masks_of_another_size_without_decoding(folder, capsys):
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(folder / "b_EX.png")
    assert check() == 1
    text = capsys.readouterr().out
    assert all(word in text for word in ["mine/b", "6×4", "60×40", "1 image would be left out"])


def test_check_looks_at_the_values_of_a_few_truths_and_says_which(folder, capsys):
    mask = np.zeros((40, 60), np.uint8)
    mask[5:15, 5:15], mask[20:30, 20:30] = 128, 255
    for name in ("d", "e", "f", "g"):
        Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(folder / f"{name}.jpg")
        Image.fromarray(np.zeros((40, 60), np.uint8)).save(folder / f"{name}_EX.png")
    assert check() == 0
    assert "truth and bits looked at in 5 of 7 images: a, b, d, e, g" in capsys.readouterr().out
    Image.fromarray(mask).save(folder / "g_EX.png")
    assert check() == 1
    text = capsys.readouterr().out
    assert all(word in text for word in ["mine/g", "two-valued", "128 (4.17 %)", "1 image would be left out"])


@pytest.mark.parametrize("stored", [(0, 128, 255), (0, 1, 3)])
def test_check_finds_labels_that_the_manifest_does_not_declare(folder, capsys, stored):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    layout = {"images": "{image}.jpg", "label": "{image}_EX.png", "values": {"EX": 1}}
    tree["datasets"]["mine"]["folder"] = layout
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    for name in ("a", "b", "c"):
        Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(folder / f"{name}_EX.png")
    assert check() == 0
    labels = np.asarray(stored, np.uint8).repeat(800).reshape(40, 60)
    Image.fromarray(labels).save(folder / "b_EX.png")
    capsys.readouterr()
    assert check() == 1
    text = capsys.readouterr().out
    assert all(
        word in text
        for word in ["mine/b", f"not declare: {', '.join(map(str, sorted({*stored} - {0, 1})))}.", "33.3 %"]
    )


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ({"type": "Polygon", "coordinates": [[[1, 1], [9, 1], [9, 9], [1, 1]]]}, []),
        ({"type": "Polygon", "coordinates": [[[101, 1], [109, 1], [109, 9], [101, 1]]]}, ["outside"]),
        ({"type": "Polygon", "coordinates": [[[1, 1], [1e300, 1], [9, 9], [1, 1]]]}, ["mine/b"]),
        ({"type": "Polygon", "coordinates": None}, ["mine/b"]),
    ],
)
def test_check_looks_at_the_polygons_of_a_few_images(folder, capsys, drawn, words):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"]["folder"] = {"images": "{image}.jpg", "annotations": "{image}.geojson"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    square = {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], [9, 9], [1, 1]]]}
    for name in ("a", "b", "c"):
        feature = {"type": "Feature", "properties": {"classification": {"name": "Exudates"}}}
        feature["geometry"] = drawn if name == "b" else square
        (folder / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert check() == bool(words)
    text = capsys.readouterr().out
    assert all(word in text for word in words), text


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize(("shift", "words"), [(0, []), (4, ["mine/b", "significant_bits in the manifest: 12"])])
def test_check_finds_16_bit_pictures_of_few_bits(folder, capsys, suffix, shift, words):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"]["folder"]["images"] = "{image}." + suffix
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    full = np.arange(40 * 60 * 3, dtype=np.uint16).reshape(40, 60, 3) * 9
    for name in ("a", "b", "c"):
        pixels = full >> (shift if name == "b" else 0)
        if suffix == "png":
            (folder / f"{name}.png").write_bytes(imagecodecs.png_encode(pixels))
        else:
            tifffile.imwrite(folder / f"{name}.tif", pixels, photometric="rgb")
    assert check() == bool(words)
    text = capsys.readouterr().out
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a,test\nb,train\n", []),
        ("a,test\nx,train\n", ["unknown image x", "Correct these rows"]),
        ("a,test\n7,train\n", ["to do:    Restore the leading zeros", "'7' looks like '007'"]),
        ("a,tets\n", ["a: 'tets'", "train, validation, test, predict"]),
        ("a,train\nb,test\nc,train\n", ["Patient P would lie in two splits", "train: a", "test: b"]),
        ("d,train\n", ["d: train, but nobody annotated it"]),
    ],
)
def test_check_refuses_the_splits_that_the_run_refuses(folder, capsys, rows, words):
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(folder / "d.jpg")
    for end in (".jpg", "_EX.png"):
        (folder / f"c{end}").rename(folder / f"007{end}")
    (folder / "groups.csv").write_text("image_id,group\na,P\nb,P\n007,Q\n")
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    if "P would" in "".join(words):
        tree["datasets"]["mine"]["group"] = {"csv": "groups.csv"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    (folder / "splits.csv").write_text(f"image_id,split\n{rows}".replace("c,", "007,"))
    arguments = {"manifest": str(folder / "mine.yaml"), "datasets": ["mine"], "raw": {"splits_csv": "splits.csv"}}
    (folder / "run.yaml").write_text(yaml.safe_dump(arguments))
    assert check() == bool(words)
    text = capsys.readouterr().err
    assert all(word in text for word in words), text


def test_check_refuses_a_centre_that_no_image_is_from(folder, capsys):
    assert check("--config", "raw={holdout_centre: Ulm}") == 1
    assert "No image is from the centre" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "seedd=1"], ["seedd", "'seed'"]),
        (["--config", "seed"], ["key=value"]),
        (["--config", "manifest=none.yaml"], ["none.yaml"]),
        (["--config", 'roots={"mine": "nowhere"}'], ["mine", "nowhere", "roots="]),
    ],
)
def test_check_explains_what_is_wrong(folder, capsys, arguments, words):
    assert check(*arguments) == 1
    text = capsys.readouterr().err
    assert all(word in text for word in words), text


def test_the_version_is_the_one_of_the_distribution(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("lesionmap ")


def test_check_warns_of_a_class_without_a_pixel_and_refuses_what_nothing_can_be_drawn_from(folder, capsys):
    for name in ("a", "b", "c"):
        Image.fromarray(np.zeros((40, 60), np.uint8)).save(folder / f"{name}_EX.png")
    assert check() == 1
    said = capsys.readouterr()
    assert "mine: warning: EX: no pixel in 3 images" in said.out
    assert "2 warnings: " in said.out  # no image tests, too
    assert "mine, sampling guided: There is no lesion to draw patches for." in said.err
    mask = np.zeros((40, 60), np.uint8)
    mask[5:9, 5:9] = 255
    Image.fromarray(mask).save(folder / "a_EX.png")
    assert check() == 0
    assert "no pixel" not in capsys.readouterr().out


def test_check_warns_of_what_polygon_files_hold_beside_areas(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"]["folder"] = {"images": "{image}.jpg", "annotations": "{image}.geojson"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    square = {"type": "Polygon", "coordinates": [[[5, 5], [9, 5], [9, 9], [5, 9], [5, 5]]]}
    point = {"type": "Point", "coordinates": [3, 3]}
    features = [
        {"type": "Feature", "geometry": geometry, "properties": {"classification": {"name": "Exudates"}}}
        for geometry in (square, point)
    ]
    for name in "abc":
        held = features if name == "b" else features[:1]
        (folder / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": held}))
    assert check() == 0
    assert "no area, passed over: 1 geometry (Point); images: 1 (b)" in capsys.readouterr().out


def read_all(folder):
    """Fact sheets and records, as the jobs of a run write them."""
    record = yaml.safe_load((folder / "mine.yaml").read_text())["datasets"]["mine"]
    record = DatasetRecord.model_validate(record)
    for entry in list_images(record, dataset="mine", root=folder):
        sheet = folder / "results" / "mine" / "raw" / f"{entry.image_id}.json"
        states = write_fact_sheet(entry, job=Job(record, Provenance("raw", {}, "0")), output=sheet)
        inputs = ImageInputs(entry, results=folder / "results", dataset="mine")
        record_reading(states, inputs.record, said=inputs.reading())


def test_a_deep_check_finds_what_size_and_date_do_not_show_and_names_it(folder, capsys):
    assert check("--deep") == 0
    assert "contents of 0 of 3 images" in capsys.readouterr().out
    read_all(folder)
    assert check("--deep") == 0
    assert "contents of 3 of 3 images" in capsys.readouterr().out
    image, other = folder / "b.jpg", folder / "c.jpg"
    found, content = image.stat(), bytearray(image.read_bytes())
    content[-3] ^= 1
    image.write_bytes(content)
    other.write_bytes(content)
    os.utime(image, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert check() == 0
    capsys.readouterr()
    assert check("--deep") == 1
    text = capsys.readouterr().out
    assert "recorded size and date: " in text
    assert str(image.name) in text
    assert all(
        words in text for words in ["1 file changed unseen", "Touch", "something else is in 1 file", "reads them again"]
    )
    assert "Manifest, configuration and data fit." not in text
    image.touch()
    assert check("--deep") == 0
    assert "something else is in 2 files" in capsys.readouterr().out


def test_an_error_in_one_data_set_does_not_end_the_check_of_the_others(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"] = {"gone": tree["datasets"]["mine"] | {"root": "nowhere"}, **tree["datasets"]}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    assert check("--config", "datasets=[gone, mine]") == 1
    said = capsys.readouterr()
    assert "3 with truth to split" in said.out
    assert "nowhere" in said.err
    assert "fit" not in said.out


@pytest.mark.parametrize(
    "given",
    [
        "raw={splits_csv: none.csv}",
        "model={models: {unet: {encoder_weights: none.pth}}}",
        "index={samplings: {guided: {hard_negatives: {table: none.parquet}}}}",
    ],
)
def test_a_file_that_the_configuration_names_and_that_is_missing_is_refused(folder, capsys, given):
    assert check("--config", given) == 1
    assert "A file that the configuration names is missing." in capsys.readouterr().err


def test_one_patient_alone_is_said_to_leave_nothing_to_validate(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"]["group"] = {"csv": "patients.csv"}
    (folder / "patients.csv").write_text("image_id,group\na,p\nb,p\nc,p\n")
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    assert check() == 0
    assert "no image validates" in capsys.readouterr().out


def configured(folder, **changes):
    tree = yaml.safe_load((folder / "run.yaml").read_text())
    (folder / "run.yaml").write_text(yaml.safe_dump(tree | changes))


def test_more_folds_than_patients_are_refused(folder, capsys):
    configured(folder, raw={"folds": 5}, model={"models": {"unet": {"fold": 4}}})
    assert check() == 1
    assert "5 folds, 3 patients" in capsys.readouterr().err
    configured(folder, raw={"folds": 3}, model={"models": {"unet": {"fold": 2}}})
    assert check() == 0


def test_splits_without_a_training_image_are_refused(folder, capsys):
    (folder / "splits.csv").write_text("image_id,split\n" + "".join(f"{name},test\n" for name in "abc"))
    configured(folder, raw={"splits_csv": "splits.csv"})
    assert check() == 1
    assert "No image trains." in capsys.readouterr().err


def test_one_patient_alone_is_warned_of_for_nothing_validates(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"]["group"] = {"csv": "groups.csv"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    (folder / "groups.csv").write_text("image_id,group\na,p\nb,p\nc,p\n")
    assert check() == 0
    assert "no image validates" in capsys.readouterr().out


def test_expected_patches_are_said_and_less_than_half_is_a_warning_with_its_reason(folder, capsys):
    few = {"strategy": "balanced", "patch": 32, "total": 60, "negatives": "anywhere", "least_roi": 0.0}
    configured(
        folder,
        index={"samplings": {"guided": None, "few": few | {"ratio": [1, 0], "positive_distance": 16, "soft": True}}},
        model={"models": {"unet": {"sampling": "few"}}},
    )
    assert check() == 0
    text = capsys.readouterr().out
    assert "sampling few: " in text
    assert "of 60 patches, drawn from the truth of all 2 training images" in text
    assert "warning: sampling few" in text
    assert "To do: Ask for fewer, or make room" in text


def test_deep_looks_at_all_truth_where_a_few_are_looked_at_else(folder, capsys):
    for at in range(12):
        for suffix in (".jpg", "_EX.png"):
            (folder / f"d{at:02}{suffix}").write_bytes((folder / f"a{suffix}").read_bytes())
    grey = np.linspace(0, 255, 2400).reshape(40, 60).astype(np.uint8)  # no mask
    Image.fromarray(grey).save(folder / "d10_EX.png")
    assert check() == 0
    text = capsys.readouterr().out
    assert "looked at in 5 of 15 images" in text
    assert "the truth of a sample of 5 of 15 images, which was decoded. --deep decodes all" in text
    assert check("--deep") == 1
    text = capsys.readouterr().out
    assert "looked at in 15 of 15 images" in text
    assert "would be left out: mine/d10" in text


def test_images_that_test_are_missed_before_a_run_as_after_it(folder, capsys):
    assert check() == 0
    assert "mine: warning: no image tests: all figures are of images" in capsys.readouterr().out
    (folder / "splits.csv").write_text("image_id,split\na,train\nb,validation\nc,test\n")
    configured(folder, raw={"splits_csv": "splits.csv"})
    assert check() == 0
    assert "warning" not in capsys.readouterr().out


def test_classes_of_which_no_pixel_is_seen_are_named_beside_the_patches(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    record = tree["datasets"]["mine"]
    record["task"] = "multilabel"
    record["classes"].append({"code": "SE", "name": "Soft exudates"})
    record["folder"]["masks"]["SE"] = "{image}_SE.png"
    record["missing_mask"] = "negative"
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(folder / "a_SE.png")
    assert check() == 0
    text = capsys.readouterr().out
    assert "12 of 12 patches, drawn from the truth of all 2 training images; no pixel of SE was seen there" in text
    assert "no model learns it" in text
    for at in range(12):
        for suffix in (".jpg", "_EX.png"):
            (folder / f"d{at:02}{suffix}").write_bytes((folder / f"a{suffix}").read_bytes())
    assert check() == 0
    text = capsys.readouterr().out
    assert "estimated from 5 of" in text
    assert "if the other training images have none of it" in text


def test_a_class_that_no_validation_image_holds_is_said_where_all_truth_is_known(folder, capsys):
    (folder / "splits.csv").write_text("image_id,split\na,train\nb,validation\nc,test\n")
    configured(folder, raw={"splits_csv": "splits.csv"})
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(folder / "b_EX.png")
    assert check() == 0
    said = (
        "mine: warning: EX: no truth in any validation image: its threshold is not fitted and only test images judge it"
    )
    assert said in capsys.readouterr().out
    configured(folder, raw={"splits_csv": "splits.csv", "folds": 2}, model={"folds": 2})
    assert check() == 0
    assert "no truth in any validation image" not in capsys.readouterr().out
    configured(folder, raw={}, model={})
    for at in range(12):
        for suffix in (".jpg", "_EX.png"):
            (folder / f"d{at:02}{suffix}").write_bytes((folder / f"a{suffix}").read_bytes())
    (folder / "splits.csv").write_text(
        "image_id,split\nb,validation\n" + "".join(f"d{at:02},train\n" for at in range(12))
    )
    configured(folder, raw={"splits_csv": "splits.csv", "validation_share": 0.0}, model={})
    assert check() == 0
    assert "no truth in any validation image" not in capsys.readouterr().out, "a sample shows no absence"
    assert check("--deep") == 0
    assert "no truth in any validation image" in capsys.readouterr().out


def test_deep_decodes_all_images_and_finds_one_that_is_cut_off(folder, capsys):
    noise = stream(0, "cut").integers(0, 256, (300, 300, 3)).astype(np.uint8)
    Image.fromarray(noise).save(folder / "cut.jpg")
    whole = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    assert check() == 0
    assert "left out" not in capsys.readouterr().out
    assert check("--deep") == 1
    assert "would be left out: mine/cut" in capsys.readouterr().out


def test_polygons_of_no_class_of_the_manifest_leave_their_image_out(folder, capsys):
    tree = yaml.safe_load((folder / "mine.yaml").read_text())
    tree["datasets"]["mine"]["folder"] = {"images": "{image}.jpg", "annotations": "{image}.geojson"}
    (folder / "mine.yaml").write_text(yaml.safe_dump(tree))
    ring = [[1, 1], [9, 1], [9, 9], [1, 1]]
    for name, said in (("a", "Exudates"), ("b", "Exudates"), ("c", "Tumour")):
        feature = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
        feature["properties"] = {"objectType": "annotation", "classification": {"name": said}}
        (folder / f"{name}.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert check() == 1
    text = capsys.readouterr().out
    assert "would be left out: mine/c" in text
    assert "Tumour" in text


def test_check_counts_the_arms_of_experiments(folder, capsys):
    study = {"dataset": "mine", "networks": ["unet", "fpn"], "fusions": ["none", "max", "gaussian"]}
    run = yaml.safe_load((folder / "run.yaml").read_text())
    (folder / "run.yaml").write_text(yaml.safe_dump({**run, "experiments": {"study": study}}))
    assert check() == 0
    assert "study (6 arms)" in capsys.readouterr().out
