"""A new file gets what a run gives its own images, and what is found lies where it is in the file."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.path import Path as Outline
from PIL import Image

from pipeline.config import ProbabilityConfig
from pipeline.errors import ConfigurationError, ImageRejected, MissingDataError, ModelError, StoreError
from pipeline.model.card import read_card
from pipeline.predict import original_grid, run_settings
from pipeline.predict.new_image import ModelInUse, predict_new_image
from pipeline.predict.options import PredictedFiles, PredictOptions
from pipeline.predict.run_settings import RunBeside
from pipeline.probability import predict
from pipeline.runtime.run_lock import RunLock
from pipeline.stores import create_group, input_digest, open_array, open_group
from pipeline.stores.documents import json_text, read_json, write_json
from pipeline.stores.model_files import thresholds_file
from pipeline.stores.record import seal
from tests.scenes.tiny_run import QUICK, TinyRun, copied

TEST = "tiny_3"


@pytest.fixture(scope="module", params=["fundus", "histology"])
def run(request: pytest.FixtureRequest, finished_run: Callable[[str], TinyRun]) -> TinyRun:
    """A finished run, to look at only."""
    return finished_run(request.param)


@pytest.fixture(scope="module")
def eyes(finished_run: Callable[[str], TinyRun]) -> TinyRun:
    """A finished run of fundus photographs, to look at only."""
    return finished_run("fundus")


def content(path: Path, name: str = "0") -> np.ndarray:
    return np.asarray(open_array(path, name)[:])


def new(run: TinyRun, out: Path, **options: object) -> tuple[PredictedFiles, ...]:
    return predict_new_image(run.files / f"{TEST}.png", model=run.model(), out=out, options=PredictOptions(**options))


def test_a_file_of_the_run_gets_the_very_maps_and_outlines_of_the_run(run: TinyRun, tmp_path: Path) -> None:
    found = new(run, tmp_path, fusions=("gaussian", "none", "max", "mean"))
    assert content(run.maps(TEST, "gaussian")).std() > 0
    for each in found:
        for level in ("0", "1"):
            assert content(each.probability, level).tobytes() == content(run.maps(TEST, each.fusion), level).tobytes()
        assert dict(open_group(each.probability).attrs)["lesionmap"]["mapping"]["factor_y"] < 1
    first = found[0]
    made_by = dict(open_group(first.segmentation).attrs)["provenance"]["config"]["segmentation"]
    assert "smoothing_of" not in made_by, "predictions made before there was the key stay"
    assert [each.fusion for each in found if each.segmentation] == ["gaussian"], "the run has thresholds for it only"
    assert np.array_equal(content(first.segmentation, "masks"), content(run.regions(TEST, "gaussian"), "masks"))
    assert json.loads(first.outlines.read_text()) == json.loads(run.regions(TEST, "gaussian", ".geojson").read_text())
    assert sum(first.regions.values()) == len(json.loads(first.outlines.read_text())["features"])


def test_thresholds_of_another_training_are_not_used(
    eyes: TinyRun, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = copied(eyes, tmp_path)
    beside = RunBeside(run.model())
    assert beside.thresholds("gaussian") is not None
    shutil.rmtree(run.model())
    run.train("unet", settings=QUICK, seed=99, target=None)
    assert beside.thresholds("gaussian") is None, "the model was trained again"
    assert "other maps" in caplog.text
    found = new(run, tmp_path / "out")
    assert found[0].segmentation is None
    for image in ("tiny_2", TEST):
        for path in run.root.glob(f"probability/unet/*/{image}.zarr"):
            shutil.rmtree(path)
        run.predict(image)
    assert beside.thresholds("gaussian") is None, "the maps were made again, the thresholds not"
    run.segment(fusion="gaussian")
    assert beside.thresholds("gaussian") is not None


def test_parameters_are_those_of_the_fusion_asked_for_and_of_the_present_model(eyes: TinyRun, tmp_path: Path) -> None:
    run = copied(eyes, tmp_path)
    present = input_digest(run.model() / "weights.pt")

    def left(fusion: str, *, overlap: float, window: int, weights: str) -> None:
        settings = ProbabilityConfig(overlap=overlap).of_the_values()
        origin = {"config": {"probability": settings, "window": window}, "inputs": {"weights": weights}}
        shutil.rmtree(run.maps("tiny_0", fusion), ignore_errors=True)
        create_group(run.maps("tiny_0", fusion), attributes={"provenance": origin})
        seal(run.maps("tiny_0", fusion))

    left("mean", overlap=0.125, window=32, weights=present)
    left("gaussian", overlap=0.75, window=96, weights="of an earlier training")
    assert RunBeside(run.model(), ("mean",)).probability({}).overlap == 0.125
    assert RunBeside(run.model(), ("mean",)).window == 32
    assert RunBeside(run.model(), ("gaussian",)).probability({}).overlap == 0.5, "of the next image of the run"


def test_the_card_brings_a_new_image_to_the_stain_target_of_the_training_images(finished_run) -> None:
    run = finished_run("histology")
    target = read_json(run.root / "normalized" / "target.json")
    assert read_card(run.model()).stain_target == {key: value for key, value in target.items() if key != "provenance"}
    assert target["from"].startswith("median of 2")


def test_what_is_there_already_is_kept_and_what_is_wished_is_added(eyes: TinyRun, tmp_path: Path, monkeypatch) -> None:
    first = new(eyes, tmp_path)[0]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("zarr.json")}
    calls = []
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: calls.append(args))
    again = new(eyes, tmp_path)[0]
    assert (again, calls) == (first, [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("zarr.json")} == before
    monkeypatch.undo()
    both = new(eyes, tmp_path, fusions=("gaussian", "mean"))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert both[1].probability.is_dir()


def test_outlines_never_stand_beside_masks_of_other_thresholds(eyes: TinyRun, tmp_path: Path, monkeypatch) -> None:
    first = new(eyes, tmp_path / "one", threshold=0.4)[0]
    new(eyes, tmp_path / "two", threshold=0.4)

    def full(folder):
        if folder.name.startswith("segmentation"):
            raise OSError(28, "No space left on device")
        seal(folder)

    monkeypatch.setattr("pipeline.stores.atomic.seal", full)
    with pytest.raises(OSError, match="No space"):
        new(eyes, tmp_path / "two", threshold=0.6)
    monkeypatch.undo()
    again = new(eyes, tmp_path / "two", threshold=0.4)[0]
    assert read_json(again.outlines) == read_json(first.outlines)
    assert again.regions == first.regions


def test_masks_of_a_former_call_do_not_stay(eyes: TinyRun, tmp_path: Path) -> None:
    (found,) = new(eyes, tmp_path, threshold=0.4, original_grid="tiff")
    assert found.masks
    (again,) = new(eyes, tmp_path, threshold=0.6)
    assert not any(path.exists() for path in found.masks)
    assert again.segmentation == found.segmentation


def test_two_predictions_of_one_image_into_one_folder_are_refused(eyes: TinyRun, tmp_path: Path) -> None:
    RunLock(tmp_path / TEST).take()
    with pytest.raises(StoreError, match="belongs to another run"):
        new(eyes, tmp_path)


def test_a_killed_call_is_continued(eyes: TinyRun, tmp_path: Path, monkeypatch) -> None:
    real = predict.load_predictors
    left = 3

    def failing(*args, **kwargs):
        (whole,) = real(*args, **kwargs)

        def call(windows):
            nonlocal left
            left -= 1
            if left < 0:
                raise InterruptedError
            return whole(windows)

        return (call,)

    monkeypatch.setattr(predict, "load_predictors", failing)
    with pytest.raises(InterruptedError):
        new(eyes, tmp_path)
    assert not list((tmp_path / TEST).glob("probability*"))
    assert list((tmp_path / TEST / ".partial").rglob("*.done"))
    monkeypatch.undo()
    found = new(eyes, tmp_path)[0]
    assert content(found.probability).tobytes() == content(eyes.maps(TEST, "gaussian")).tobytes()
    assert not (tmp_path / TEST / ".partial").exists()


def test_a_fresh_process_in_any_folder_gives_the_same(eyes: TinyRun, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pipeline.cli",
        "predict",
        str(eyes.files / f"{TEST}.png"),
        "--model",
        str(eyes.model()),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}  # noqa: TID251
    done = subprocess.run(
        [*command, "--out", "here", "--original-grid", "png"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    maps = tmp_path / "here" / TEST / "probability.unet.gaussian.zarr"
    assert content(maps).tobytes() == content(eyes.maps(TEST, "gaussian")).tobytes()
    assert all(word in done.stdout for word in ("gaussian.geojson", "gaussian.OD.png", "regions")), done.stdout
    assert f'src="{TEST}/report.unet.gaussian.png"' in (tmp_path / "here" / "index.html").read_text()


def test_a_model_without_its_run_predicts_and_a_threshold_by_hand_outlines(eyes: TinyRun, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(eyes.model(), alone)
    given = {"probability": {"storage": {"chunk": 32, "shard": 64}, "device": "cpu"}}
    image = eyes.files / f"{TEST}.png"
    bare = predict_new_image(image, model=alone, out=tmp_path / "a", options=PredictOptions(**given))[0]
    assert bare.segmentation is None
    cut = predict_new_image(image, model=alone, out=tmp_path / "b", options=PredictOptions(threshold=0.25, **given))[0]
    assert np.array_equal(content(cut.segmentation, "masks") > 0, content(cut.probability) >= 0.25) or cut.regions
    assert {each["threshold"] for each in json.loads(cut.thresholds.read_text())["classes"].values()} == {0.25}


def test_a_copied_folder_gives_the_masks_of_the_run_by_the_thresholds_it_holds(eyes: TinyRun, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(eyes.model(), alone)
    fitted = eyes.root / "segmentation" / "unet" / "gaussian" / "thresholds.json"
    shutil.copyfile(fitted, thresholds_file(alone, fusion="gaussian"))
    kept = read_json(fitted)["classes"]
    given = {"probability": {"storage": {"chunk": 32, "shard": 64}, "device": "cpu"}}
    [found] = predict_new_image(
        eyes.files / f"{TEST}.png", model=alone, out=tmp_path / "a", options=PredictOptions(**given)
    )
    assert read_json(found.thresholds)["classes"] == kept
    assert found.segmentation is not None
    assert RunBeside(alone).thresholds("mean") is None


@pytest.mark.parametrize("known", [True, False])
def test_a_threshold_by_hand_keeps_the_areas_that_the_run_found_or_says_that_there_are_none(
    eyes: TinyRun, tmp_path: Path, caplog: pytest.LogCaptureFixture, known: bool
) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(eyes.model(), alone)
    fitted = read_json(eyes.root / "segmentation" / "unet" / "gaussian" / "thresholds.json")
    largest = 10**6
    if known:
        for each in fitted["classes"].values():
            each["minimum_area"] = largest
    write_json(fitted, thresholds_file(alone, fusion="gaussian"))
    given = {"probability": {"storage": {"chunk": 32, "shard": 64}, "device": "cpu"}}
    given |= {"segmentation": {"minimum_areas": "percentile"}, "threshold": 0.05}
    [found] = predict_new_image(
        eyes.files / f"{TEST}.png", model=alone, out=tmp_path / "a", options=PredictOptions(**given)
    )
    assert (sum(found.regions.values()) == 0) is known, "no region is that large"
    assert ("minimum_areas is percentile, and no areas" in caplog.text) is not known


def test_names_and_colours_are_those_of_the_run(eyes: TinyRun, tmp_path: Path) -> None:
    outlines = json.loads(new(eyes, tmp_path, threshold=0.0)[0].outlines.read_text())["features"]
    shown = {
        (each["properties"]["classification"]["name"], *each["properties"]["classification"]["color"])
        for each in outlines
    }
    assert shown == {("class MA", 255, 0, 0), ("class OD", 255, 0, 255)}


SPOTS = ((90, 120, 40), (301, 77, 26), (207, 330, 61), (400, 355, 9))
"""Row, column and radius of discs in the file."""


def spotted(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.any([(y + 0.5 - cy) ** 2 + (x + 0.5 - cx) ** 2 <= r * r for cy, cx, r in SPOTS], axis=0)


def filled(features: list, height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    places = np.stack([x.ravel() + 0.5, y.ravel() + 0.5], axis=1)
    found = np.zeros(height * width, bool)
    for each in features:
        found |= Outline(each["geometry"]["coordinates"][0]).contains_points(places)
    return found.reshape(height, width)


def share_of(large: int, small: int) -> np.ndarray:
    """Share of each of ``large`` pixels along an axis that each of ``small`` pixels over the same field covers."""
    starts, ends = (np.arange(small) + at for at in (0, 1))
    first, last = ((np.arange(large)[:, None] + at) * small / large for at in (0, 1))
    return np.clip(np.minimum(last, ends) - np.maximum(first, starts), 0, None) * large / small


@pytest.fixture
def seeing(eyes: TinyRun, tmp_path: Path, monkeypatch) -> Path:
    """A model whose images were brought to a quarter, and which sees what is bright."""
    model = tmp_path / "model" / "seeing"
    shutil.copytree(eyes.model(), model)
    card = json.loads((model / "card.json").read_text())
    off = {"apply": False}
    card["normalisation"] |= {
        "rescale": {"factor": 0.25},
        "clahe": off,
        "gaussian": off,
        "difference": off,
        "outside": "keep",
    }
    (model / "card.json").write_text(json_text(card))
    bright = lambda windows: np.repeat(windows[:, :1].astype(np.float32) / 255, 2, axis=1)  # noqa: E731
    monkeypatch.setattr(predict, "load_predictors", lambda *args, **kwargs: (bright,))
    return model


@pytest.mark.parametrize(
    ("height", "width", "kind"), [(448, 448, "tiff"), (448, 448, "png"), (451, 437, "tiff"), (451, 437, "png")]
)
def test_what_is_found_at_a_quarter_lies_on_the_truth_in_the_file(
    seeing: Path, tmp_path: Path, monkeypatch, height: int, width: int, kind: str
) -> None:
    monkeypatch.setattr(original_grid, "ROWS", 64)  # several strips
    truth = spotted(height, width)
    grey = np.where(truth, 255, 20).astype(np.uint8)
    Image.fromarray(np.repeat(grey[..., None], 3, axis=2)).save(tmp_path / "spots.png")
    options = PredictOptions(
        threshold=0.5,
        original_grid=kind,
        probability={"storage": {"chunk": 32, "shard": 64}, "skip_outside_roi": False},
    )
    found = predict_new_image(tmp_path / "spots.png", model=seeing, out=tmp_path / "out", options=options)[0]
    small = content(found.segmentation, "masks")[0] != 0
    assert small.shape == (round(height / 4), round(width / 4))
    features = [
        each
        for each in json.loads(found.outlines.read_text())["features"]
        if each["properties"]["metadata"]["class_code"] == "MA"
    ]
    assert len(features) == len(SPOTS)
    outlined = filled(features, height, width)
    # Pixels of the map are four times as large: a rim is off by up to two pixels, one in the mean; a centre is not.
    assert np.count_nonzero(outlined ^ truth) < 1.1 * sum(2 * np.pi * r for _, _, r in SPOTS)
    for cy, cx, r in SPOTS:
        near = (slice(cy - r - 4, cy + r + 4), slice(cx - r - 4, cx + r + 4))
        y, x = (places.mean() + 0.5 for places in np.nonzero(outlined[near]))
        assert np.hypot(y - (r + 4), x - (r + 4)) < 0.6
    if (height, width) == (448, 448):
        share = truth.reshape(112, 4, 112, 4).mean(axis=(1, 3))
        assert np.array_equal(outlined, np.kron(share > (127.5 - 20) / 235, np.ones((4, 4))))
    with Image.open(found.masks[0]) as picture:
        mask = np.asarray(picture)
    assert (mask.shape, set(np.unique(mask))) == ((height, width), {0, 255})
    covered = share_of(height, small.shape[0]) @ small @ share_of(width, small.shape[1]).T
    assert np.array_equal(mask > 0, covered >= 0.5 - 1e-9)
    assert np.count_nonzero((mask > 0) ^ outlined) <= 0.001 * mask.size, "masks and outlines of the file are one"


def test_bad_input_is_explained(eyes: TinyRun, tmp_path: Path) -> None:
    image = eyes.files / f"{TEST}.png"
    (tmp_path / "torn.png").write_bytes(image.read_bytes()[:500])
    for path, kind, word in (
        (tmp_path / "none.png", MissingDataError, r"none\.png"),
        (tmp_path, MissingDataError, "a folder"),
        (tmp_path / "torn.png", ImageRejected, r"torn\.png"),
    ):
        with pytest.raises(kind, match=word):
            predict_new_image(path, model=eyes.model(), out=tmp_path / "out", options=PredictOptions())
    with pytest.raises(ModelError, match="no trained model"):
        predict_new_image(image, model=eyes.root, out=tmp_path / "out", options=PredictOptions())
    with pytest.raises(ConfigurationError, match="overlapp"):
        new(eyes, tmp_path / "out", probability={"overlapp": 0.5})
    with pytest.raises(ConfigurationError, match="threshold"):
        new(eyes, tmp_path / "out", threshold=1.5)


@pytest.mark.parametrize("lacking", ["record", "stain_target"])
def test_a_card_that_does_not_say_how_is_refused(tmp_path: Path, eyes: TinyRun, lacking: str) -> None:
    model = tmp_path / "old"
    shutil.copytree(eyes.model(), model)
    card = json.loads((model / "card.json").read_text())
    card["normalisation"] |= {"chain": "histology"}
    card |= {lacking: None}
    (model / "card.json").write_text(json_text(card))
    with pytest.raises(ModelError, match="how the model's images were normalised"):
        predict_new_image(eyes.files / f"{TEST}.png", model=model, out=tmp_path / "out", options=PredictOptions())


def test_the_warnings_of_the_card_and_of_the_measures_are_both_a_models(tmp_path, monkeypatch):
    monkeypatch.setattr(run_settings, "read_card", lambda _: SimpleNamespace(warnings=("few images validate",)))
    assert RunBeside(tmp_path).warnings("max") == ("few images validate",)
    (tmp_path / "measures.max.json").write_text(json_text({"warnings": ["EX is marked nowhere"]}))
    assert RunBeside(tmp_path).warnings("max") == ("few images validate", "EX is marked nowhere")
    assert RunBeside(tmp_path).warnings("mean") == ("few images validate",)


@pytest.mark.parametrize("name", ["card.json", "weights.pt"])
def test_a_model_that_is_made_anew_while_images_are_predicted_is_refused(eyes: TinyRun, tmp_path: Path, name) -> None:
    run = copied(eyes, tmp_path)
    used = ModelInUse.of(run.model(), PredictOptions())
    (run.model() / name).write_bytes((run.model() / name).read_bytes())
    with pytest.raises(ModelError, match=rf"(?s)changed while images were predicted.*{name}"):
        used.predict(run.files / f"{TEST}.png", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_model_is_smoothed_by_its_own_key(tmp_path: Path) -> None:
    changes = {"smoothing_of": {"unet-blurred": {"method": "gaussian"}}}
    found = {name: RunBeside(tmp_path / "model" / name).segmentation(changes) for name in ("unet", "unet-blurred")}
    assert {name: each.smoothing.method for name, each in found.items()} == {"unet": "none", "unet-blurred": "gaussian"}


def test_a_copied_folder_smooths_as_its_thresholds_were_fitted(eyes: TinyRun, tmp_path: Path) -> None:
    content = read_json(eyes.root / "segmentation" / "unet" / "gaussian" / "thresholds.json")
    content["provenance"]["config"]["segmentation"]["smoothing"] = {"method": "gaussian", "sigma": 3.0}
    content["provenance"]["inputs"] = {}
    path = thresholds_file(tmp_path / "model" / "unet", fusion="gaussian")
    path.parent.mkdir(parents=True)
    write_json(content, path)
    alone = RunBeside(tmp_path / "model" / "unet", ("mean", "gaussian"))
    assert alone.segmentation({}).smoothing.sigma == 3.0
    assert alone.segmentation({"smoothing": {"method": "none"}}).smoothing.method == "none"
