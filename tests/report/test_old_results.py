"""Results that the configuration no longer names are found, named and taken away; all others stay."""

import pandas as pd
import pytest

from pipeline.cli import main
from pipeline.config import StageConfig
from pipeline.config.run import DatasetRun
from pipeline.report.old_results import Named, old_results, old_sentences, old_warnings, remove
from pipeline.stores import create_group, write_table
from pipeline.stores.documents import write_json
from pipeline.stores.record import seal

KEPT = [
    "model/.hardest/unet.parquet",
    "model/unet/card.json",
    "probability/unet/gaussian/a.zarr/zarr.json",
    "segmentation/unet/gaussian/lesions.parquet",
    "index/guided.parquet",
    "index/candidates/a.parquet",
    "report/unet.gaussian.images.parquet",
    "report/unet.borders.parquet",
    "report/summary.parquet",
    "report/viewer/viewer.js",
    "report/worst/index.html",
    "raw/images.parquet",
]
OLD = [
    "index/other.parquet",
    "model/.hardest/older.parquet",
    "model/older",
    "probability/older",
    "probability/unet/max",
    "report/older.borders.parquet",
    "report/unet.max.classes.parquet",
    "report/zoom",
    "segmentation/unet/max",
]


def store(path):
    create_group(path, attributes={"provenance": {}})
    seal(path)


@pytest.fixture
def folder(tmp_path):
    for name in [*KEPT, *(name if name.endswith(".parquet") else f"{name}/a.zarr/zarr.json" for name in OLD)]:
        path = tmp_path / "fundus_sample" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".parquet"):
            write_table(pd.DataFrame({"a": [1]}), path, provenance={})
        elif path.name == "zarr.json":
            store(path.parent)
        else:
            path.write_text("{}")
    return tmp_path / "fundus_sample"


def named():
    config = StageConfig.model_validate({"model": {"models": {"unet": {}}}, "probability": {"fusions": ["gaussian"]}})
    return Named.by(config)


def test_what_is_not_named_is_found_and_nothing_else(folder):
    assert [path.relative_to(folder).as_posix() for path in old_results(folder, named())] == OLD
    (warning,) = old_warnings(folder, named())
    assert warning.sentence.startswith(f"{len(OLD)} results are not of this run")
    assert list(warning.names) == OLD[:5]
    assert "lesionmap clean" in warning.advice


@pytest.mark.parametrize(
    ("zoom", "old"), [("all", {"worst"}), ("worst 2", {"zoom"}), ("none", {"worst", "zoom", "viewer"})]
)
def test_pages_in_deep_zoom_are_old_where_another_rule_holds(tmp_path, zoom, old):
    for name in ("worst", "zoom", "viewer", "figures"):
        (tmp_path / "report" / name).mkdir(parents=True)
    config = StageConfig.model_validate({"report": {"zoom": zoom}})
    assert {path.name for path in old_results(tmp_path, Named.by(config))} == old


def test_the_end_of_a_run_has_a_line_for_each_data_set_with_old_results(folder):
    config = StageConfig.model_validate({"model": {"models": {"unet": {}}}, "probability": {"fusions": ["gaussian"]}})
    runs = [DatasetRun(name, name, None, None, config) for name in ("fundus_sample", "other")]
    (line,) = old_sentences(folder.parent, runs)
    assert line.startswith(f"fundus_sample: {len(OLD)} results")
    assert "lesionmap clean --dry-run" in line
    assert "\n" not in line


def test_a_folder_without_results_has_no_old_ones(tmp_path):
    assert old_results(tmp_path / "none", named()) == []
    assert old_warnings(tmp_path, named()) == []


def test_a_link_is_taken_away_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_command_lists_first_and_removes_only_when_it_is_told(folder, capsys):
    given = ["--config", f"results={folder.parent}", "datasets=[fundus_sample]", "probability={fusions: [gaussian]}"]
    assert main(["clean", "--dry-run", *given]) == 0
    said = capsys.readouterr().out
    assert all(f"would remove: {folder / name}" in said for name in OLD)
    assert (folder / OLD[1]).exists()
    assert main(["clean", *given]) == 0
    assert not any((folder / name).exists() for name in OLD)
    assert all((folder / name).exists() for name in KEPT)
    (folder.parent / "others" / "raw").mkdir(parents=True)
    assert main(["clean", *given]) == 0
    said = capsys.readouterr().out
    assert "0 results" in said
    assert f"not looked at, of no data set of this configuration: 1 ({folder.parent / 'others'})" in said


@pytest.mark.parametrize(
    "name",
    [
        "model/README.txt",
        "index/my_selection.parquet",
        "segmentation/unet/mine.geojson",
        "segmentation/unet/checked/a.geojson",
        "segmentation/unet/mine.zarr",
        "segmentation/unet/checked/notes.zarr/labels",
        "model/figure.png",
        "model/figures/plot.svg",
        "model/pretrained/weights.pt",
    ],
)
def test_files_of_users_are_left_and_named(folder, capsys, name):
    path = folder / name
    path.parent.mkdir(exist_ok=True, parents=True)
    if name.endswith("labels"):  # in a store of this package
        store(path.parent)
        path.write_text("mine")
        name = name.removesuffix("/notes.zarr/labels") + "/notes.zarr"
    elif name.endswith("zarr"):
        path.mkdir()
        (path / "zarr.json").write_text('{"attributes": {"ome": {}}, "node_type": "group", "zarr_format": 3}')
    elif name.endswith("parquet"):
        pd.DataFrame({"a": [1]}).to_parquet(path)
    else:
        path.write_text("{}")
    given = ["--config", f"results={folder.parent}", "datasets=[fundus_sample]", "probability={fusions: [gaussian]}"]
    assert main(["clean", *given]) == 0
    said = capsys.readouterr().out
    assert path.exists()
    path = folder / name
    assert f"left: {path if path.parent.name in ('model', 'index', 'unet') else path.parent}" in said
    assert not any((folder / each).exists() for each in OLD)


def test_a_whole_model_of_a_former_name_is_removed(folder):
    model = folder / "model" / "gone"
    write_json({"model": "gone"}, model / "card.json")
    for name in ("weights.pt", "history.csv", "progress.png"):
        (model / name).write_text("")
    given = ["--config", f"results={folder.parent}", "datasets=[fundus_sample]", "probability={fusions: [gaussian]}"]
    assert main(["clean", *given]) == 0
    assert not model.exists()
