"""After coverage every lesion is touched by a patch, and wholly held where a patch can hold it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.arrays.components import whole_components
from pipeline.arrays.raster import Raster
from pipeline.index.candidates import Lesions
from pipeline.index.sampling.coverage import contained, cover, touched


def lesions_of(mask):
    columns = whole_components(mask)[1].columns()
    names = ("area", "y0", "x0", "y1", "x1", "first_y", "first_x")
    return Lesions(np.arange(len(columns["area"])), *(np.asarray(columns[name], np.int64) for name in names))


def random_case(seed, share, patch):
    random = np.random.Generator(np.random.PCG64(seed))
    height, width = random.integers(8, 50, 2)
    mask = ndimage.binary_dilation(random.random((height, width)) < share, iterations=int(random.integers(0, 3)) or 1)
    size = np.minimum(patch, [height, width])
    start = (random.random((int(random.integers(0, 6)), 2)) * ([height, width] - size + 1)).astype(np.int64)
    return mask, np.concatenate([start, start + size], axis=1), size


CASES = {"seed": st.integers(0, 9999), "share": st.sampled_from([0.005, 0.03, 0.1, 0.3]), "patch": st.integers(3, 30)}


@settings(max_examples=50, deadline=None)
@given(**CASES)
def test_touched_and_contained_are_what_the_pixels_say(seed, share, patch):
    mask, boxes, _ = random_case(seed, share, patch)
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    inside, whole = set(), set()
    for y0, x0, y1, x1 in boxes:
        part = set(np.unique(labels[y0:y1, x0:x1])) - {0}
        outside = labels.copy()
        outside[y0:y1, x0:x1] = 0
        inside |= part
        whole |= part - set(np.unique(outside))
    lesions = lesions_of(mask)
    own = labels[lesions.first_y, lesions.first_x]
    assert len(own) == count
    assert touched(lesions, boxes, mask=Raster.of(mask)).tolist() == [label in inside for label in own]
    assert contained(lesions, boxes).tolist() == [label in whole for label in own]


@settings(max_examples=50, deadline=None)
@given(**CASES)
def test_after_coverage_every_component_is_touched_and_held_where_it_fits(seed, share, patch):
    mask, boxes, size = random_case(seed, share, patch)
    lesions = lesions_of(mask)
    place, added = cover(lesions, boxes, patch=patch, mask=Raster.of(mask))
    assert (added[:, :2] >= 0).all()
    assert (added[:, 2:] <= mask.shape).all()
    assert (added[:, 2:] - added[:, :2] == size).all()
    everything = np.concatenate([boxes, added])
    fits = (lesions.y1 - lesions.y0 <= size[0]) & (lesions.x1 - lesions.x0 <= size[1])
    assert contained(lesions, everything)[fits].all()
    assert touched(lesions, everything, mask=Raster.of(mask)).all()
    assert (np.diff(place) > 0).all()


def test_what_is_covered_already_gets_no_patch_and_one_patch_serves_neighbours():
    mask = np.zeros((40, 40), bool)
    mask[5, 5] = mask[8, 8] = mask[30, 30] = True
    place, added = cover(lesions_of(mask), np.array([[25, 25, 35, 35]]), patch=10, mask=Raster.of(mask))
    assert place.tolist() == [0]
    assert added.tolist() == [[0, 0, 10, 10]]


def test_a_ring_larger_than_a_patch_is_touched_although_its_centre_is_empty():
    mask = np.zeros((60, 60), bool)
    mask[10:50, 10:50] = True
    mask[12:48, 12:48] = False
    place, added = cover(lesions_of(mask), np.zeros((0, 4), np.int64), patch=8, mask=Raster.of(mask))
    [[y0, x0, y1, x1]] = added
    assert place.tolist() == [0]
    assert mask[y0:y1, x0:x1].any()
