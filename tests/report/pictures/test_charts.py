"""Charts hold the numbers that they were given, say them under the pointer, and are pictures for light and dark pages."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import vl_convert

from pipeline.config.manifest import ClassRecord, DatasetRecord
from pipeline.report.page import page
from pipeline.report.page.render import rendered
from pipeline.report.pictures import bars, chart, figures
from pipeline.report.pictures.colours import THEMES
from pipeline.report.pictures.differences import differences_plot
from pipeline.report.pictures.reliability import FEW, reliability_plot
from pipeline.report.pictures.scatter import by_centre

VENDORED = Path(page.__file__).with_name("charts") / "vega.min.js"
MARKUP = "</script><b>&"
HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "train_loss": [0.9, 0.5, 0.4], "dice_MA": [0.1, np.nan, 0.3], "dice_EX": [0.2, 0.5, 0.6]}
)
CURVES = {"MA": ([0.4, 1.0], [0.9, 0.3], [0.7, 0.1]), "EX": ([0.5, 1.0], [0.8, 0.2], [0.6, 0.2])}
FROC = {"MA": {"threshold": [0.1, 0.9], "sensitivity": [0.9, 0.2], "false_positives_per_image": [7.5, 0.0]}}
BINS = {"EX": {"confidence": [0.05, 0.55], "frequency": [0.02, 0.7], "pixels": [5000, FEW - 1]}}
DICE = pd.DataFrame(
    [
        (MARKUP, "MA", 0.41, 0.3, 0.5),
        (MARKUP, "EX", 0.62, np.nan, np.nan),
        ("both / mean", "MA", 0.11, 0.1, 0.2),
        ("both / mean", "EX", np.nan, np.nan, np.nan),
    ],
    columns=["result", "class_code", "value", "low", "high"],
)
DRAWN = pd.DataFrame({"what": ["MA", "EX", "grid"], "patches": [12, 3456, 7]})
SHARES = pd.DataFrame({"train": [0.5, 1.0], "test": [0.25, 0.0]}, index=["MA", "EX"])
IMAGES = pd.DataFrame({"arm": ["a", "a", MARKUP], "image_id": ["x", MARKUP, "x"], "difference": [0.1, -0.2, 0.05]})
MEANS = pd.DataFrame({"arm": ["a", MARKUP], "difference": [-0.05, 0.05], "low": [-0.1, np.nan], "high": [0.0, np.nan]})
POINTS = pd.DataFrame(
    [
        ("s1", "A", "haematoxylin", 21.5, -18.0, False),
        ("s1", "A", "eosin", 40.5, -8.0, False),
        (MARKUP, MARKUP, "haematoxylin", 24.5, -19.0, True),
        (MARKUP, MARKUP, "eosin", 44.5, -9.0, True),
    ],
    columns=["name", "centre", "what", "x", "y", "odd"],
)
CLASSES = (
    ClassRecord(code="MA", name="Microaneurysms", colour="red"),
    ClassRecord(code="EX", name="Hard exudates", colour="yellow"),
)
RECORD = DatasetRecord(
    title="Eyes", adaptor="idrid", modality="fundus", task="multiclass", classes=CLASSES, licence="CC0-1.0"
)
SCORES = {"dice_MA": "MA", "dice_EX": "EX"}

CHARTS = {
    "losses": lambda record, **at: figures.losses(HISTORY, {"train_loss": "training patches"}, best=2, **at),
    "history": lambda record, **at: figures.history_scores(
        HISTORY, SCORES, record, best=2, title="Dice per class", **at
    ),
    "precision": lambda record, **at: figures.precision_recall(
        CURVES, {"MA": 0.7, "EX": 0.6}, record, title="PR", **at
    ),
    "froc": lambda record, **at: figures.free_response(FROC, record, title="FROC", **at),
    "reliability": lambda record, **at: reliability_plot(BINS, record, title="Reliability", **at),
    "compared": lambda record, **at: figures.results_compared(DICE, record, title="Dice", **at),
    "drawn": lambda record, **at: bars.drawn_counts(DRAWN, record, **at),
    "shares": lambda record, **at: bars.patch_shares(SHARES, **at),
    "differences": lambda record, **at: differences_plot(IMAGES, MEANS, title="AUPR", measure="AUPR", **at),
    "stains": lambda record, **at: by_centre(POINTS, POINTS[:1], title="Colours", x="a*  (red)", y="b*  (blue)", **at),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Folder of all charts, and each as it was saved."""
    folder = tmp_path_factory.mktemp("charts")
    return folder, {name: make(RECORD, folder=folder, name=name) for name, make in CHARTS.items()}


