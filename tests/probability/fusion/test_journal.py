"""Journal: marks and halos outlive the process that wrote them, and a new store begins with none."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.probability.fusion.journal import Journal
from pipeline.probability.plan import Block
from pipeline.stores import create_group, create_plane, write_box

BLOCK, OTHER = Block(2, 1), Block(1, 2)


def test_marks_and_halos_are_found_again_and_a_new_store_has_none(tmp_path: Path) -> None:
    sums = np.arange(48, dtype=np.float32).reshape(2, 4, 6)[:, :, 1:4]  # not contiguous, as cut from sums
    journal = Journal(tmp_path / "work")
    journal.open(tmp_path, fresh=True)
    journal.write_halo(BLOCK, "right", sums)
    journal.set_done(BLOCK)
    again = Journal(tmp_path / "work")
    again.open(tmp_path, fresh=False)
    assert again.is_done(BLOCK)
    assert not again.is_done(OTHER)
    assert again.has_halo(BLOCK, "right")
    assert not again.has_halo(BLOCK, "below")
    found = again.read_halo(BLOCK, "right")
    assert found.dtype == np.float32
    assert np.array_equal(found, sums)
    again.delete_halo(BLOCK, "right")
    again.delete_halo(BLOCK, "right")  # a job was killed between the deletions
    assert not again.has_halo(BLOCK, "right")
    again.open(tmp_path, fresh=True)
    assert not again.is_done(BLOCK)


def test_a_halo_that_was_cut_off_by_a_kill_is_no_halo(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "work")
    journal.open(tmp_path, fresh=True)
    journal.write_halo(BLOCK, "corner", np.ones((1, 2, 3), np.float32))
    (written,) = journal.folder.iterdir()
    written.rename(written.with_suffix(".new"))
    assert not journal.has_halo(BLOCK, "corner")


@pytest.mark.parametrize("kept", [0, 7, 100, 130, 151])
def test_a_halo_that_a_power_cut_tore_is_forgotten(tmp_path: Path, kept: int) -> None:
    journal = Journal(tmp_path / "work")
    journal.open(tmp_path, fresh=True)
    journal.write_halo(BLOCK, "corner", np.ones((1, 2, 3), np.float32))
    (written,) = journal.folder.iterdir()
    whole = written.read_bytes()
    for torn in (whole[:kept], whole[:kept] + bytes(len(whole) - kept)):
        written.write_bytes(torn)
        with pytest.raises(StoreError, match="damaged"):
            journal.read_halo(BLOCK, "corner")
        journal.open(tmp_path, fresh=False)
        assert not journal.has_halo(BLOCK, "corner")


def test_a_mark_counts_only_with_its_shards(tmp_path: Path) -> None:
    array = create_plane(
        create_group(tmp_path / "a.zarr", attributes={}),
        "x",
        shape=(9, 9),
        dtype="uint8",
        storage=Storage(chunk=4, shard=8),
    )
    shards = write_box(array, np.ones((9, 9), np.uint8), y0=0, x0=0)
    journal = Journal(tmp_path / "work")
    journal.open(tmp_path / "a.zarr", fresh=True)
    journal.set_done(BLOCK, shards)
    journal.set_done(OTHER, shards[:1])
    torn = tmp_path / "a.zarr" / shards[-1].path
    torn.write_bytes(torn.read_bytes()[:-9])
    journal.open(tmp_path / "a.zarr", fresh=False)
    assert journal.is_done(OTHER)
    assert not journal.is_done(BLOCK)
