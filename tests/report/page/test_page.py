"""The page says what the tables say, stands on its own, and is written whatever is missing."""

import json
import math
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from pipeline.config import NormalizedConfig, ReportConfig, StageConfig
from pipeline.report.measures.average_words import average_words
from pipeline.report.measures.borders import write_borders
from pipeline.report.page.page import SUMMARY_FIELDS, Outputs, write_index, write_report
from pipeline.report.page.sections.images import flags_by_kind
from pipeline.report.page.sections.metrics import no_interval
from pipeline.report.page.sections.normalisation import PAIRS
from pipeline.report.page.sections.table import SECTIONS
from pipeline.report.page.times_page import Noted
from pipeline.report.pictures.gallery import results_to_show
from pipeline.report.pictures.pairs import NEAR_SIDE
from pipeline.stores import write_table
from pipeline.stores.documents import json_text, write_json
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

PROVENANCE = Provenance(stage="report", config={"picture_side": 300}, code="0123456789ab", seed=7)
CONFIG = ReportConfig(images=4, picture_side=120, bootstrap=50)


class Reader(HTMLParser):
    """Collects pictures, links, tables and text."""

    def __init__(self):
        super().__init__()
        self.sources, self.links, self.ids, self.rows, self.cell, self.text, self.tags = [], [], [], [], None, [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append("chart" if found.get("type") == "application/json" else tag)
        self.sources += [found[key] for key in ("src", "srcset") if key in found]
        self.links += [found["href"]] if "href" in found else []
        self.ids += [found["id"]] if "id" in found else []
        if tag == "img":
            assert found["alt"]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.cell = []

    def handle_endtag(self, tag):
        if tag == "td":
            self.rows[-1].append(" ".join(self.cell))
            self.cell = None

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())
            if self.cell is not None:
                self.cell.append(data.strip())


def read(path):
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    reader.close()
    return reader


def report(world, folder, *, inputs=None, results=None, config=CONFIG, histology=False, times=None):
    chain = NormalizedConfig(chain="histology" if histology else "fundus")
    stages = StageConfig(normalized=chain, report=config)
    write_report(
        inputs or world.inputs,
        dataset="eyes",
        stage_config=stages.model_dump(mode="json"),
        results=world.results if results is None else results,
        job=Job(world.record, PROVENANCE),
        outputs=Outputs(folder / "index.html", folder / "figures", folder / "summary.parquet"),
        times=times,
    )
    return read(folder / "index.html")


@pytest.fixture(scope="module")
def written(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "eyes" / "report"
    return folder, report(world, folder)


def test_the_page_of_an_ensemble_names_the_code_and_packages_of_its_members(world, tmp_path):
    [model] = {each.model for each in world.results}
    shutil.copytree(world.inputs.models[model], tmp_path / "model" / "member")
    ensemble = tmp_path / "model" / model
    member = {"name": "member", "fold": -1, "card": "0", "weights": "0"}
    record = {"schema_version": 1, "name": model, "members": [member], "weights": {}, "provenance": {}}
    ensemble.mkdir()
    write_json(record, ensemble / "ensemble.json")
    models = {"member": tmp_path / "model" / "member", model: ensemble}
    page = report(world, tmp_path / "report", inputs=replace(world.inputs, models=models))
    assert ["model", "c0de0fmodel", "5"] in page.rows
    assert ["torch", "9.8.7"] in page.rows


@pytest.fixture(scope="module")
def chosen(world):
    """The table of the result with the highest mean validation Dice over lesions."""
    tables = [pd.read_parquet(each.metrics_classes) for each in world.results]

    def score(table):
        wanted = (
            (table.split == "validation") & (table.measure == "dice_pooled") & (table.average == "mean over lesions")
        )
        return table[wanted].value.item()

    scores = [score(table) for table in tables]
    assert len(set(scores)) == len(scores)
    return tables[int(np.argmax(scores))]


def test_every_number_of_the_class_tables_is_that_of_the_parquet_file(world, chosen, written):
    summary = chosen
    for split in ("test", "validation"):
        for code in world.record.codes:
            part = summary[(summary.split == split) & (summary.class_code == code)].set_index("measure")["value"]
            beside = {
                "dice_pooled": part["dice_everywhere_pooled"],
                "dice_image_mean": part["dice_everywhere_image_mean"],
            }
            expected = [
                ("–" if np.isnan(part[name]) else f"{part[name]:.3f}")
                + ("" if np.isnan(beside.get(name, np.nan)) else f" all marked {beside[name]:.3f}, none 0")
                for name in (
                    "dice_pooled",
                    "iou_pooled",
                    "ap_pooled",
                    "aupr11_pooled",
                    "precision_pooled",
                    "recall_pooled",
                    "specificity_pooled",
                    "dice_image_mean",
                    "iou_image_mean",
                )
            ]
            assert any(row[0].startswith(code) and row[1:10] == expected for row in written[1].rows if row), (
                split,
                code,
            )


def test_every_average_stands_by_its_name_and_classes_with_the_value_of_the_parquet_file(chosen, written, world):
    averages = chosen[(chosen.split == "test") & (chosen.measure == "iou_pooled") & (chosen.average != "")]
    assert len(averages) == 3
    for row in averages.itertuples():
        name = f"{average_words(row.average, world.record).capitalize()} over "
        found = next(each for each in written[1].rows if each and each[0].startswith(name) and each[2])
        assert found[2].startswith(f"{row.value:.3f}"), name
        without = found[2].partition("without ")[2].replace(",", "").split()
        assert [code for code in found[0].removeprefix(name).split() if code not in without] == row.classes.split()


def test_every_plot_has_a_form_for_dark_pages_that_differs(written):
    folder, page = written
    dark = [source for source in page.sources if source.endswith(".dark.png")]
    assert len(dark) >= 8
    for source in dark:
        assert (folder / source).read_bytes() != (folder / source.replace(".dark.", ".light.")).read_bytes()


def test_every_plot_has_its_chart_in_the_page(written):
    page = written[1]
    assert page.tags.count("chart") == sum(source.endswith(".dark.png") for source in page.sources)
    text = (written[0] / "index.html").read_text()
    for found in re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL):
        assert {"layer", "params", "usermeta", "description"} <= set(json.loads(found))


