"""The stains of every image are shown as they were found, whatever an estimate lacks."""

import json
import math

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from skimage.color import lab2rgb, rgb2lab

from pipeline.errors import StoreError
from pipeline.report.page.sections.normalisation import stain_sentence
from pipeline.report.page.sections.stains import stains_content
from pipeline.report.page.stains import (
    Stained,
    lab_colour,
    lab_of,
    read_stains,
    stain_colours,
    stained_images,
    stains_frame,
    to_list,
)
from pipeline.report.page.tables.stains import LISTED, stain_table
from pipeline.stores import read_table
from pipeline.stores.documents import json_text
from pipeline.stores.provenance import Provenance

PROVENANCE = Provenance(stage="report", config={}, code="0123456789ab")
SETTINGS = {
    "method": "vahadane",
    "target": "median",
    "background": "estimate",
    "outside": "keep",
    "fallback": "macenko",
    "percentile": 99.0,
}


def text_of(row):
    return [cell.note if cell.kind == "swatch" and cell.chips else cell.text for cell in row]


def many(path, count, *, odd=()):
    stains = read_stains(path)
    flagged = read_stains(path.with_name("odd.json")) if odd else None
    names = [(f"image_{n:03d}", "ABC"[n % 3]) for n in range(count)]
    found = [Stained(name, "train", at, flagged if name in odd else stains, 0.5) for name, at in names]
    return sorted(found, key=lambda each: (each.centre, each.image_id))


def test_a_swatch_is_white_light_through_the_high_amount_of_one_stain(slides):
    for path in (slides.inputs.stains["eye_00"], slides.inputs.target):
        facts = json.loads(path.read_text())
        expected = tuple(
            tuple(round(255 * math.exp(-most * part)) for part in row)
            for row, most in zip(facts["matrix"], facts["maxima"], strict=True)
        )
        assert stain_colours(read_stains(path)) == expected


def test_lab_colours_are_those_of_scikit_image():
    for rgb in ((200, 120, 170), (90, 60, 140), (255, 255, 255), (0, 0, 0), (12, 240, 3)):
        lab = rgb2lab(np.array(rgb, np.uint8)[None, None])[0, 0]
        assert np.abs(np.array(lab_of(rgb)) - lab).max() < 0.3
        assert lab_colour(tuple(lab)) == rgb
    outside = (60.0, 150.0, -150.0)
    clipped = lab2rgb(np.array(outside)[None, None])[0, 0] * 255
    assert np.abs(np.array(lab_colour(outside)) - clipped).max() <= 1


def test_an_estimate_that_lacks_everything_is_a_row_of_dashes(slides):
    images = stained_images({"eye_03": slides.inputs.stains["eye_03"]}, read_table(slides.inputs.images), normalized={})
    row = text_of(stain_table(images, None, percentile=99).rows[0])
    assert row[1] == "unchanged"
    assert set(row[2:-1]) == {"–"}
    assert row[-1] == "too little tissue"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["between", "eosin"]), inner, max_size=2)
    ),
    max_leaves=8,
)
KEYS = [
    "method",
    "used",
    "matrix",
    "maxima",
    "background",
    "mean",
    "deviation",
    "tissue_pixels",
    "angles",
    "flags",
    "from",
]


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.sampled_from(["vahadane", "reinhard"]))
@settings(max_examples=60)
def test_whatever_an_estimate_holds_no_undefined_number_is_shown(tmp_path_factory, content, method):
    path = tmp_path_factory.mktemp("any") / "x.stain.json"
    path.write_text(json_text(content | {"method": method}))
    stains = read_stains(path)
    table = stain_table([Stained("x", "", "", stains, math.nan)] * 2, stains, percentile=99)
    numbers = [cell.text for row in table.rows for cell in row[2:-1]]
    assert not {"nan", "inf", "-inf", "None"} & set(numbers)
    assert len(stains_frame([Stained("x", "", "", stains, math.nan)])) == 1


@pytest.mark.parametrize("content", ["", "[1, 2]", "null", "{"])
def test_what_is_no_estimate_is_an_error_with_its_name(tmp_path, content):
    path = tmp_path / "broken.stain.json"
    path.write_text(content)
    with pytest.raises(StoreError, match=r"broken\.stain\.json"):
        read_stains(path)
    with pytest.raises(StoreError, match=r"missing\.json"):
        read_stains(tmp_path / "missing.json")


def test_rows_come_by_centre_and_id_with_the_target_on_top_and_odd_ones_marked(slides):
    images = stained_images(slides.inputs.stains, read_table(slides.inputs.images), normalized=slides.inputs.normalized)
    table = stain_table(images, read_stains(slides.inputs.target), percentile=99)
    assert [row[0].text for row in table.rows] == ["Target", "eye_00", "eye_02", "eye_04", "eye_01", "eye_03"]
    assert table.rows[0][0].note == "median of 3 training images"
    assert table.rows[1][0].note == "train · A"
    assert table.marked == {3, 5}
    assert "2 flagged" in table.caption


