"""Holes of tissue up to a stated size belong to the region of interest; ink, larger holes and open glass do not."""

import numpy as np
import pytest

from pipeline.normalized.stain.tissue import fill_holes, foreign_mask, tissue_mask

NONE = np.zeros((40, 50), np.bool_)


def tissue(*holes):
    mask = ~NONE
    for rows, columns in holes:
        mask[rows, columns] = False
    return mask


SMALL, LARGE = (slice(5, 9), slice(5, 10)), (slice(15, 35), slice(20, 40))


@pytest.mark.parametrize(("share", "left"), [(0.0, (SMALL, LARGE)), (0.01, (LARGE,)), (0.2, ())])
def test_holes_up_to_the_share_are_filled(share, left):
    # Of 2000 pixels the small hole has 20, the large one 400.
    found = fill_holes(tissue(SMALL, LARGE), foreign=NONE, largest_share=share)
    assert np.array_equal(found, tissue(*left))


def test_what_the_border_cuts_is_no_hole():
    mask = tissue((slice(0, 3), slice(5, 9)), (slice(20, 24), slice(46, 50)))
    assert np.array_equal(fill_holes(mask, foreign=NONE, largest_share=1.0), mask)
    assert not fill_holes(NONE, foreign=NONE, largest_share=1.0).any()


def test_a_hole_that_is_mostly_ink_stays():
    mask, ink = tissue(SMALL, LARGE), NONE.copy()
    ink[5:8, 5:10] = ink[15:20, 20:40] = True  # 15 of 20 pixels, 100 of 400
    assert np.array_equal(fill_holes(mask, foreign=ink, largest_share=1.0), tissue(SMALL))


def test_a_lumen_is_filled_and_a_pen_mark_is_not():
    image = np.full((200, 300, 3), (200, 120, 170), np.uint8)
    image[40:100, 40:100] = 244
    image[120:160, 200:240] = (20, 40, 160)
    found = tissue_mask(image)
    assert not found[70, 70]
    assert not found[140, 220]
    filled = fill_holes(found, foreign=foreign_mask(image), largest_share=0.1)
    assert filled[40:100, 40:100].all()
    assert not filled[140, 220]
