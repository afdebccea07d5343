"""Copies of a picture are found whatever was done to their size, bytes and brightness, and different eyes never are."""

from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.geometry import Box
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.raw.phantom.histology import histology_phantom
from pipeline.raw.splits.duplicates import ALIKE, SmallLuminance, near_duplicates, perceptual_hash
from pipeline.seeds import stream


def hash_of(pixels):
    shrink = SmallLuminance(*pixels.shape[:2])
    shrink.add(Box.of_shape(*pixels.shape[:2]), pixels)
    return perceptual_hash(shrink.picture)


def bits(first, second):
    return (int(first, 16) ^ int(second, 16)).bit_count()


def jpeg(pixels, quality):
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def scaled(pixels, factor):
    return cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


CHANGES = {
    "half": lambda p: scaled(p, 0.5),
    "a sixth": lambda p: scaled(p, 1 / 6),
    "square": lambda p: cv2.resize(p, (512, 512), interpolation=cv2.INTER_CUBIC),
    "JPEG 30": lambda p: jpeg(p, 30),
    "JPEG 10": lambda p: jpeg(p, 10),
    "small and JPEG 10": lambda p: jpeg(scaled(p, 1 / 8), 10),
    "brighter": lambda p: np.clip(p * 1.3 + 20, 0, 255).astype(np.uint8),
    "a little brighter": lambda p: np.clip(p * 1.06 + 6, 0, 255).astype(np.uint8),
    "darker": lambda p: (p * 0.6).astype(np.uint8),
    "gamma": lambda p: (255 * (p / 255) ** 0.7).astype(np.uint8),
}

POSITIONS = {
    "mirrored": lambda p: p[:, ::-1],
    "upside down": lambda p: p[::-1],
    "half turn": lambda p: p[::-1, ::-1],
    "quarter turn": lambda p: np.rot90(p),
    "three quarters": lambda p: np.rot90(p, 3),
    "transposed": lambda p: p.transpose(1, 0, 2),
    "over the other diagonal": lambda p: np.rot90(p, 2).transpose(1, 0, 2),
}


@pytest.mark.data
def test_no_pair_of_real_eyes_is_alike_and_every_copy_is(real_data):
    hashes, copies = {}, {}
    for path in sorted((real_data / "idrid").rglob("IDRiD_*.jpg")):
        pixels = cv2.imread(str(path))[..., ::-1]
        hashes[path.stem] = hash_of(pixels)
        for name, change in CHANGES.items():
            copies[path.stem, name] = bits(hashes[path.stem], hash_of(change(pixels)))
    assert len(hashes) >= 12
    assert near_duplicates(hashes) == []
    # The threshold stands clear of both sides.
    assert min(bits(first, second) for first, second in combinations(hashes.values(), 2)) > 1.5 * ALIKE
    assert max(copies.values()) < 0.75 * ALIKE, max(copies, key=copies.get)


@pytest.mark.data
def test_mirrored_and_turned_copies_of_real_eyes_are_found_small_bright_and_compressed(real_data):
    for path in sorted((real_data / "idrid").rglob("IDRiD_*.jpg")):
        pixels = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_8)[..., ::-1]
        own = hash_of(pixels)
        for position, turn in POSITIONS.items():
            turned = np.ascontiguousarray(turn(pixels))
            for change in ("half", "brighter", "gamma", "JPEG 10"):
                found = near_duplicates({"a": own, "b": hash_of(CHANGES[change](turned))})
                assert [pair[:2] for pair in found] == [("a", "b")], (path.stem, position, change)


@pytest.mark.parametrize("position", POSITIONS)
def test_mirrored_and_turned_copies_are_found_in_either_order(pictures, position):
    for name, pixels in pictures.items():
        turned = hash_of(np.ascontiguousarray(POSITIONS[position](pixels)))
        for pair in ({"a": hash_of(pixels), "b": turned}, {"a": turned, "b": hash_of(pixels)}):
            assert [found[:2] for found in near_duplicates(pair)] == [("a", "b")], name


@pytest.fixture(scope="module")
def pictures():
    return {
        f"{make.__name__}{number}": make(number, size=384, seed=0).image
        for make in (fundus_phantom, histology_phantom)
        for number in range(3)
    }


def test_phantoms_are_told_apart_and_their_copies_found(pictures):
    hashes = {name: hash_of(pixels) for name, pixels in pictures.items()}
    assert near_duplicates(hashes) == []
    for name, pixels in pictures.items():
        for what in ("half", "JPEG 30", "a little brighter", "darker", "gamma"):
            copy = hash_of(CHANGES[what](pixels))
            assert near_duplicates({"a": hashes[name], "b": copy}) == [("a", "b", bits(hashes[name], copy))], (
                name,
                what,
            )


@given(
    st.integers(1, 200),
    st.integers(1, 200),
    st.integers(1, 90),
    st.integers(1, 90),
    st.sampled_from([np.uint8, np.uint16]),
)
def test_the_small_picture_is_the_mean_over_areas_however_it_is_cut(height, width, rows, columns, kind):
    pixels = stream(0, "test", height, width).integers(0, 256, (height, width, 3)).astype(kind)
    shrink = SmallLuminance(height, width)
    for y in range(0, height, rows):
        for x in range(0, width, columns):
            box = Box(y, x, min(y + rows, height), min(x + columns, width))
            shrink.add(box, pixels[box.slices])
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float64)
    # Each pixel as 64 × 64 equal parts: then every part of the small picture is a whole number of them.
    fine = np.repeat(np.repeat(grey, 64, axis=0).reshape(64, height, width).mean(axis=1), 64, axis=1)
    expected = fine.reshape(64, 64, width).mean(axis=2)
    np.testing.assert_allclose(shrink.picture, expected, atol=0.02)


@pytest.mark.parametrize("level", [0, 77, 255])
def test_a_picture_that_shows_nothing_is_like_no_other(level):
    blank = np.full((90, 120, 3), level, np.uint8)
    blank[::7, ::5] += 1 if level < 255 else 0
    assert hash_of(blank) == ""
    assert near_duplicates({"a": "", "b": "", "c": "00" * 32}) == []


def test_pairs_are_those_within_the_number_of_bits():
    random = stream(0, "test", "alike")
    base = random.integers(0, 256, 32, dtype=np.uint8)
    hashes = {}
    for count in (0, 5, ALIKE, ALIKE + 1, 90):
        flipped = np.unpackbits(base)
        flipped[random.permutation(256)[:count]] ^= 1
        hashes[f"b{count}"] = np.packbits(flipped).tobytes().hex()
    found = {(first, second): apart for first, second, apart in near_duplicates(hashes)}
    expected = {
        (first, second): bits(hashes[first], hashes[second])
        for first, second in combinations(sorted(hashes), 2)
        if bits(hashes[first], hashes[second]) <= ALIKE
    }
    assert found == expected
    assert ("b0", f"b{ALIKE}") in found
    assert ("b0", f"b{ALIKE + 1}") not in found