def test_the_share_of_tissue_is_that_of_the_normalised_image(slides):
    images = stained_images(slides.inputs.stains, read_table(slides.inputs.images), normalized=slides.inputs.normalized)
    assert images[0].tissue_share == 12345 / (330 * 410)
    assert any(
        cell.text == f"{100 * 12345 / (330 * 410):.1f} %" for cell in stain_table(images, None, percentile=99).rows[0]
    )


def test_of_hundreds_of_images_all_odd_ones_and_the_first_of_each_centre_are_listed(make_stain, tmp_path):
    odd = {f"image_{n:03d}" for n in range(5, 300, 20)}
    path = make_stain(tmp_path / "plain.json")
    make_stain(tmp_path / "odd.json", flags=["weak stain"])
    images = many(path, 300, odd=odd)
    listed = to_list(images, most=LISTED)
    assert len(listed) == LISTED
    assert odd <= {each.image_id for each in listed}
    plain = [each for each in listed if each.image_id not in odd]
    counts = pd.Series([each.centre for each in plain]).value_counts()
    assert counts.max() - counts.min() <= 1
    for centre in "ABC":
        own = [each.image_id for each in images if each.centre == centre and each.image_id not in odd]
        assert [each.image_id for each in plain if each.centre == centre] == own[: counts[centre]]
    assert listed == sorted(listed, key=lambda each: (each.centre, each.image_id))
    assert len(stain_table(images, None, percentile=99).rows) == LISTED


def test_more_odd_images_than_the_table_has_room_for_are_all_listed(make_stain, tmp_path):
    make_stain(tmp_path / "odd.json", used="reference")
    images = many(make_stain(tmp_path / "plain.json"), 100, odd={f"image_{n:03d}" for n in range(90)})
    assert len(to_list(images, most=LISTED)) == 90


def test_the_file_of_numbers_holds_every_image(slides, tmp_path):
    images = stained_images(slides.inputs.stains, read_table(slides.inputs.images), normalized=slides.inputs.normalized)
    section = stains_content(images, None, settings=SETTINGS, folder=tmp_path, provenance=PROVENANCE)
    frame = pd.read_parquet(tmp_path / section["file"]).set_index("image_id")
    assert len(frame) == 5
    facts = json.loads(slides.inputs.stains["eye_02"].read_text())
    row = frame.loc["eye_02"]
    assert [row.haematoxylin_red, row.haematoxylin_green, row.haematoxylin_blue] == facts["matrix"][0]
    assert [row.maximum_haematoxylin, row.maximum_eosin] == facts["maxima"]
    assert row.angle_between == 48.25
    assert np.isnan(frame.loc["eye_03"].maximum_eosin)
    assert frame.loc["eye_04", "flags"] == "vectors nearly parallel; weak eosin"


def test_reinhard_shows_the_mean_colour_of_tissue_and_its_deviation(make_stain, tmp_path):
    lab = {"method": "reinhard", "used": "reinhard", "matrix": None, "maxima": None, "angles": None}
    path = make_stain(tmp_path / "a.json", mean=[68.0, 25.5, -12.25], deviation=[11.0, 6.0, 5.0], **lab)
    images = many(path, 2)
    section = stains_content(images, read_stains(path), settings=SETTINGS, folder=tmp_path, provenance=PROVENANCE)
    expected = np.rint(255 * lab2rgb(np.array([[[68.0, 25.5, -12.25]]]))[0, 0]).astype(int)
    row = text_of(section["stains"].rows[1])
    assert row[2:5] == ["#{:02x}{:02x}{:02x}".format(*expected), "68.0 / 25.5 / -12.2", "11.0 / 6.0 / 5.0"]
    assert "Haematoxylin" not in [cell.text for cell in section["stains"].head]
    assert [shot.name for shot in section["shots"]] == ["stains.colours.light.png"]


def test_one_image_has_nothing_to_be_compared_with_and_none_has_no_section(make_stain, tmp_path):
    path = make_stain(tmp_path / "a.json")
    given = {"settings": SETTINGS, "folder": tmp_path, "provenance": PROVENANCE}
    assert stains_content(many(path, 1), read_stains(path), **given)["shots"] == ()
    assert stains_content([], None, **given) is None


def test_plots_are_drawn_for_both_pages_with_any_number_of_centres(make_stain, tmp_path):
    stains = read_stains(make_stain(tmp_path / "a.json"))
    for centres in (1, 3, 12):
        images = [Stained(f"i{n}", "train", f"c{n % centres}", stains, 0.5) for n in range(24)]
        folder = tmp_path / str(centres)
        folder.mkdir()
        section = stains_content(images, None, settings=SETTINGS, folder=folder, provenance=PROVENANCE)
        assert len(section["shots"]) == 2
        assert all((folder / name).is_file() for shot in section["shots"] for name in (shot.name, shot.dark))


def test_the_sentence_names_method_target_and_background(slides):
    text = stain_sentence(SETTINGS, target=read_stains(slides.inputs.target))
    for words in (
        "Vahadane",
        "median of 3 training images",
        "estimated per image and channel",
        "kept as they are",
        "Macenko",
    ):
        assert words in text
    assert "no stain normalisation" in stain_sentence({"method": "none"}, target=None)
    assert "taken as 255" in stain_sentence({**SETTINGS, "background": "white"}, target=None)