def test_every_result_is_compared_and_the_choice_is_made_on_validation(world, written):
    scores = {}
    for each in world.results:
        table = pd.read_parquet(each.metrics_classes)
        wanted = (table.measure == "dice_pooled") & (table.average == "mean over lesions")
        scores[each.name] = table[wanted].set_index("split")["value"]
        assert any(
            row[0].startswith(each.name) and row[1] == f"{scores[each.name]['test']:.3f}"
            for row in written[1].rows
            if row
        )
    best = max(scores, key=lambda name: scores[name]["validation"])
    assert f"Shown in full: {best}" in " ".join(written[1].text)


def test_every_picture_exists_and_nothing_comes_from_a_network(written):
    folder, page = written
    assert len(page.sources) > 20
    for source in page.sources:
        assert (folder / source).is_file(), source
    text = (folder / "index.html").read_text()
    assert not re.search(r"(src|srcset|href)=\"(https?:)?//|@import|url\(", text)
    assert "iframe" not in page.tags
    assert page.tags.count("script") == 1  # its own, which stands in the page and loads the script of charts beside it
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", text)


def test_the_navigation_links_the_sections_of_the_page_in_the_order_of_their_table(written):
    names = [each.name for each in SECTIONS]
    others = ("#overlay-", "#rejections")
    anchors = [link[1:] for link in written[1].links if link.startswith("#") and not link.startswith(others)]
    linked = list(dict.fromkeys(anchors))
    assert linked == [name for name in names if name not in {"stains", "borders", "times", "hardest"}]
    assert [name for name in written[1].ids if name in names] == linked


def test_a_further_row_of_the_table_is_a_further_section(world, tmp_path, monkeypatch):
    empty = replace(world.inputs, indexes={}, models={}, originals={})
    first = report(world, tmp_path / "a" / "report", inputs=empty, results=[])
    row = replace(next(each for each in SECTIONS if each.name == "training"), name="again", title="Once more")
    monkeypatch.setattr("pipeline.report.page.page.SECTIONS", (*SECTIONS, row))
    again = report(world, tmp_path / "b" / "report", inputs=empty, results=[])
    assert again.ids == [*first.ids, "again"]
    assert [link for link in again.links if link.startswith("#") and link != "#rejections"][-1] == "#again"
    assert again.text.count("No model was trained.") == 2


