"""The content of ``stain.json``: the same estimate comes back, and anything else is refused."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigurationError, StoreError
from pipeline.normalized.stain.record import REFERENCE, Estimate, read_estimate
from tests.normalized.slides import WHITE

LAB = Estimate("reinhard", "reinhard", (250.0, 240.5, 255.0), mean=(60.0, 20.0, -10.1), deviation=(9.0, 8.0, 7.0))
LEFT = Estimate("vahadane", "none", WHITE, flags=("too little tissue: 3 pixels, 5000 are needed",), tissue_pixels=3)
NUMBER = st.floats(0, 10, allow_subnormal=False)


@pytest.mark.parametrize("estimate", [REFERENCE, LAB, LEFT])
def test_what_is_written_comes_back(estimate):
    text = json.dumps({**estimate.to_json(), "provenance": {"stage": "normalized"}, "from": "somewhere"})
    assert Estimate.from_json(json.loads(text)) == estimate


@given(NUMBER, NUMBER, st.lists(st.text(), max_size=3))
def test_numbers_and_texts_come_back_to_the_last_bit(haematoxylin, eosin, flags):
    estimate = replace(REFERENCE, maxima=(haematoxylin, eosin), flags=tuple(flags))
    assert Estimate.from_json(json.loads(json.dumps(estimate.to_json()))) == estimate


def test_the_keys_are_those_of_the_contract():
    keys = ["method", "used", "background", "matrix", "maxima", "mean", "deviation", "tissue_pixels", "sample_pixels"]
    assert list(REFERENCE.to_json()) == [*keys, "angles", "flags"]
    assert REFERENCE.to_json()["angles"] == REFERENCE.angles
    assert (LAB.angles, LEFT.angles) == (None, None)


def test_angles_are_in_degrees_and_follow_from_the_vectors():
    estimate = replace(REFERENCE, matrix=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    assert estimate.angles["between"] == pytest.approx(90)
    assert REFERENCE.angles["haematoxylin"] == pytest.approx(0, abs=1e-9)
    assert 20 < REFERENCE.angles["between"] < 35


GOOD = REFERENCE.to_json()
BROKEN = [
    [],
    None,
    "text",
    {},
    {key: value for key, value in GOOD.items() if key != "maxima"},
    {key: value for key, value in GOOD.items() if key != "angles"},
    {**GOOD, "strength": 1.0},
    {**GOOD, "method": "vahadne"},
    {**GOOD, "used": "median"},
    {**GOOD, "matrix": None},
    {**GOOD, "maxima": None},
    {**GOOD, "matrix": [[1, 0, 0]]},
    {**GOOD, "matrix": [[1, 0, 0], [1, 0, 0]]},
    {**GOOD, "matrix": [["1", 0, 0], [0, 1, 0]]},
    {**GOOD, "matrix": [[0.6, -0.8, 0], [0, 1, 0]]},
    {**GOOD, "maxima": [1.0, float("nan")]},
    {**GOOD, "background": [0, 255, 255]},
    {**GOOD, "background": 255},
    {**GOOD, "deviation": [-1, 1, 1]},
    {**GOOD, "flags": "weak"},
    {**GOOD, "tissue_pixels": 1.5},
    {**LEFT.to_json(), "used": "vahadane"},
    {**LAB.to_json(), "mean": None},
]


@pytest.mark.parametrize("content", BROKEN, ids=str)
def test_a_wrong_file_is_refused(content, tmp_path):
    with pytest.raises(StoreError, match=r"no stain\.json"):
        Estimate.from_json(content)
    path = tmp_path / "a.stain.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"a\.stain\.json"):
        read_estimate(path)


def test_whole_numbers_stand_for_real_ones():
    estimate = Estimate.from_json({**GOOD, "maxima": [2, 1], "background": [255, 255, 255]})
    assert estimate == replace(REFERENCE, maxima=(2.0, 1.0))


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path):
    with pytest.raises(StoreError, match=r"none\.json"):
        read_estimate(tmp_path / "none.json")
    path = tmp_path / "half.json"
    path.write_text('{"method": ')
    with pytest.raises(StoreError, match=r"half\.json"):
        read_estimate(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(StoreError, match=r"half\.json"):
        read_estimate(path)


def test_a_saved_estimate_is_read(tmp_path):
    path = tmp_path / "a.stain.json"
    path.write_text(json.dumps({**LAB.to_json(), "provenance": {}}))
    assert read_estimate(path) == LAB


@pytest.mark.parametrize(
    "change", [{"matrix": None}, {"maxima": None}, {"matrix": None, "maxima": None}, {"mean": None}]
)
def test_half_an_estimate_cannot_be_made(change):
    with pytest.raises(ConfigurationError, match="lacks numbers"):
        replace(REFERENCE, **change)
