"""Reading by tiles gives the same pixels as reading at once, and a foreign store is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import StoreError
from pipeline.geometry import Box
from pipeline.index.image import open_image, tiled


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_box_read_by_tiles_is_the_box_of_the_array(several, data):
    image = open_image(several.normalized["b"])
    y0, y1 = sorted(data.draw(st.tuples(*[st.integers(0, image.height)] * 2)))
    x0, x1 = sorted(data.draw(st.tuples(*[st.integers(0, image.width)] * 2)))
    truth = tiled(image.truth)
    np.testing.assert_array_equal(truth.read(Box(y0, x0, y1, x1)), several.pictures["b"].truth[:, y0:y1, x0:x1])


def test_a_store_of_other_classes_is_refused_by_a_message_that_names_both(several):
    with pytest.raises(StoreError, match=r"classes MA, HE, SE(.|\n)*classes MA, OD"):
        open_image(several.normalized["a"], codes=("MA", "OD"))