def test_no_absolute_path_and_no_undefined_number_reaches_the_page(world, written):
    text = (written[0] / "index.html").read_text()
    assert str(world.folder) not in text
    assert str(Path.cwd()) not in text
    assert not re.search(r"\bnan\b|\bNone\b|inf\b", text.split("<section", 1)[1].split('id="run"')[0])


def test_rejections_are_listed_with_file_and_reason(written):
    text = " ".join(written[1].text)
    assert "1 of 7 images left out" in text
    assert "eye_08.jpg" in text
    assert "The file is truncated." in text


def test_a_picture_that_is_in_two_splits_is_reported_and_one_that_trains_twice_is_not(written):
    text = " ".join(written[1].text)
    assert "leaks" in written[1].ids
    assert "eye_01 (train) and eye_04 (test)" in text
    assert "eye_00 (train) and" not in text


def test_a_class_without_truth_is_a_dash_with_its_reason(written):
    assert "SE: no image of this split holds the class" in " ".join(written[1].text)


def test_an_image_without_truth_shows_its_prediction_only(written):
    shown = [source for source in written[1].sources if "image.eye_05.whole" in source]
    assert {source.split(".")[-2] for source in shown} == {"prediction", "probability"}
    assert "no truth: prediction only" in " ".join(written[1].text)


def test_test_images_are_shown_first(written):
    shown = list(dict.fromkeys(source.split(".")[1] for source in written[1].sources if ".whole." in source))
    assert set(shown[:2]) == {"eye_03", "eye_04"}
    assert shown[2:] == ["eye_05", "eye_02"]


def test_the_first_screen_holds_the_scores_beside_the_trivial_answer_and_leads_to_the_extremes(world, chosen, written):
    folder, page = written
    text = (folder / "index.html").read_text()
    first = Reader()
    first.feed(text.split('<section id="first"')[1].split("</section>")[0])
    part = chosen[chosen.split == "test"].pivot_table(
        index="class_code", columns="measure", values="value", observed=True
    )
    rows = {row[0].split()[0]: row[1:] for row in first.rows if row}
    assert set(rows) == set(world.record.codes)
    for code in ("MA", "EX", "OD"):
        names = ("dice_pooled", "dice_everywhere_pooled", "ap_pooled", "lesion_sensitivity_pooled")
        assert rows[code][:4] == [f"{part.loc[code, name]:.3f}" for name in names]
    assert rows["SE"][0] == "–"
    linked = [link for link in first.links if link.startswith("#overlay-")]
    assert len(linked) == 2
    assert {link[1:] for link in linked} <= set(page.ids)
    assert {"Best", "Worst"} <= set(first.text)
    above = (part["dice_pooled"] > part["dice_everywhere_pooled"])[part["dice_pooled"].notna()]
    assert ("On amber ground" in " ".join(first.text)) == (not above.all()), "said only of rows that are there"


@pytest.mark.parametrize(
    ("groups", "draws", "said"),
    [
        (
            {"test": 4, "validation": 3},
            50,
            "at least 10 groups (patients) in a split, and there are: test 4, validation 3.",
        ),
        ({"test": 40}, 0, "none were asked for"),
    ],
)
def test_the_page_says_why_there_is_no_interval(groups, draws, said):
    summary = pd.DataFrame({"split": list(groups), "groups": list(groups.values())})
    assert said in no_interval(summary, draws=draws)


def test_images_that_are_named_come_first_and_take_no_place_of_the_others():
    table = pd.DataFrame({"image_id": list("abcd"), "split": "test"})
    result = SimpleNamespace(probability=dict.fromkeys("abcd"), segmentation=dict.fromkeys("abcd"))
    found = results_to_show(table, result, measured=dict.fromkeys("abcd", "test"), most=2, first=["d", "a", "gone"])
    assert [row["image_id"] for row in found] == ["d", "a", "b"]


def test_patch_counts_are_those_of_the_index(world, written):
    frame = pd.read_parquet(world.inputs.indexes["guided"])
    train = frame[frame.split == "train"]
    for code, count in train.target_class.value_counts().items():
        assert any(row[:3] == ["train", code, str(count)] for row in written[1].rows)


def test_patches_are_shown_as_a_sheet_and_maps_with_what_the_sampling_noted(written):
    names = [source.split("/")[-1] for source in written[1].sources]
    assert "patches.guided.sheet.jpg" in names
    maps = [name for name in names if name.startswith("patches.guided.eye_")]
    assert maps == [f"patches.guided.eye_0{at}.{part}.jpg" for at in (0, 1) for part in ("boxes", "seen")]
    assert "SE: 2 of 3 patches drawn, because of this and that." in " ".join(written[1].text)
    assert any("3 / 30" in cell for row in written[1].rows for cell in row)


