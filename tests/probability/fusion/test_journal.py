"""Journal: marks and halos outlive the process that wrote them, and a new store begins with none."""

from pathlib import Path

import numpy as np

from pipeline.probability.fusion.journal import Journal
from pipeline.probability.plan import Block

BLOCK, OTHER = Block(2, 1), Block(1, 2)


def test_marks_and_halos_are_found_again_and_a_new_store_has_none(tmp_path: Path) -> None:
    sums = np.arange(48, dtype=np.float32).reshape(2, 4, 6)[:, :, 1:4]  # not contiguous, as cut from sums
    journal = Journal(tmp_path / "work")
    journal.open(fresh=True)
    journal.write_halo(BLOCK, "right", sums)
    journal.set_done(BLOCK)
    again = Journal(tmp_path / "work")
    again.open(fresh=False)
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
    again.open(fresh=True)
    assert not again.is_done(BLOCK)


def test_a_halo_that_was_cut_off_by_a_kill_is_no_halo(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "work")
    journal.open(fresh=True)
    journal.write_halo(BLOCK, "corner", np.ones((1, 2, 3), np.float32))
    (written,) = journal.folder.iterdir()
    written.rename(written.with_suffix(".new"))
    assert not journal.has_halo(BLOCK, "corner")
