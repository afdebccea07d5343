"""The candidate table of an image lists every component of every class, and its note counts the image."""

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from pipeline.errors import StoreError
from pipeline.index.candidates import read_candidates
from pipeline.stores import table_metadata

CODES = ("MA", "HE", "SE")


def test_every_component_of_every_class_is_listed_with_area_box_and_first_pixel(several):
    for image_id, picture in several.pictures.items():
        frame = pd.read_parquet(several.candidates[image_id])
        for code, plane in zip(CODES, picture.truth, strict=True):
            labels, count = ndimage.label(plane, np.ones((3, 3)))
            found = frame[frame["class_code"] == code]
            firsts = [tuple(np.argwhere(labels == number)[0]) for number in range(1, count + 1)]
            assert found["component"].tolist() == list(range(count))
            assert list(zip(found["first_y"], found["first_x"], strict=True)) == sorted(firsts)
            for row in found.itertuples():
                member = labels == labels[row.first_y, row.first_x]
                y, x = np.nonzero(member)
                assert (row.area, row.y0, row.x0, row.y1, row.x1) == (
                    len(y),
                    y.min(),
                    x.min(),
                    y.max() + 1,
                    x.max() + 1,
                )
                assert (row.cy, row.cx) == pytest.approx((y.mean(), x.mean()))


def test_the_note_counts_roi_and_class_pixels(make, picture, scatter):
    truth = scatter(3, height=40, width=50)
    roi = np.zeros((40, 50), np.uint8)
    roi[3:30, 5:41] = 1
    data = make(i=picture(truth, roi=roi))
    note = table_metadata(data.candidates["i"])["image"]
    assert note == {
        "image_id": "i",
        "height": 40,
        "width": 50,
        "roi_pixels": 27 * 36,
        "class_pixels": {code: int(plane.sum()) for code, plane in zip(CODES, truth, strict=True)},
    }


def test_an_image_without_lesions_gives_an_empty_table_with_all_columns(make, picture):
    data = make(i=picture(np.zeros((3, 20, 20), np.uint8)))
    frame = pd.read_parquet(data.candidates["i"])
    assert len(frame) == 0
    assert {"class_code", "component", "area", "y0", "x0", "y1", "x1", "first_y", "first_x", "cy", "cx"} == set(frame)
    found = read_candidates(data.candidates["i"], codes=CODES)
    assert [len(found.lesions[code]) for code in CODES] == [0, 0, 0]


def test_a_table_of_other_classes_is_refused_by_a_message_that_names_them(several):
    with pytest.raises(StoreError, match="classes MA, HE, SE"):
        read_candidates(several.candidates["a"], codes=("MA", "HE"))
