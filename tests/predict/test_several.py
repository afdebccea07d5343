"""Several files and folders: each is predicted on its own, and what is wrong with one is said of it alone."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.cli import main
from pipeline.errors import MissingDataError, ModelError
from pipeline.predict.new_image import ModelInUse
from pipeline.predict.options import PredictedFiles, PredictOptions
from pipeline.predict.page import check_page, write_predictions_page
from pipeline.predict.quick_look import largest_probabilities
from pipeline.predict.several import image_files, predict_images
from pipeline.stores import open_array
from pipeline.stores.documents import read_json
from tests.scenes.tiny_run import TinyRun

TEST = "tiny_3"


@pytest.fixture(scope="module")
def eyes(finished_run: Callable[[str], TinyRun]) -> TinyRun:
    """A finished run of fundus photographs, to look at only."""
    return finished_run("fundus")


def called(*given: object, model: Path, out: Path) -> int:
    return main(["predict", *map(str, given), "--model", str(model), "--out", str(out)])


def folders_without_content(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_one_unreadable_file_stops_no_other_and_is_named(eyes: TinyRun, tmp_path: Path, capsys) -> None:
    inbox, out = tmp_path / "raw", tmp_path / "raw" / "out"  # a folder named like a stage changes nothing
    inbox.mkdir()
    for at in (2, 3):
        shutil.copyfile(eyes.files / f"tiny_{at}.png", inbox / f"tiny_{at}.png")
    (inbox / "a torn.png").write_bytes((inbox / f"{TEST}.png").read_bytes()[:500])
    (inbox / "notes.txt").write_text("no image")
    assert called(inbox, model=eyes.model(), out=out) == 1
    said = capsys.readouterr()
    assert "1 of 3 files without a result" in said.err
    assert (said.out + said.err).count("a torn.png") == 1, "it is said once"
    assert "1 of 3: The file cannot be used." in said.err
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "tiny_2", TEST]
    assert not folders_without_content(out)
    assert not list(tmp_path.rglob(".partial"))
    assert sorted(path.name for path in (out / TEST).iterdir()) == [
        "normalized.zarr",
        "probability.unet.gaussian.zarr",
        "report.unet.gaussian.json",
        "report.unet.gaussian.png",
        "segmentation.unet.gaussian.geojson",
        "segmentation.unet.gaussian.thresholds.json",
        "segmentation.unet.gaussian.zarr",
    ]
    page = (out / "index.html").read_text()
    assert "a torn.png" in page
    assert not re.search(r"""(src|href)=["']https?:""", page), "nothing is fetched"
    assert main(["verify", str(out)]) == 0


def test_of_one_unreadable_file_only_its_reason_is_said(eyes: TinyRun, tmp_path: Path, capsys) -> None:
    (tmp_path / "torn.png").write_bytes((eyes.files / f"{TEST}.png").read_bytes()[:500])
    assert called(tmp_path / "torn.png", model=eyes.model(), out=tmp_path / "out") == 1
    said = capsys.readouterr()
    assert said.err.count("torn.png") == 1
    assert "without a result" not in said.err