def test_the_summary_holds_the_declared_columns_and_the_values_of_the_choice(chosen, written):
    row = pd.read_parquet(written[0] / "summary.parquet")
    assert {name: str(dtype) for name, dtype in row.dtypes.items()} == SUMMARY_FIELDS
    summary = chosen
    wanted = (summary.split == "test") & (summary.average == "mean over lesions") & (summary.measure == "ap_pooled")
    assert row.ap_lesions.item() == summary[wanted].value.item()
    assert (written[0] / row.thumbnail.item()).is_file()


def test_the_model_is_among_the_code_digests_and_its_libraries_among_the_packages(written):
    rows = written[1].rows
    assert ["model", "c0de0fmodel", "5"] in rows
    assert ["torch", "9.8.7"] in rows


def test_every_number_behind_the_page_is_a_link_to_a_file_that_is_there(world, written):
    folder, page = written
    linked = {(folder / link).resolve() for link in page.links if link.endswith((".parquet", ".json"))}
    assert all(path.is_file() for path in linked)
    tables = {path for each in world.results for path in (each.metrics_images, each.metrics_classes, each.thresholds)}
    assert linked >= {path.resolve() for path in (*tables, world.inputs.images, *world.inputs.indexes.values())}


def test_every_image_stands_in_one_table_with_its_picture(world, written):
    folder, page = written
    small = {source for source in page.sources if source.endswith(".small.jpg")}
    assert small == {f"figures/image.{image}.small.jpg" for image in world.inputs.normalized}
    assert max(cv2.imread(str(folder / source)).shape[1] for source in small) <= 256
    text = (folder / "index.html").read_text()
    assert text.count(" data-searched>") == 1
    every = Reader()
    every.feed(text.split('<section id="every"')[1].split("</section>")[0])
    assert {row[0].split()[0] for row in every.rows if row} == {*world.inputs.normalized, "eye_08"}


def test_the_summary_as_json_holds_the_figures_of_the_tables(chosen, written):
    path = written[0] / "summary.json"
    found, row = json.loads(path.read_text()), pd.read_parquet(written[0] / "summary.parquet").iloc[0]
    assert found["dice_lesions"] == row.dice_lesions
    assert (found["result"], found["split"]) == (row.result, "test")
    part = chosen[(chosen.split == "test") & (chosen.measure == "ap_pooled")]
    for each in part.itertuples():
        kept = found["measures"][each.class_code or each.average]["ap_pooled"]
        for name in ("value", "low", "high"):
            assert kept[name] == (None if math.isnan(getattr(each, name)) else getattr(each, name))
    said = " ".join(written[1].text)  # Names of images are links: pieces of their own.
    assert all(re.sub(r"\s+", "", each["said"]) in re.sub(r"\s+", "", said) for each in found["warnings"])
    assert set(found["extremes"]) == {"best", "worst"}
    assert "NaN" not in path.read_text()


def test_the_index_links_each_report_and_shows_its_numbers(written, tmp_path):
    folder = written[0]
    write_index({"eyes": (folder / "index.html", folder / "summary.parquet")}, output=folder.parents[1] / "index.html")
    page = read(folder.parents[1] / "index.html")
    row = pd.read_parquet(folder / "summary.parquet").iloc[0]
    assert "eyes/report/index.html" in page.links
    assert all((folder.parents[1] / source).is_file() for source in page.sources)
    assert f"{row.dice_lesions:.3f}" in page.text
    text = (folder.parents[1] / "index.html").read_text()
    assert "https" not in text
    assert page.tags.count("script") == 1  # tables sort, copy and save here, too
    assert "chosen on" not in text  # the rule of what is shown first asks for no figures
    assert "Results not of this run" not in page.text


def test_the_index_names_the_first_results_that_are_not_of_the_run(written, tmp_path):
    row, names = pd.read_parquet(written[0] / "summary.parquet"), [f"model/old{at}" for at in range(5)]
    summary = tmp_path / "summary.parquet"
    row = row.assign(old=7, old_names=", ".join(names), thumbnail="")
    write_table(row, summary, provenance=PROVENANCE.as_attributes())
    write_index({"eyes": (written[0] / "index.html", summary)}, output=tmp_path / "index.html")
    assert f"Not of this run: {', '.join(names)} and 2 more" in read(tmp_path / "index.html").text


