"""Partly annotated images: a class that nobody looked for in an image is unknown in its patches, never absent."""

import numpy as np
import pytest

from pipeline.config import BalancedSampling, GridSampling, GuidedSampling
from pipeline.index.schema import problems
from pipeline.stores import table_metadata

PATCH = 32
SAMPLINGS = {
    "grid": GridSampling(strategy="grid", patch=PATCH),
    "guided": GuidedSampling(strategy="guided", patch=PATCH, total=40, jitter=6, background_share=0.5, cover="all"),
    "balanced": BalancedSampling(
        strategy="balanced", patch=PATCH, total=40, step=4, negatives="anywhere", negative_distance=2, least_roi=0
    ),
}
KNOWN = {"a": (), "b": ("HE",), "v": ("MA", "SE")}


@pytest.fixture(scope="module")
def data(make, picture, scatter):
    """An image with all classes, one without a look for HE, and one of validation without MA and SE."""
    splits = {"a": "train", "b": "train", "v": "validation"}
    truths = {name: scatter(at, height=100, width=130, count=4) for at, name in enumerate(splits, 3)}
    return make({key: picture(truths[key], split=splits[key], unknown=KNOWN[key]) for key in splits})


@pytest.fixture(scope="module", params=SAMPLINGS)
def rows(request, data):
    return data.index(SAMPLINGS[request.param])


def test_an_unknown_class_has_minus_one_pixels_and_others_their_number(data, rows):
    for row in rows.to_dict("records"):
        box = (slice(row["y"], row["y"] + row["height"]), slice(row["x"], row["x"] + row["width"]))
        image = str(row["image_id"])
        inside = data.pictures[image].truth[(slice(None), *box)].sum(axis=(1, 2))
        known = {code: int(count) for code, count in zip(data.codes, inside, strict=True) if code not in KNOWN[image]}
        assert {code: row[f"pixels_{code}"] for code in data.codes} == dict.fromkeys(KNOWN[image], -1) | known
        assert row["is_positive"] == any(known.values())


def test_an_unknown_class_gives_no_anchor_and_no_patch_without_truth(rows):
    for image, codes in KNOWN.items():
        drawn = set(rows.loc[rows["image_id"] == image, "target_class"].dropna())
        assert not drawn & {*codes, *(["background"] if codes else [])}
    assert set(rows["image_id"]) == set(KNOWN)


def test_quotas_count_the_components_of_known_classes_alone(data):
    data.index(SAMPLINGS["guided"])
    frequencies = data.summary()["frequencies"]
    notes = {name: table_metadata(data.candidates[name])["image"]["class_pixels"] for name in ("a", "b")}
    assert notes["b"]["HE"] == -1
    assert notes["a"]["HE"] == data.pictures["a"].truth[1].sum()
    alone = data.summary()["frequencies"]["HE"]
    data.index(SAMPLINGS["guided"], ids=("a", "v"))
    assert data.summary()["frequencies"]["HE"] == alone
    assert frequencies["MA"] > data.summary()["frequencies"]["MA"]


def test_a_background_patch_where_a_class_is_unknown_is_no_sound_index(data):
    frame = data.index(SAMPLINGS["guided"])
    sizes = {name: picture.shape for name, picture in data.pictures.items()}
    assert problems(frame, sizes=sizes) == []
    wrong = frame.assign(pixels_SE=np.where(frame["target_class"] == "background", -1, frame["pixels_SE"]))
    wrong = wrong.astype({"pixels_SE": "int32"})
    assert any("background where a lesion is unknown" in each for each in problems(wrong, sizes=sizes))


@pytest.mark.parametrize("negatives", ["guided", "anywhere", "images"])
def test_an_unknown_disc_takes_no_background_patch_away(make, picture, scatter, negatives):
    """An image without lesions, in which nobody looked for the disc, gives the patches of one that has none."""
    sampling = SAMPLINGS["guided"]
    if negatives != "guided":
        sampling = SAMPLINGS["balanced"].model_copy(update={"negatives": negatives, "total": 400})
    lesions = scatter(3, height=100, width=130, count=4)
    lesions[2] = 0
    free = np.zeros_like(lesions)

    def drawn(*unknown, anatomy=("SE",)):
        data = make({"a": picture(lesions), "free": picture(free, unknown=unknown)}, anatomy=anatomy)
        rows = data.index(sampling)
        return rows[rows["image_id"] == "free"].drop(columns="pixels_SE"), rows, data.summary()["notes"]

    known, unknown, lesion = drawn()[0], drawn("SE"), drawn("SE", anatomy=())
    assert (known["target_class"] == "background").any()
    assert unknown[0].equals(known)
    assert set(unknown[1].loc[unknown[1]["image_id"] == "free", "pixels_SE"]) == {-1}
    assert not any("give no negatives" in note for note in unknown[2])
    assert (lesion[0]["target_class"] == "background").sum() == 0