@pytest.fixture(params=CHARTS)
def name(request) -> str:
    """Name of a chart."""
    return str(request.param)


@pytest.fixture
def shot(name, saved):
    """Chart of that name."""
    return saved[1][name]


def rows(shot) -> list[pd.DataFrame]:
    """Tables of a specification."""
    return [pd.DataFrame(each) for each in shot.chart["datasets"].values()]


def numbers(frame: pd.DataFrame) -> set[float]:
    return {round(float(each), chart.DIGITS) for each in frame.to_numpy(float).ravel() if np.isfinite(each)}


EXPECTED = {
    "losses": HISTORY[["epoch", "train_loss"]],
    "history": HISTORY[["epoch", "dice_MA", "dice_EX"]],
    "precision": pd.DataFrame({code: np.concatenate(points) for code, points in CURVES.items()}),
    "froc": pd.DataFrame(FROC["MA"]),
    "reliability": pd.DataFrame(BINS["EX"]),
    "compared": DICE[["value", "low", "high"]],
    "drawn": DRAWN[["patches"]],
    "shares": 100 * SHARES,
    "differences": pd.concat([IMAGES[["difference"]], MEANS[["difference", "low", "high"]]]),
    "stains": POINTS[["x", "y"]],
}


def test_a_specification_holds_every_number_that_was_given(name, shot):
    held = set().union(*(numbers(frame.select_dtypes("number")) for frame in rows(shot)))
    assert numbers(EXPECTED[name]) <= held


def test_points_of_a_curve_are_those_of_their_column(saved):
    shot = saved[1]["history"]
    points = next(frame for frame in rows(shot) if "curve" in frame)
    for column, code in SCORES.items():
        own = points[points["curve"] == code].set_index("epoch")["value"]
        pd.testing.assert_series_equal(own, HISTORY.set_index("epoch")[column].dropna(), check_names=False)