def test_every_box_that_scrolls_is_reached_by_tab_and_is_named_like_its_table(written):
    text = (written[0] / "index.html").read_text()
    captions = re.findall(r"<caption><span>(.*?)</span>", text)
    assert re.findall(r'<div class="scroll(?: tall)?" tabindex="0" role="group" aria-label="(.*?)">', text) == captions
    assert text.count('<div class="scroll') == len(captions) > 5


def test_the_same_input_gives_the_same_bytes(world, written, tmp_path):
    folder = tmp_path / "eyes" / "report"
    report(world, folder)
    for path in sorted(written[0].rglob("*")):
        if path.is_file():
            assert (folder / path.relative_to(written[0])).read_bytes() == path.read_bytes(), path.name


def test_a_report_without_any_model_is_written(world, tmp_path):
    inputs = replace(world.inputs, indexes={}, models={}, originals={})
    text = " ".join(report(world, tmp_path / "eyes" / "report", inputs=inputs, results=[]).text)
    for words in (
        "No patch index.",
        "No model was trained.",
        "No image has a prediction to show.",
        "No model has results",
    ):
        assert words in text
    write_index(
        {"eyes": (tmp_path / "eyes/report/index.html", tmp_path / "eyes/report/summary.parquet")},
        output=tmp_path / "index.html",
    )


def test_without_test_images_validation_stands_alone_and_rejections_say_none(make, make_eye, tmp_path):
    made = make(
        tmp_path / "in", [make_eye(0, "train"), make_eye(1, "validation"), make_eye(2, "validation")], fusions=("none",)
    )
    text = " ".join(report(made, tmp_path / "out" / "report").text)
    assert "No image was left out." in text
    assert "on the validation images" in text
    assert "on the test images" not in text


def test_images_without_prediction_are_left_out_of_the_overlays(world, tmp_path):
    part = [replace(each, probability={}, segmentation={}) for each in world.results]
    page = report(world, tmp_path / "eyes" / "report", results=part)
    assert "No image has a prediction to show." in " ".join(page.text)
    assert any("unet / none" in row[0] for row in page.rows if row)


def test_one_binary_class_and_images_of_a_few_pixels_are_shown(make, make_eye, world, tmp_path):
    record = world.record.model_copy(update={"task": "binary", "classes": world.record.classes[1:2]})
    tiny = [make_eye(n, split, height=9, width=5) for n, split in enumerate(("train", "validation", "test"))]
    one = [replace(eye, truth=eye.truth[1:2], probability=eye.probability[1:2]) for eye in tiny]
    made = make(tmp_path / "in", one, record=record, fusions=("none",))
    page = report(made, tmp_path / "out" / "report")
    assert any(".whole.errors" in source for source in page.sources)


def test_warnings_of_the_data_stand_above_the_sections(make, make_eye, tmp_path):
    world = make(tmp_path / "in", [make_eye(0, "train", height=9, width=5)], models=(), fusions=())
    sheet = {"image_id": "<b>a", "rejected": "", "pixels": {"MA": 1, "EX": 0}, "passed_over": {"odd bytes": 2}}
    sheet |= {"height": 9, "width": 5}
    (tmp_path / "a.json").write_text(json_text(sheet))
    inputs = replace(world.inputs, sheets=[tmp_path / "a.json"])
    page = report(world, tmp_path / "out" / "report", inputs=inputs, results=[])
    assert "warnings" in page.ids
    text = " ".join(page.text)
    assert "2 warnings of the data" in text
    assert "no image tests" in text
    first, second = (text.index(said) for said in ("EX: no pixel in 1 image", "2 × odd bytes; images: 1 (<b>a)"))
    assert first < second < text.index("No image was left out.")


def test_a_model_that_is_none_stands_in_a_box_of_its_own_above_all_else(make, make_eye, tmp_path):
    blind = [make_eye(n, split, height=40, width=40) for n, split in enumerate(("train", "validation", "test"))]
    blind = [replace(eye, probability=np.zeros_like(eye.probability)) for eye in blind]
    made = make(tmp_path / "in", blind, models=("unet",), fusions=("none",))
    folder = tmp_path / "out" / "report"
    page = report(made, folder)
    text = " ".join(page.text)
    assert "serious" in page.ids
    assert "On amber ground: not or hardly above the trivial answer" in text
    assert text.index("EX: unet is no better than a trivial answer (none, test images)") < text.index(
        "No image was left out."
    )
    assert pd.read_parquet(folder / "summary.parquet").serious.item() >= 4


