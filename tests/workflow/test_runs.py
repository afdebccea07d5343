"""Whole runs of the workflow on a tiny data set."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr

from tests.workflow.project import PROJECT, SAID, copy_of_project

STORES = ("normalized", "probability", "segmentation")


def tables(root: Path) -> dict[str, pd.DataFrame]:
    return {path.relative_to(root).as_posix(): pd.read_parquet(path) for path in sorted(root.rglob("*.parquet"))}


def arrays(root: Path) -> dict[str, np.ndarray]:
    found = {}
    for store in sorted(root.rglob("*.zarr")):
        group = zarr.open_group(store, mode="r")  # noqa: TID251
        found[f"{store.relative_to(root)}@"] = json.loads(json.dumps(dict(group.attrs), sort_keys=True))
        for name in ("0", "1", "truth", "roi", "masks"):
            if name in group:
                found[f"{store.relative_to(root)}/{name}"] = group[name][:]
    return found


TIMES = ("report/times.html", "report/times.csv")
"""Seconds and memory of the jobs, which differ between runs of the same seed."""

STATES = ".inputs/"
"""Sizes, times and digests of the inputs: a copied folder has files of another time."""


def texts(root: Path) -> dict[str, str]:
    kinds = (".json", ".geojson", ".html", ".csv")
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.suffix in kinds}
    return {name: path.read_text() for name, path in found.items() if not name.endswith(TIMES)}


def contents(root: Path) -> dict[str, str]:
    return {name: text for name, text in texts(root).items() if not name.startswith(STATES)}


def results(project) -> Path:
    return project.folder / "results" / "tiny"


def test_a_run_leaves_every_promised_result(finished):
    root = results(finished)
    for pattern in (
        "raw/tiny_01.json",
        "raw/images.parquet",
        "normalized/tiny_01.zarr/0",
        "index/candidates/tiny_01.parquet",
        "index/guided.parquet",
        "model/unet/weights.pt",
        "model/unet/card.json",
        "model/unet/history.parquet",
        "model/unet/thresholds.gaussian.json",
        "probability/unet/gaussian/tiny_04.zarr/0",
        "segmentation/unet/gaussian/thresholds.json",
        "segmentation/unet/gaussian/tiny_04.geojson",
        "segmentation/unet/gaussian/lesions.parquet",
        "report/index.html",
        *TIMES,
    ):
        assert (root / pattern).exists(), pattern
    pink = root.parent / "pink"
    for pattern in (
        "normalized/pink_01.stain.json",
        "normalized/target.json",
        "normalized/pink_01.zarr/0",
        "index/balanced.parquet",
        "model/unet/weights.pt",
        "probability/unet/max/pink_03.zarr/0",
        "segmentation/unet/max/lesions.parquet",
        "report/index.html",
    ):
        assert (pink / pattern).exists(), pattern
    assert not (pink / "probability/unet/gaussian").exists()
    assert (root.parent / "index.html").exists()
    assert not [path for path in (root.parent / ".partial").rglob("*") if path.is_file()]


def test_a_first_run_takes_no_result_for_one_of_another_folder(finished):
    said = finished.folder.joinpath(SAID).read_text()
    assert "(100%) done" in said
    assert "another working folder" not in said


def test_nothing_to_do_after_a_run(finished):
    assert finished.wants() == set()


def test_the_index_holds_the_counts_that_the_configuration_promises(finished):
    index = pd.read_parquet(results(finished) / "index" / "guided.parquet")
    train = index[index["split"] == "train"]
    # 22 patches over the five classes, as evenly as whole numbers allow, the first of equals first.
    counts = train.groupby("target_class", observed=True).size().to_dict()
    assert counts == {"MA": 5, "HE": 5, "EX": 4, "SE": 4, "OD": 4}
    assert index[index["split"] != "train"]["target_class"].isna().all()


def test_no_result_names_a_folder_of_this_machine(finished):
    for name, text in texts(results(finished)).items():
        assert "folder_of_the_one_run" not in text, name
        assert str(PROJECT) not in text, name


@pytest.mark.slow
@pytest.mark.parametrize("cores", [1, 8])
def test_other_numbers_of_cores_give_the_same_content(finished, tmp_path, cores):
    other = copy_of_project(tmp_path / "other")
    done = other.snakemake(f"-j{cores}", "all")
    assert done.returncode == 0, done.stderr[-6000:]
    one, eight = results(finished).parent, results(other).parent
    for name, frame in tables(one).items():
        pd.testing.assert_frame_equal(frame, tables(eight)[name], obj=name)
    first, second = arrays(one), arrays(eight)
    assert first.keys() == second.keys()
    for name, content in first.items():
        np.testing.assert_equal(content, second[name], err_msg=name)
    assert contents(one) == contents(eight)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "seeds=1"], ["seeds", "'seed'"]),
        (["--config", 'datasets=["tinny"]'], ["tinny", "'tiny'"]),
        (["--config", "manifest=none.yaml"], ["none.yaml", "does not exist"]),
        (["--config", "seed=-1"], ["seed", "-1", "greater than or equal to 0"]),
    ],
)
def test_what_concerns_the_configuration_stops_before_any_work(finished, arguments, words):
    code, text, _ = finished.forked("-j1", "all", *arguments)
    assert code != 0
    assert all(word in text for word in words), text
    assert "Traceback" not in text
    assert "Select jobs to execute" not in text
