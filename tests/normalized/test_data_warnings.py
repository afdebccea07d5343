"""Truth that covers or misses the region of interest, and lesions that rescaling erased, are counted by class."""

from pipeline.normalized.data_warnings import store_warnings


def notes(roi_share=0.5, **counts):
    return {"mapping": {"height": 10, "width": 20}, "roi_share": roi_share, "truth": counts}


def count(pixels, in_roi, **more):
    return {"pixels": pixels, "in_roi": in_roi, **more}


def test_sound_truth_and_images_without_any_warn_of_nothing():
    sound = notes(EX=count(50, 50, components=9, erased=0), SE=count(0, 0))
    assert store_warnings({"a": sound, "b": {"mapping": {}, "flags": []}, "c": {}}) == []


def test_a_class_that_covers_most_of_the_region_in_most_images_is_named():
    # The region has 100 pixels.
    found = {image: notes(EX=count(pixels, pixels)) for image, pixels in zip("abcde", (51, 99, 51, 50, 0), strict=True)}
    (warning,) = store_warnings(found)
    assert (warning.kind, warning.code, warning.count, warning.names) == ("covering", "EX", 3, ("a", "b", "c"))
    assert "in 3 of 4 images that have it" in warning.sentence
    assert store_warnings(found | {"a": notes(EX=count(10, 10))}) == []


def test_truth_outside_of_the_region_is_counted_and_the_worst_image_named_first():
    (warning,) = store_warnings({"a": notes(EX=count(9, 4)), "b": notes(EX=count(8, 8)), "c": notes(EX=count(9, 0))})
    assert (warning.kind, warning.code, warning.names, warning.serious) == ("outside_roi", "EX", ("c", "a"), True)
    assert "14 of 26 truth pixels (53.8%)" in warning.sentence


def test_a_few_truth_pixels_outside_are_said_but_not_serious():
    *_, warning = store_warnings({"a": notes(EX=count(1000, 991))})
    assert (warning.kind, warning.serious) == ("outside_roi", False)


def test_an_image_without_region_covers_nothing():
    assert [each.kind for each in store_warnings({"a": notes(0.0, EX=count(9, 0))})] == ["outside_roi"]


def test_erased_lesions_are_counted_over_all_images():
    lesions = {"a": notes(MA=count(9, 9, components=7, erased=2)), "b": notes(MA=count(9, 9, components=5, erased=0))}
    (warning,) = store_warnings(lesions | {"c": notes(MA=count(9, 9))})
    assert (warning.kind, warning.code, warning.count, warning.names) == ("erased", "MA", 2, ("a",))
    assert warning.sentence.startswith("MA: 2 of 12 regions")


def test_images_whose_stains_are_not_those_of_h_and_e_are_named():
    flags = {
        "a": ["vahadane: no H&E: eosin absorbs 1.6 times as much blue as green", "vahadane: eosin is weak"],
        "b": ["red ink or the like counts as eosin"],
        "c": ["vahadane: eosin is weak"],
        "d": ["no H&E: dense tissue absorbs blue rather than red"],
    }
    found = store_warnings({image: {"flags": each} for image, each in flags.items()} | {"e": None, "f": {}})
    assert [(each.kind, each.code, each.names) for each in found] == [
        ("no_h_and_e", None, ("a", "d")),
        ("red_ink", None, ("b",)),
    ]