def test_a_class_that_nothing_validates_is_said_on_top_and_in_the_summary(make, make_eye, tmp_path):
    absent = {"train": (), "validation": ("SE",), "test": ("SE",)}
    eyes = [make_eye(n, split, height=40, width=40, absent=absent[split]) for n, split in enumerate(absent)]
    made, folder = make(tmp_path / "in", eyes, models=("unet",), fusions=("none",)), tmp_path / "out" / "report"
    text = " ".join(report(made, folder).text)
    said = "SE: no truth in any validation image: its threshold was not fitted and no figure judges it"
    assert text.index(said) < text.index("No image was left out.")
    found = [each for each in json.loads((folder / "summary.json").read_text())["warnings"] if each["class"] == "SE"]
    assert [(each["kind"], each["serious"]) for each in found] == [("class_not_validated", True)]
    assert found[0]["said"].startswith(said)


def test_a_name_with_markup_is_shown_as_text(make, make_eye, world, tmp_path):
    record = world.record.model_copy(update={"title": "<script>alert(1)</script>"})
    made = make(tmp_path / "in", [make_eye(0, "train")], record=record, models=(), fusions=())
    assert report(made, tmp_path / "out" / "report").tags.count("script") == 1


def test_the_windows_that_were_skipped_and_the_truth_nobody_saw_are_told(written, world):
    _, page = written
    predicted = len(world.results[0].probability)
    row = next(row for row in page.rows if row and row[0] == world.results[0].name and "25.0 %" in row)
    assert row[1:] == [str(predicted), "64", "48", str(30 * predicted), "25.0 %", f"{7 * predicted} pixels"]