@pytest.mark.parametrize("last", [1, 2, 3, 60])
def test_ticks_of_epochs_are_whole_numbers_that_were_trained(last, tmp_path):
    history = pd.DataFrame({"epoch": range(1, last + 1), "loss": 0.5})
    shot = figures.losses(history, {"loss": "training patches"}, best=1, folder=tmp_path, name="loss")
    ticks = shot.chart["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert set(ticks) <= set(history["epoch"])
    assert min(last, 4) <= len(ticks) <= 8


def marks(shot):
    """Layers that a reader can point at."""
    return [each for each in shot.chart["layer"] if each["mark"].get("aria", True) is not False]


def said(layer) -> str:
    """Columns and names that a layer shows under the pointer."""
    return json.dumps(layer["encoding"].get("tooltip") or layer["mark"].get("tooltip", ""))


def test_every_mark_shows_its_values(name, shot):
    nearest = [each for each in shot.chart["layer"] if each.get("name") == "nearest"]
    # The point nearest to the pointer speaks for the marks of curves.
    for layer in nearest or marks(shot):
        columns = {each["field"] for axis, each in layer["encoding"].items() if axis in ("x", "y") and "field" in each}
        assert columns
        assert all(column in said(layer) for column in columns - {"low"})


def test_no_value_is_named_like_what_the_library_takes_for_a_picture_or_a_heading(shot):
    for layer in shot.chart["layer"]:
        for each in layer["encoding"].get("tooltip", ()):
            assert each["title"] not in ("image", "title")


def test_pictures_are_drawn_and_those_for_dark_pages_differ(shot, saved):
    light, dark = (cv2.imread(str(saved[0] / file), cv2.IMREAD_UNCHANGED) for file in (shot.name, shot.dark))
    assert light.shape == dark.shape == (shot.height, shot.width, 4)
    assert light[..., 3].min() == dark[..., 3].min() == 0  # the page shows through
    assert (light[..., 3] > 0).mean() > 0.01
    for theme, picture in (("light", light), ("dark", dark)):
        ink = np.array([int(THEMES[theme]["ink"][at : at + 2], 16) for at in (5, 3, 1)])  # blue, green, red
        assert (np.abs(picture[..., :3].astype(int) - ink).max(axis=2) < 12)[picture[..., 3] > 200].any()


def test_the_same_numbers_give_the_same_bytes(name, shot, saved, tmp_path):
    again = CHARTS[name](RECORD, folder=tmp_path, name=name)
    assert json.dumps(again.chart) == json.dumps(shot.chart)
    for file in (shot.name, shot.dark):
        assert (saved[0] / file).read_bytes() == (tmp_path / file).read_bytes()


def test_a_specification_names_no_colour_of_one_theme_and_asks_no_other_place(shot):
    layers = json.dumps(shot.chart["layer"]) + json.dumps(shot.chart["config"])
    assert not [colour for theme in THEMES.values() for colour in theme.values() if colour in layers]
    assert not {"url", "href"} & set(json.dumps(shot.chart["layer"]).replace('"', " ").split())
    given = {each["name"] for each in shot.chart["params"]}
    assert set(THEMES["light"]) == set(THEMES["dark"]) <= given
    assert shot.chart["usermeta"]["themes"] == THEMES


def test_legends_lie_below_and_classes_differ_in_shape(saved):
    shot = saved[1]["compared"]
    assert shot.chart["config"]["legend"]["orient"] == "bottom"
    shapes = shot.chart["layer"][-1]["encoding"]["shape"]["scale"]
    assert shapes["domain"] == ["MA", "EX"]
    assert len(set(shapes["range"])) == 2


def test_names_with_markup_stay_text_in_the_page(shot):
    model = {"name": "m", "text": "", "shots": [shot], "notes": []}
    html = rendered("section_training.html", {"folder": "figures", "models": [model]})
    assert MARKUP not in html
    assert html.count("</script>") == 1
    text = html.split('<script type="application/json">')[1].split("</script>")[0]
    assert json.loads(text) == json.loads(json.dumps(shot.chart))


@pytest.mark.parametrize("curve", [([0.4, 1.0], [0.9, 0.3]), ([1.0], [0.5])])
def test_curves_without_thresholds_are_drawn_too(curve, tmp_path):
    shot = figures.precision_recall({"MA": curve}, {"MA": 0.7}, RECORD, title="PR", folder=tmp_path, name="pr")
    (points,) = rows(shot)
    assert points["recall"].tolist() == [0.0, *curve[0]]
    assert "hreshold" not in json.dumps(shot.chart["layer"])


def test_many_centres_share_a_colour_and_one_alone_has_no_name(tmp_path):
    names = [f"c{at:02d}" for at in range(12)]
    many = pd.DataFrame({"name": names, "centre": names, "what": "", "x": range(12), "y": range(12), "odd": False})
    labels = {
        label
        for points in (many, many.assign(centre="one"))
        for frame in rows(by_centre(points, POINTS[:0], title="t", x="x", y="y", folder=tmp_path, name="s"))
        if "label" in frame
        for label in frame["label"]
    }
    assert labels == {*(f"centre {each}" for each in names[:6]), "6 more centres", "images"}


def test_results_without_a_number_are_rows_of_a_picture(tmp_path):
    shot = figures.results_compared(DICE.assign(value=np.nan), RECORD, title="Dice", folder=tmp_path, name="none")
    assert (tmp_path / shot.name).stat().st_size > 0


def test_the_script_of_the_page_is_that_of_the_library():
    """Another version draws the page by other rules than the pictures: write the file anew with it."""
    assert VENDORED.read_text(encoding="utf-8") == vl_convert.javascript_bundle()
    notice = VENDORED.with_name("vega.LICENSE.txt").read_text(encoding="utf-8")
    for version in (vl_convert.get_vega_version(), vl_convert.get_vega_embed_version()):
        assert version in notice
