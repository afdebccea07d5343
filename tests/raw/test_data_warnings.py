"""What is seldom meant is warned of by kind and class, counted and named, and a sound data set warns of nothing."""

import pytest

from pipeline.raw.data_warnings import DataWarning
from pipeline.raw.sheet_warnings import sheet_warnings


def sheet(image, *, rejected="", polygons=None, passed_over=None, **pixels):
    found = {"image_id": image, "rejected": rejected, "height": 10, "width": 10}
    found |= {"pixels": {"EX": 5, "SE": 2, **pixels}}
    return found | {"polygons": polygons or {}, "passed_over": passed_over or {}}


def test_a_sound_data_set_warns_of_nothing():
    # No soft exudate in one image and no truth in another are as they should be.
    sheets = [sheet("a"), sheet("b", SE=0), sheet("c", EX=-1, SE=-1)]
    assert sheet_warnings(sheets, splits={"a": "train", "b": "validation", "c": "predict"}) == []
    assert sheet_warnings([]) == []


def test_a_class_without_a_pixel_is_named_with_the_number_of_images():
    sheets = [sheet("a", SE=0), sheet("b", SE=0), sheet("c", EX=-1, SE=-1), sheet("d", rejected="broken")]
    sentence = "SE: no pixel in 2 images"
    assert sheet_warnings(sheets) == [DataWarning("no_pixel", "SE", 2, (), sentence)]


def test_of_a_sample_it_is_said_how_many_images_were_looked_at():
    (found,) = sheet_warnings([sheet("a", SE=0), sheet("b", SE=0)], sampled=40)
    assert found.sentence == "SE: no pixel in 2 images looked at of 40"


def test_a_class_that_no_training_image_has_is_named_with_the_images_that_have_it():
    sheets = [sheet(image, SE=int(image == "d")) for image in "abcd"]
    splits = {"a": "train", "b": "train", "c": "validation", "d": "test"}
    (found,) = sheet_warnings(sheets, splits=splits)
    assert (found.kind, found.code, found.count, found.names) == ("not_trained", "SE", 1, ("d",))
    assert found.sentence == "SE: no pixel in 2 training images, but in others; images: 1 (d)"
    assert sheet_warnings(sheets, splits=splits | {"d": "train"}) == []


@pytest.mark.parametrize(("key", "kind"), [("no_area", "no_area"), ("other", "other_class")])
def test_what_polygon_files_hold_beside_areas_of_the_classes_is_counted(key, kind):
    sheets = [sheet(image, polygons={key: {"one": 2, "two": 1}}) for image in "edcba"]
    (found,) = sheet_warnings([*sheets, sheet("f", polygons={key: {}})])
    assert (found.kind, found.code, found.count, found.names) == (kind, None, 15, ("a", "b", "c"))
    assert all(word in found.sentence for word in ("15 ", "(one, two)", "5 (a, b, c, …)"))


def test_pixel_sizes_of_other_numbers_are_one_kind_and_harmless_faults_are_kinds_of_their_own():
    sheets = [sheet("a", passed_over={"pixel size 499 × 499 µm: not between": 1})]
    sheets += [sheet("b", passed_over={"pixel size 1 × 2 µm: pixels that are not square": 1, "extra bytes": 3})]
    harmless, size = sheet_warnings(sheets)
    assert (harmless.kind, harmless.count, harmless.names) == ("harmless", 3, ("b",))
    assert (size.kind, size.count, size.names) == ("pixel_size", 2, ("a", "b"))
    assert "499 × 499 µm" in size.sentence


def test_polygons_outside_the_picture_are_counted():
    (found,) = sheet_warnings([sheet("a", polygons={"outside": 2}), sheet("b", polygons={"outside": 0})])
    assert (found.kind, found.count, found.names) == ("outside_picture", 2, ("a",))


def test_a_class_that_covers_most_of_most_pictures_is_named():
    (found,) = sheet_warnings([sheet("a", EX=51), sheet("b", EX=90), sheet("c"), sheet("d", EX=0)])
    assert (found.kind, found.code, found.count, found.names) == ("covering", "EX", 2, ("a", "b"))
    assert sheet_warnings([sheet("a", EX=51), sheet("b", EX=50)]) == []


def test_one_inverted_mask_among_others_is_named():
    others = [sheet(image, EX=3) for image in "bcd"]
    (found,) = sheet_warnings([sheet("a", EX=97), *others])
    assert (found.kind, found.code, found.count, found.names) == ("covering", "EX", 1, ("a",))
    assert (
        "more than 90% of the picture in 1 of 4 images that have it, and 3.0% in the median of the others"
        in found.sentence
    )
    assert sheet_warnings([sheet("a", EX=90), *others]) == []
    # Where lesions are large, one that fills a picture is no surprise; with one other image nobody knows.
    assert sheet_warnings([sheet("a", EX=97), *(sheet(image, EX=40) for image in "bcd")]) == []
    assert sheet_warnings([sheet("a", EX=97), sheet("b", EX=97), sheet("c", EX=3)])[0].count == 2


def test_turns_that_image_and_truth_share_are_no_warning_and_others_are():
    turns = {"a": {"image": 3, "mask EX": 3}, "b": {"image": 3, "mask EX": 1, "mask SE": 3}, "c": {}}
    (found,) = sheet_warnings([sheet(image) | {"turns": each} for image, each in turns.items()])
    assert (found.kind, found.count, found.names) == ("turned", 1, ("b",))
    assert "(image 3, mask EX 1, mask SE 3)" in found.sentence
