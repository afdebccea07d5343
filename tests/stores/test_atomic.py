import shutil
from pathlib import Path

import pytest

from pipeline.geometry import Box
from pipeline.stores.atomic import FinishedBlocks, block_line, file_in_progress, folder_in_progress, is_claimed
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


BOXES = [Box(y, 0, y + 10, 10) for y in range(0, 50, 10)]


def test_blocks_that_were_finished_are_not_done_again(tmp_path):
    folder, done = tmp_path / "store", []
    folder.mkdir()

    def dies_at_the_third(box):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(box)
        return ()

    with pytest.raises(KeyboardInterrupt), FinishedBlocks(folder) as finished:  # noqa: PT012
        for box in BOXES:
            finished.once(dies_at_the_third)(box)
    again = []
    with FinishedBlocks(folder) as finished:
        for box in BOXES:
            finished.once(lambda box: again.append(box) or ())(box)
    assert again == BOXES[2:]


def test_a_torn_line_counts_for_nothing(tmp_path):
    folder, done = tmp_path / "store", []
    lines = [block_line(name, ()) for name in ("0 0 10 10", "10 0 20 10")]
    (tmp_path / "store.blocks").write_bytes(lines[0] + b"\n" + lines[1][:-3])
    for expected in (BOXES[1:], []):  # what is written after a torn line is found
        done.clear()
        with FinishedBlocks(folder) as finished:
            for box in BOXES:
                finished.once(lambda box: done.append(box) or ())(box)
        assert done == expected


def test_another_digest_or_a_lost_folder_forgets_the_blocks(tmp_path):
    output = tmp_path / "results" / "d" / "normalized" / "a.zarr"
    with pytest.raises(KeyboardInterrupt), folder_in_progress(output, digest="one") as partial:  # noqa: PT012
        beside = partial.with_name(partial.name + ".blocks")
        beside.write_text("0 0 10 10\n")
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt), folder_in_progress(output, digest="one"):  # noqa: PT012
        assert beside.is_file()
        raise KeyboardInterrupt
    partial.rmdir()
    with pytest.raises(KeyboardInterrupt), folder_in_progress(output, digest="one"):  # noqa: PT012
        assert not beside.exists()
        beside.write_text("0 0 10 10\n")
        raise KeyboardInterrupt
    with folder_in_progress(output, digest="two"):
        assert not beside.exists()


def test_a_deletion_that_was_interrupted_leaves_nothing_to_continue(output, monkeypatch):
    interrupt(output, "a", "first")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(InterruptedError):
            folder_in_progress(output, digest="b").__enter__()
    with folder_in_progress(output, digest="a") as folder:
        assert not list(folder.iterdir()), "what is half deleted is not continued"


def replace(output, content):
    with folder_in_progress(output, digest=content) as folder:
        (folder / "x").write_text(content)


def interrupted(path):
    raise InterruptedError(path)


def test_an_older_folder_is_deleted_only_when_the_new_one_is_in_its_place(output, monkeypatch):
    replace(output, "old")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(InterruptedError):
            replace(output, "new")
    assert (output / "x").read_text() == "new"
    with folder_in_progress(output, digest="third") as folder:
        assert not (folder / "x").exists()
    assert not list(partial_path(output).parent.iterdir()), "the one set aside goes with the next"


def test_a_folder_is_claimed_by_one_digest(output):
    partial = partial_path(output)
    assert not is_claimed(partial, digest="a")
    with folder_in_progress(output, digest="a") as folder:
        assert is_claimed(folder, digest="a")
        assert not is_claimed(folder, digest="b")
    assert not is_claimed(partial, digest="a")
