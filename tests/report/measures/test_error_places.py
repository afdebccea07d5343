"""Errors by place: the counts of an eager definition over whole arrays, whatever the blocks; vessels are long and dark."""

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from pipeline.arrays.raster import Raster
from pipeline.geometry import Box
from pipeline.report.measures.coarse_places import (
    CoarsePlaces,
    blank,
    coarse_level,
    every_nth,
    rim_of,
    unevenly_stained,
    vessels,
)
from pipeline.report.measures.error_places import (
    DISTANCES,
    NEAR_BORDER,
    RIM,
    Tally,
    Truth,
    border_distance,
    tally_places,
)
from pipeline.report.measures.errors import ERROR_COLUMNS
from pipeline.report.page.tables.error_places import distances_table, places_table
from pipeline.seeds import stream
from pipeline.stores import read_table

CODES = ("MA", "EX", "OD")
LINES = ((20, 41), (33,))
OF = Truth(CODES, ("MA", "OD"), ("OD",))


def scene(height: int, width: int, seed: int) -> dict[str, np.ndarray]:
    rng = stream(seed, "tests", "places")
    planes = {name: rng.random((3, height, width)) < 0.2 for name in ("truth", "masks")}
    return {
        **{name: each.astype(np.uint8) for name, each in planes.items()},
        "ignore": rng.random((height, width)) < 0.1,
    }


