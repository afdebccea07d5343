from pathlib import Path

import pytest

from pipeline.partial import file_in_progress, folder_in_progress
from pipeline.words import partial_path, safe_name


@pytest.fixture
def output(tmp_path):
    return tmp_path / "results" / "idrid" / "normalized" / "a.zarr"


def interrupt(output, digest, name):
    with pytest.raises(KeyboardInterrupt), folder_in_progress(output, digest=digest) as partial:  # noqa: PT012
        (partial / name).write_text(name)
        raise KeyboardInterrupt


def test_an_interrupted_folder_is_continued_while_its_digest_matches(output):
    interrupt(output, "one", "first")
    assert not output.exists()
    with folder_in_progress(output, digest="one") as partial:
        assert (partial / "first").read_text() == "first"
    assert [path.name for path in output.iterdir()] == ["first"]


def test_an_interrupted_folder_of_another_digest_is_discarded(output):
    interrupt(output, "one", "first")
    with folder_in_progress(output, digest="two") as partial:
        assert list(partial.iterdir()) == []


def test_a_finished_folder_replaces_the_older_one_and_leaves_nothing_behind(output):
    for digest in ("one", "two"):
        with folder_in_progress(output, digest=digest) as partial:
            (partial / digest).touch()
    assert [path.name for path in output.iterdir()] == ["two"]
    assert list((output.parents[2] / ".partial").rglob("*.zarr*")) == []


def test_an_interrupted_file_leaves_the_older_one(tmp_path):
    output = tmp_path / "results" / "idrid" / "raw" / "images.parquet"
    with file_in_progress(output) as partial:
        partial.write_text("old")
    with pytest.raises(RuntimeError), file_in_progress(output) as partial:  # noqa: PT012
        partial.write_text("half")
        raise RuntimeError
    assert output.read_text() == "old"


def test_unfinished_results_lie_below_the_results_folder_and_not_among_results():
    path = Path("out/report/idrid/model/unet/weights.pt")
    assert partial_path(path) == Path("out/report/.partial/idrid/model/unet/weights.pt")


@pytest.mark.parametrize("name", ["model", "a/b", "../a", "", ".hidden", "a b"])
def test_names_that_would_confuse_paths_are_refused(name):
    with pytest.raises(ValueError, match="name"):
        safe_name(name)
