"""The command writes files that `check` takes, asks before it writes over anything, and never touches the data."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.seeds import stream


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "my data"
    random = stream(0, "test")
    for at in range(6):
        data.mkdir(exist_ok=True)
        grey = random.integers(80, 255, (160, 200, 1))
        Image.fromarray((grey * [1.0, 0.5, 0.8]).astype(np.uint8)).save(data / f"s{at}.png")  # pink
        mask = np.zeros((160, 200), np.uint8)
        mask[20:40, 30:60] = 255
        Image.fromarray(mask).save(data / f"s{at}_mask.png")
    return data


def state(folder):
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(folder.iterdir())}


def test_what_init_writes_check_accepts(folder, capsys):
    before = state(folder)
    assert main(["init", str(folder)]) == 0
    assert sorted(os.listdir()) == ["my data", "my_data.manifest.yaml", "my_data.yaml"]
    said = capsys.readouterr().out
    assert "lesionmap check --configfile my_data.yaml" in said
    assert "no patient is known, so each image counts as one" in said
    assert main(["check", "--configfile", "my_data.yaml"]) == 0
    text = capsys.readouterr().out
    assert "6 with truth to split" in text
    assert "balanced" in text
    assert state(folder) == before


def test_init_writes_over_nothing_unasked(folder, capsys):
    assert main(["init", str(folder)]) == 0
    assert main(["init", str(folder)]) == 1
    assert "The file exists." in capsys.readouterr().err
    assert main(["init", str(folder), "--force"]) == 0
    assert main(["init", str(folder), "--name", "other"]) == 0


def test_what_init_asks_can_be_answered_and_then_only_its_own_sampling_is_drawn(folder, capsys):
    """With several classes the patches are guided and the loss is one for them, whatever the recipe of the modality has."""
    for path in folder.glob("*_mask.png"):
        values = np.zeros((160, 200), np.uint8)
        values[10:20, 10:20], values[50:60, 50:60] = 1, 2
        Image.fromarray(values).save(path)
    assert main(["init", str(folder)]) == 0
    manifest = folder.parent / "my_data.manifest.yaml"
    text = manifest.read_text()
    for name in ("First", "Second"):
        text = text.replace('name: "???"', f"name: {name}", 1)
    manifest.write_text(text)
    capsys.readouterr()
    code = main(["check", "--configfile", "my_data.yaml"])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "sampling guided" in said.out
    assert "balanced" not in said.out


@pytest.mark.parametrize(
    "broken", [("s0.png",), ("s5.png", "s2.png"), ("s0_mask.png",), ("s5_mask.png", "s0.png")], ids=str
)
def test_a_broken_file_ends_and_falsifies_nothing(folder, capsys, broken):
    """The others say what lies there; `check` names the broken one."""
    for name in broken:
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
    assert main(["init", str(folder)]) == 0
    assert "my_data.yaml (parameters)" in capsys.readouterr().out
    assert main(["check", "--configfile", "my_data.yaml"]) == 1
    assert f"{len({name[:2] for name in broken})} image" in capsys.readouterr().out


def test_images_without_truth_are_said_to_train_nothing(folder, capsys):
    for path in folder.glob("*_mask.png"):
        path.unlink()
    assert main(["init", str(folder)]) == 0
    main(["check", "--configfile", "my_data.yaml"])
    assert "no image has truth, so nothing can be trained" in capsys.readouterr().out


def test_an_open_question_is_said_and_refused_by_check(folder, capsys):
    for path in folder.glob("*_mask.png"):
        values = np.zeros((160, 200), np.uint8)
        values[10:20, 10:20], values[50:60, 50:60], values[90:99, 10:20] = 1, 2, 2
        Image.fromarray(values).save(path)
    assert main(["init", str(folder)]) == 0
    assert "2 open lines" in capsys.readouterr().out
    assert main(["check", "--configfile", "my_data.yaml"]) == 1
    refused = capsys.readouterr().err
    assert "2 questions are not answered." in refused
    lines = (folder.parent / "my_data.manifest.yaml").read_text().splitlines()
    found = re.findall(r"classes\.\d\.name \(line (\d+)\)", refused)
    assert [lines[int(number) - 1].count('name: "???"') for number in found] == [1, 1]


@pytest.mark.parametrize("answer", ["negative", "unknown"])
def test_what_a_missing_mask_means_is_asked_with_counts_where_one_is_missing(folder, capsys, answer):
    for path in sorted(folder.glob("*_mask.png")):
        mask = Image.open(path)
        mask.save(path.with_name(path.name.replace("mask", "HE")))
        if path.name < "s4":
            mask.save(path.with_name(path.name.replace("mask", "EX")))
        path.unlink()
    assert main(["init", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "for 4 of 6 images" in said
    assert "1 open line" in said
    manifest = folder.parent / "my_data.manifest.yaml"
    text = manifest.read_text()
    (line,) = [each for each in text.splitlines() if each.strip().startswith("missing_mask:")]
    assert "2 images have masks of some classes only (of 6 images: EX in 4, HE in 6)" in line
    assert "reviewed" not in text
    assert main(["check", "--configfile", "my_data.yaml"]) == 1
    number = text.splitlines().index(line) + 1
    assert f"datasets.my_data.missing_mask (line {number})" in capsys.readouterr().err
    manifest.write_text(text.replace('"???"', answer))
    assert main(["check", "--configfile", "my_data.yaml"]) == 0


@pytest.mark.parametrize(("answer", "trained"), [("negative", 6), ("null", 4)])
def test_what_an_image_without_any_mask_means_is_asked_with_counts(folder, capsys, answer, trained):
    for name in ("s1", "s4"):
        (folder / f"{name}_mask.png").unlink()
    assert main(["init", str(folder)]) == 0
    manifest = folder.parent / "my_data.manifest.yaml"
    text = manifest.read_text()
    assert "QUESTION: 2 of 6 images without any file of truth" in text
    assert "missing_mask:" not in text
    assert main(["check", "--configfile", "my_data.yaml"]) == 1
    assert "folder.reviewed (line" in capsys.readouterr().err
    manifest.write_text(text.replace('"???"', answer))
    main(["check", "--configfile", "my_data.yaml"])
    assert f"{trained} with truth to split" in capsys.readouterr().out


def test_an_image_without_its_label_image_is_said_in_a_comment(folder):
    """It is only predicted, as `check` says; the questions go to what values mean."""
    for path in folder.glob("*_mask.png"):
        values = np.zeros((160, 200), np.uint8)
        values[10:20, 10:20], values[50:60, 50:60] = 1, 2
        Image.fromarray(values).save(path)
    (folder / "s1_mask.png").unlink()
    assert main(["init", str(folder)]) == 0
    text = (folder.parent / "my_data.manifest.yaml").read_text()
    assert "# reviewed: negative   # 1 of 6 images without any file of truth, only predicted" in text


def test_of_masks_that_every_image_has_nothing_is_asked(folder, capsys):
    assert main(["init", str(folder)]) == 0
    assert "???) that" not in capsys.readouterr().out
    assert "missing_mask:" not in (folder.parent / "my_data.manifest.yaml").read_text()


@pytest.mark.parametrize(("own", "other"), [(255, 128), (1, 2)])
def test_a_few_stray_pixels_are_said_and_the_class_stays_the_class(folder, capsys, own, other):
    """`check` takes them as they are said to be taken, or refuses the file until what they mean is answered."""
    for at in range(6):
        values = np.zeros((160, 200), np.uint8)
        values[20:60, 30:90] = own
        values[60, 40:42] = other if at == 2 else own
        Image.fromarray(values).save(folder / f"s{at}_mask.png")
    assert main(["init", str(folder)]) == 0
    said = capsys.readouterr().out
    assert f"beside {own} there are few pixels of other values: {other} in 2 pixels of 1 file" in said
    asked = "1 open line" in said
    assert asked == (own == 1)
    code = main(["check", "--configfile", "my_data.yaml"])
    refused = capsys.readouterr().err
    assert (code, "A question is not answered." in refused) == ((1, True) if asked else (0, False)), refused
    manifest = folder.parent / "my_data.manifest.yaml"
    manifest.write_text(manifest.read_text().replace('["???"]', f"[{other}]"))
    assert main(["check", "--configfile", "my_data.yaml", "--deep"]) == 0


def test_lesions_of_each_class_of_a_label_image_are_counted_by_themselves(folder):
    for path in folder.glob("*_mask.png"):
        values = np.zeros((160, 200), np.uint8)
        values[10:30, 10:30] = 1
        # Beside one another, so that together they would be one component.
        values[10:14, 30:34] = values[20:24, 30:34] = 2
        Image.fromarray(values).save(path)
    assert main(["init", str(folder)]) == 0
    text = (folder.parent / "my_data.yaml").read_text()
    assert "C1: 5 in 5 of 5 files, a quarter below 23 px across" in text
    assert "C2: 10 in 5 of 5 files, a quarter below 5 px across" in text


@pytest.mark.parametrize("answer", ["fundus", "histology"])
def test_of_pictures_of_another_kind_the_modality_is_asked(folder, capsys, answer):
    for path in folder.glob("s?.png"):
        blue = np.asarray(Image.open(path))[..., ::-1] * [0.4, 1.0, 1.0]
        Image.fromarray(blue.astype(np.uint8)).save(path)
    assert main(["init", str(folder)]) == 0
    assert "modality unknown" in capsys.readouterr().out
    assert main(["check", "--configfile", "my_data.yaml"]) == 1
    assert re.search(r"A question is not answered.*modality", capsys.readouterr().err, re.DOTALL)
    manifest = folder.parent / "my_data.manifest.yaml"
    manifest.write_text(manifest.read_text().replace('modality: "???"', f"modality: {answer}"))
    for entry in ("my_data", "my_data@unprocessed"):
        code = main(["check", "--configfile", "my_data.yaml", "--config", f'datasets=["{entry}"]'])
        said = capsys.readouterr()
        assert code == 0, said.err
        assert "sampling guided" in said.out
        assert "balanced" not in said.out


def test_a_release_that_is_known_needs_no_manifest(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "A. Segmentation"
    images = place / "1. Original Images" / "a. Training Set"
    truths = place / "2. All Segmentation Groundtruths" / "a. Training Set" / "1. Microaneurysms"
    for each in (images, truths):
        each.mkdir(parents=True)
    Image.fromarray(np.full((40, 40, 3), 99, np.uint8)).save(images / "IDRiD_01.jpg")
    Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(truths / "IDRiD_01_MA.tif")
    assert main(["init", str(place)]) == 0
    assert "released layout of idrid" in capsys.readouterr().out
    assert [each.name for each in tmp_path.iterdir()] == ["A. Segmentation"]


def test_a_folder_that_is_not_there_is_one_message(tmp_path, capsys):
    assert main(["init", str(tmp_path / "nowhere")]) == 1
    assert "There is no such folder." in capsys.readouterr().err