def coarse_of(height: int, width: int, seed: int) -> CoarsePlaces:
    shape = (-(-height // 4), -(-width // 4))
    return CoarsePlaces(4, {"vessels": stream(seed, "tests", "coarse").random(shape) < 0.3})


def eager(planes: dict[str, np.ndarray], coarse: CoarsePlaces, code: str) -> dict[str, np.ndarray]:
    """Places of a class ``(y, x)`` of the whole image."""
    at, shape = CODES.index(code), planes["ignore"].shape
    truth = planes["truth"] > 0
    far = ndimage.distance_transform_cdt(~truth[at], metric="chessboard") if truth[at].any() else np.full(shape, 99)
    y, x = np.mgrid[: shape[0], : shape[1]]
    gaps = [np.abs(y - line + 0.5) - 0.5 for line in LINES[0]] + [np.abs(x - line + 0.5) - 0.5 for line in LINES[1]]
    distance = np.min(gaps, axis=0)
    other = {"MA": ("anatomy", "OD"), "OD": ("lesion", "MA")}[code]
    places = {
        "rim": (far > 0) & (far <= RIM),
        other[0]: truth[CODES.index(other[1])],
        "vessels": np.kron(coarse.masks["vessels"], np.ones((4, 4), bool))[: shape[0], : shape[1]],
        "window": distance < NEAR_BORDER,
    }
    rings = {name: (distance >= low) & (distance < high) for name, (low, high) in DISTANCES.items()}
    return {**places, "none": ~np.logical_or.reduce(list(places.values())), "all": np.ones(shape, bool), **rings}


@settings(max_examples=12)
@given(st.integers(24, 60), st.integers(24, 60), st.sampled_from([7, 16, 33, 64]), st.integers(0, 99))
def test_counts_are_those_of_whole_arrays_whatever_the_blocks(height, width, block, seed):
    planes, coarse = scene(height, width, seed), coarse_of(height, width, seed)
    rasters = {name: Raster.of(each) for name, each in planes.items()}
    found = tally_places(rasters, of=OF, coarse=coarse, lines=LINES, block=block)
    assert {code for code, _ in found} == {"MA", "OD"}, "nobody looked for EX"
    for code in ("MA", "OD"):
        truth, mask = (planes[name][CODES.index(code)] > 0 for name in ("truth", "masks"))
        expected = eager(planes, coarse, code)
        assert {place for own, place in found if own == code} == set(expected)
        for place, where in expected.items():
            counts = where & ~planes["ignore"]
            pairs = (counts & ~truth, counts & ~truth & mask, counts & truth, counts & truth & ~mask)
            assert found[code, place] == Tally(*(int(each.sum()) for each in pairs)), place


def test_without_window_borders_every_pixel_is_far_from_them():
    planes, coarse = scene(30, 30, 1), coarse_of(30, 30, 1)
    rasters = {name: Raster.of(each) for name, each in planes.items()}
    found = tally_places(rasters, of=OF, coarse=coarse, lines=((), ()))
    assert found["MA", "128 px and more"] == found["MA", "all"]
    assert found["MA", "window"] == Tally()
    assert np.isinf(border_distance((), 4)).all()


def drawn_eye() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Picture with dark lines and dark discs, its field of view, and both."""
    lines, discs, roi = (np.zeros((600, 600), np.uint8) for _ in range(3))
    cv2.circle(roi, (300, 300), 280, 1, -1)
    for at in range(6):
        cv2.line(lines, (60 + 80 * at, 120), (120 + 70 * at, 420), 1, 6)
    for at in range(5):
        cv2.circle(discs, (180 + 60 * at, 490), 7, 1, -1)
    grey = np.full((600, 600), 130.0)
    grey[lines > 0], grey[discs > 0], grey[roi == 0] = 60, 60, 0
    grey = ndimage.gaussian_filter(grey, 1) + stream(0, "tests", "eye").normal(0, 3, grey.shape)
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[None], 3, axis=0), roi > 0, lines > 0, discs > 0


def test_long_dark_lines_are_vessels_and_round_dark_spots_and_the_rim_are_not():
    picture, roi, lines, discs = drawn_eye()
    found = vessels(picture, roi)
    inside = ndimage.binary_erosion(roi, iterations=15)
    middles = ndimage.binary_erosion(lines, iterations=2) & inside
    assert found[middles].mean() > 0.9
    assert found[ndimage.binary_erosion(discs, iterations=3) & inside].mean() < 0.1
    assert not found[~roi].any()
    assert found.mean() < 0.15


def test_an_image_without_structure_or_without_field_has_no_vessels():
    flat = np.full((3, 100, 100), 128, np.uint8)
    assert not vessels(flat, np.ones((100, 100), bool)).any()
    assert not vessels(flat, np.zeros((100, 100), bool)).any()


def test_blank_uneven_and_rim_are_what_their_rules_say():
    picture = np.full((3, 200, 300), 250, np.uint8)
    picture[:, :, 100:] = 150
    picture[:, :, 240:] = 60
    tissue = np.zeros((200, 300), bool)
    tissue[:, 100:] = True
    assert blank(picture)[:, :90].all()
    assert not blank(picture)[:, 110:].any()
    uneven = unevenly_stained(picture, tissue)
    assert uneven[:, 285:].all()
    assert not uneven[:, 100:200].any()
    assert not unevenly_stained(picture, np.zeros_like(tissue)).any()
    rim = rim_of(tissue)
    assert np.array_equal(rim, tissue & (np.arange(300) < 106)), (
        "two in a hundred of 300; the border of the image is none"
    )


def test_cells_of_a_coarse_mask_lie_where_they_lie_in_the_image():
    mask = stream(2, "tests", "nth").random((37, 53)) < 0.5
    small = every_nth(Raster.of(mask), 4)
    assert np.array_equal(small, mask[::4, ::4])
    coarse = CoarsePlaces(4, {"a": small})
    whole = np.kron(small, np.ones((4, 4), bool))[:37, :53]
    assert np.array_equal(coarse.read("a", Box(5, 6, 33, 53)), whole[5:33, 6:53])
    assert coarse_level(((500, 400),)) == 0
    assert coarse_level(((5000, 4000), (2500, 2000))) == 1


@pytest.fixture(scope="module")
def table(world) -> pd.DataFrame:
    return read_table(world.results[1].metrics_errors)


def test_the_table_holds_all_errors_of_the_measured_images(table, world):
    assert {name: str(dtype) for name, dtype in table.dtypes.items()} == ERROR_COLUMNS
    images = read_table(world.results[1].metrics_images)
    images = images[(images["grid"] == "normalised") & (images["class_code"] != "background")]
    whole = table[table["place"] == "all"].set_index(["image_id", "class_code"]).sort_index()
    counted = images.set_index(["image_id", "class_code"]).sort_index()
    assert len(whole) == len(counted)
    assert (whole["fp"].to_numpy() == counted["fp"].to_numpy()).all()
    assert (whole["fn"].to_numpy() == counted["fn"].to_numpy()).all()
    rings = table[table["place"].isin(list(DISTANCES))].groupby(["image_id", "class_code"], observed=True)["fp"].sum()
    assert (rings.sort_index().to_numpy() == whole["fp"].to_numpy()).all(), "every pixel has one distance"


def test_the_page_says_shares_and_the_rule_of_every_estimate(table, world):
    shown = places_table(table, world.record, split="test")
    assert shown is not None
    assert any("estimated by a ridge filter, not annotated" in note for note in shown.notes)
    rows = {row[0].text: row[1:] for row in shown.rows}
    assert set(rows) >= {"All pixels", "Vessels (estimated)", "Truth of anatomy", "Anywhere else"}
    own = table[table["split"] == "test"].groupby(["class_code", "place"], observed=True)["fp"].sum()
    code = next(code for code in world.record.codes if own[code, "all"])
    share = 100 * own[code, "window"] / own[code, "all"]
    assert rows["Beside a window border"][world.record.codes.index(code)].text == f"{share:.1f} %"
    assert distances_table(table, world.record, split="test") is not None
    assert places_table(table, world.record, split="none") is None