def test_files_of_one_name_are_refused_before_one_replaces_the_other(eyes: TinyRun, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a/eye.png", "b/EYE.png")]
    for path in files:
        path.parent.mkdir()
        shutil.copyfile(eyes.files / f"{TEST}.png", path)
    used = ModelInUse.of(eyes.model(), PredictOptions())
    outcomes = list(predict_images(files, used=used, out=tmp_path / "out"))
    assert [bool(each.found) for each in outcomes] == [False, False]
    assert all(
        "--out" in each.problem and str(other) in each.problem
        for each, other in zip(outcomes, files[::-1], strict=True)
    )
    assert not (tmp_path / "out").exists()


def test_a_model_that_is_none_stops_at_once(eyes: TinyRun, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no trained model"):
        ModelInUse.of(tmp_path, PredictOptions())
    assert called(eyes.files / f"{TEST}.png", model=tmp_path, out=tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()


def test_folders_give_their_images_by_name_each_once(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.svs", ".hidden.png", "c.txt", "below/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    given = [tmp_path / "b.JPG", tmp_path, tmp_path / "missing.png"]
    assert [path.name for path in image_files(given)] == ["b.JPG", "a.svs", "missing.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingDataError, match="not searched"):
        image_files([tmp_path / "empty"])


@pytest.fixture(scope="module")
def look(eyes: TinyRun, tmp_path_factory: pytest.TempPathFactory) -> PredictedFiles:
    """A prediction of a file whose name is markup."""
    file = tmp_path_factory.mktemp("look") / "<b>&eye.png"
    shutil.copyfile(eyes.files / f"{TEST}.png", file)
    assert called(file, model=eyes.model(), out=file.parent / "out") == 0
    [found] = ModelInUse.of(eyes.model(), PredictOptions()).predict(file, out=file.parent / "out")
    return found


def test_the_legend_says_what_the_stores_hold(look: PredictedFiles) -> None:
    facts = read_json(look.look.with_suffix(".json"))
    maps = np.asarray(open_array(look.probability, "0")[:]).astype(np.float32)
    assert largest_probabilities(look.probability) == tuple(float(each.max()) for each in maps)
    outlines = json.loads(look.outlines.read_text())["features"]
    codes = [each["properties"]["metadata"]["class_code"] for each in outlines]
    assert [(each["code"], each["name"], each["regions"]) for each in facts["classes"]] == [
        (code, f"class {code}", codes.count(code)) for code in ("MA", "OD")
    ]
    assert [each["largest_probability"] for each in facts["classes"]] == [float(each.max()) for each in maps]


def test_outlines_are_drawn_around_what_was_found_and_nowhere_else(
    look: PredictedFiles, eyes: TinyRun, tmp_path: Path
) -> None:
    maps = np.asarray(open_array(look.probability, "0")[:]).astype(np.float32)
    middle = float(np.median(maps[1][maps[1] > 0]))
    used = ModelInUse.of(eyes.model(), PredictOptions(threshold=middle))
    [found] = used.predict(eyes.files / f"{TEST}.png", out=tmp_path)
    masks = np.asarray(open_array(found.segmentation, "masks")[:]) > 0
    assert 0 < masks[1].mean() < 1, "some of it"
    with Image.open(found.look) as picture:
        drawn = np.asarray(picture)
    factor = drawn.shape[1] // masks.shape[2]
    photograph = drawn[: masks.shape[1] * factor]
    rim = cv2.dilate(masks[1].astype(np.uint8), np.ones((3, 3), np.uint8)) > cv2.erode(
        masks[1].astype(np.uint8), np.ones((3, 3), np.uint8)
    )
    painted = (photograph == (255, 0, 255)).all(axis=2)
    assert painted.any()
    assert not (painted & ~np.kron(rim, np.ones((factor, factor), bool))).any()


def test_markup_in_a_name_stays_text_and_the_page_shows_earlier_calls_too(look: PredictedFiles, eyes: TinyRun) -> None:
    out = look.look.parents[1]
    assert called(eyes.files / "tiny_2.png", model=eyes.model(), out=out) == 0
    page = (out / "index.html").read_text()
    assert "&lt;b&gt;&amp;eye.png" in page
    assert "<b>&eye.png" not in page
    assert page.count("<figure id=") == 2


def test_without_thresholds_the_picture_shows_the_probability_and_says_so(eyes: TinyRun, tmp_path: Path) -> None:
    used = ModelInUse.of(eyes.model(), PredictOptions(fusions=("mean",)))
    [found] = used.predict(eyes.files / f"{TEST}.png", out=tmp_path)
    assert found.segmentation is None
    assert [each["regions"] for each in read_json(found.look.with_suffix(".json"))["classes"]] == [None, None]


def test_results_do_not_go_below_a_file(tmp_path, capsys):
    (tmp_path / "b.png").touch()
    assert main(["predict", "a.png", "--model", str(tmp_path), "--out", str(tmp_path / "b.png")]) == 1
    assert "The folder of the results is a file." in capsys.readouterr().err


def test_a_picture_of_which_nothing_was_evaluated_is_not_shown_as_one_without_lesions(
    finished_run: Callable[[str], TinyRun], tmp_path: Path, caplog
) -> None:
    Image.new("RGB", (150, 140), (245, 245, 245)).save(tmp_path / "glass.png")
    assert called(tmp_path / "glass.png", model=finished_run("histology").model(), out=tmp_path / "out") == 0
    assert "Nothing was evaluated: neither field of view nor tissue was found" in caplog.text


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_page_of_something_else_is_not_written_over(tmp_path, capsys, kind):
    page = tmp_path / "index.html"
    page.write_text("<h1>Results</h1>") if kind == "file" else page.mkdir()
    assert called(tmp_path / "eye.png", model=tmp_path / "no_model", out=tmp_path) == 1
    assert "a page that is none of predictions" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert kind == "folder" or page.read_text() == "<h1>Results</h1>"


def test_the_page_of_former_predictions_is_written_anew(tmp_path):
    write_predictions_page(tmp_path, problems={})
    check_page(tmp_path)
    page = write_predictions_page(tmp_path, problems={tmp_path / "eye.jpg": "It is cut off."})
    assert page == tmp_path / "index.html"
    assert "It is cut off." in page.read_text()