@pytest.fixture(scope="module")
def stained(slides, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stained") / "slides" / "report"
    return folder, report(slides, folder, histology=True)


def test_the_page_shows_the_stains_of_every_image_as_swatches_with_their_code(slides, stained):
    text = (stained[0] / "index.html").read_text()
    assert "stains" in stained[1].ids
    assert "#stains" in stained[1].links
    for path in (*slides.inputs.stains.values(), slides.inputs.target):
        facts = json.loads(path.read_text())
        if facts["matrix"] is None:
            continue
        rows = zip(facts["matrix"], facts["maxima"], strict=True)
        for colour in [[round(255 * math.exp(-most * part)) for part in row] for row, most in rows]:
            code = "#{:02x}{:02x}{:02x}".format(*colour)
            assert f'<i style="background:{code}"></i></span><small>{code}</small>' in text


def test_flags_of_stains_are_in_the_table_and_among_the_flags_of_the_images(stained):
    text = (stained[0] / "index.html").read_text()
    assert len(re.findall(r'<tr class="marked">', text)) == 2
    row = next(row for row in stained[1].rows if row and row[0].startswith("eye_04 test"))
    assert row[1] == "reference"
    assert row[-1] == "vectors nearly parallel; weak eosin"
    assert re.search(r"<b>eye_04</b>: weak eosin", text)
    assert re.search(r"<b>eye_03</b>: too little tissue", text)
    assert flags_by_kind([(f"eye_{at}", f"weak eosin: 0.{at}") for at in range(9)]) == [
        ([f"eye_{at}" for at in range(9)], "weak eosin: 0.0")
    ]


def test_the_page_names_method_target_and_background(stained):
    text = " ".join(stained[1].text)
    assert "stain normalisation: Vahadane. Target: median of 3 training images." in text
    assert "Light through bare glass is estimated" in text


def test_pairs_of_histology_show_one_place_pixel_for_pixel(slides, stained):
    folder, page = stained
    near = [source for source in page.sources if ".near." in source]
    assert len(near) == 2 * PAIRS
    assert all(cv2.imread(str(folder / source)).shape == (NEAR_SIDE, NEAR_SIDE, 3) for source in near)
    before, after = (cv2.imread(str(folder / f"figures/image.eye_00.near.{name}.jpg")) for name in ("before", "after"))
    assert np.array_equal(before, after)


def test_no_undefined_number_of_a_stain_reaches_the_page(stained):
    text = re.sub(r'<script type="application/json">.*?</script>', "", (stained[0] / "index.html").read_text())
    assert not re.search(r"\bnan\b|\bNone\b|\bnull\b", text.split('id="stains"')[1].split('id="patches"')[0])


def test_a_fundus_page_says_nothing_of_stains(written):
    folder, page = written
    assert "stains" not in page.ids
    assert "#stains" not in page.links
    assert not [path.name for path in (folder / "figures").iterdir() if "stain" in path.name or ".near." in path.name]


def test_every_file_that_a_page_with_stains_links_to_exists_and_links_lead_nowhere_else(stained):
    folder, page = stained
    for link in [*page.sources, *page.links]:
        assert link.startswith(("#", "data:")) or (folder / link).is_file(), link
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


@pytest.fixture(scope="module")
def bordered(world, tmp_path_factory):
    """The page with a table of window borders, and that table."""
    folder = tmp_path_factory.mktemp("borders") / "eyes" / "report"
    folder.mkdir(parents=True)
    model = world.results[0].model
    mine = [each for each in world.results if each.model == model]
    write_borders(
        world.inputs.images,
        probability={each.fusion: each.probability for each in mine},
        segmentation={each.fusion: each.segmentation for each in mine},
        normalized=world.inputs.normalized,
        folds=[-1],
        job=Job(world.record, PROVENANCE),
        output=folder / f"{model}.borders.parquet",
    )
    inputs = replace(world.inputs, borders={model: folder / f"{model}.borders.parquet"})
    return (
        folder,
        report(world, folder, inputs=inputs, results=mine),
        pd.read_parquet(folder / f"{model}.borders.parquet"),
    )


def test_the_borders_of_each_fusion_stand_in_the_page_as_in_the_table(bordered):
    _, page, table = bordered
    test = table[table["split"] == "test"]
    assert len(test)
    names = {"none": "no overlap", "max": "maximum", "mean": "mean", "gaussian": "Gaussian"}
    for fusion, own in test.groupby("fusion", observed=True):
        across = own["border_step"].sum() / own["border_pixels"].sum()
        beside = own["beside_step"].sum() / own["beside_pixels"].sum()
        expected = [f"{across:.4f}", f"{beside:.4f}", f"{across - beside:.4f}"]
        assert any(row[0].startswith(names[fusion]) and row[1:4] == expected for row in page.rows if row), fusion


def test_the_worst_seam_is_shown_in_every_fusion(bordered):
    folder, page, table = bordered
    shown = [source for source in page.sources if "borders.seam." in source]
    assert len(shown) == 1 + table["fusion"].nunique()
    test = table[table["split"] == "test"]
    worst = test.loc[test["worst_excess"].idxmax()]
    text = " ".join(page.text)
    assert f"The worst seam: {worst['image_id']}, {worst['class_code']}" in text
    place = re.search(r"The worst seam: [^:]*rows (\d+)–(\d+), columns (\d+)–(\d+)", text)
    first, last = (int(place[at]) for at in ((1, 2) if worst["worst_axis"] == "y" else (3, 4)))
    assert first <= worst["worst_line"] <= last
    for source in shown:
        picture = cv2.imread(str(folder / source))
        assert picture.shape[:2] == (3 * (int(place[2]) - int(place[1])), 3 * (int(place[4]) - int(place[3])))


def test_a_page_without_such_a_table_has_no_such_section(written):
    assert "borders" not in written[1].ids


def test_times_stand_beside_the_page_and_change_nothing_in_it(world, tmp_path):
    pages = []
    for seconds in (1.5, 20.5):
        folder, noted = tmp_path / str(seconds) / "report", tmp_path / str(seconds) / "noted"
        (noted / "raw" / "raw_image").mkdir(parents=True)
        (noted / "raw" / "raw_image" / "a.tsv").write_text(f"s\tmax_rss\tcpu_time\n{seconds}\t99\t1\n")
        page = report(world, folder, times=Noted(noted))
        assert "times" in page.ids
        assert all((folder / link).is_file() for link in ("times.html", "times.csv") if link in page.links)
        assert str(seconds) in (folder / "times.html").read_text()
        pages.append((folder / "index.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_page_without_times_has_no_such_section(written):
    assert "times" not in written[1].ids
    assert not {"times.html", "times.csv", "#times"} & set(written[1].links)
