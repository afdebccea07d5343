"""Warnings about the data: likely mistakes, counted by kind, with names, a sentence and a remedy.

They refuse nothing. They are computed where they are shown (`check`, end of a run, top of the report), so no copy gets
outdated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

import pandas as pd

from pipeline.config.model import PACKAGED_ENCODERS
from pipeline.raw.datasets.tables import SHOWN, named_and_counted
from pipeline.words import TRUTH_SPLITS

__all__ = [
    "NAMED",
    "DataWarning",
    "Kind",
    "class_split_warnings",
    "encoder_warnings",
    "held_classes",
    "most_of",
    "random_encoder",
    "split_warnings",
    "unvalidated_class",
]

Kind: TypeAlias = Literal[
    "no_pixel",  # a class without a pixel
    "not_trained",  # a class without a pixel in training images
    "covering",  # a class that covers more than half in most images
    "outside_picture",  # polygons beyond the picture
    "outside_roi",  # truth beyond field of view or tissue
    "turned",  # EXIF turns that image and truth do not share
    "erased",  # lesions that rescaling erased
    "no_h_and_e",  # histology of another stain, or no histology
    "red_ink",  # ink that counts as eosin
    "emptied",  # classes of which corrections hold no area, and the files that they replace may
    "no_area",  # points, lines and the like
    "other_class",  # features of other classes
    "pixel_size",  # pixel sizes that are not used
    "harmless",  # faults of a file that do no harm
    "left_out",  # images that could not be used
    "few_patches",  # samplings that drew less than half of what was asked for
    "not_validated",  # models without validation images
    "class_not_validated",  # a class that is learned, without truth in validation images
    "not_tested",  # no image that tests
    "old_results",  # results that the configuration does not name
    "mixed",  # results of one kind that were made of different values
    "random_encoder",  # encoders of random weights, for want of installed ones
    "no_model",  # models that are no better than a trivial answer
    "misled",  # such models, where the threshold was fitted with truth that is in doubt
    "mismatched",  # truth that lies as if it belonged to another image
    "inverted",  # truth that covers what the maps do not
]
REMEDIES: Mapping[Kind, str] = {
    "no_pixel": "Compare the codes and values of the manifest with the files, or take the class out.",
    "not_trained": "Fix the splits (raw: splits_csv) so that training images hold it, or take the class out.",
    "covering": "Look at the masks, and invert those that mark the background.",
    "outside_picture": "Compare level and origin of the polygons with the picture (key origin of annotations).",
    "outside_roi": "Look at the region in the report, and correct the truth; of fundus photographs whose region is wrong take the whole picture (normalized: {field_of_view: whole}).",
    "turned": "Save image and truth with the same orientation.",
    "erased": "Rescale less (normalized: rescale).",
    "no_h_and_e": "Set normalized: {stain: {method: none}} for another stain.",
    "red_ink": "Crop the ink away, or declare its pixels as ignored.",
    "emptied": "A correction is the whole truth of its image: draw these classes too, where they occur.",
    "no_area": "Draw areas where lesions were meant.",
    "other_class": "Add the classes to the manifest, if they are to be learned.",
    "pixel_size": "Give pixel_size_um in the manifest.",
    "harmless": "Save the file anew, where its pixels look wrong.",
    "left_out": "Mend the files that are named with their reasons; each is read again when it changes.",
    "few_patches": "Ask for fewer, or make room: a smaller patch or least_roi, negatives: anywhere, more images.",
    "not_tested": "Give patients that are tested: an official test, raw: test_share, holdout_centre or splits_csv.",
    "not_validated": "Give more patients, or raise raw: validation_share.",
    "class_not_validated": "Give more patients who have it, put one of them among the validation images (raw: splits_csv), or cross-validate (model: folds).",
    "old_results": "With the same configuration, lesionmap clean --dry-run lists them and lesionmap clean removes them.",
    "mixed": "Delete those that are not as wanted; the next run makes them anew. Until then the figures mix both.",
    "random_encoder": f"Choose {' or '.join(PACKAGED_ENCODERS)}, or give encoder_weights a file or imagenet.",
    "no_model": "Look at overlays and truth; train longer, or draw more patches of the class.",
    "misled": "Correct that truth first: a threshold is fitted with it. Then judge the model.",
    "mismatched": "Look at them in the report; correct the truth, or which masks the manifest pairs with which image.",
    "inverted": "Look at the mask, and invert it where it marks the background.",
}
"""Kind → remedy."""
NAMED = "; images: "
"""What stands between a sentence and the number and names of its images."""
HALF = 0.5
PIXELS = "pixels_"
"""Beginning of the columns with the truth pixels of a class."""


@dataclass(frozen=True, slots=True)
class DataWarning:
    """Warning of one kind, about one class or about none."""

    kind: Kind
    code: str | None
    """Class code; None for a warning about no class."""
    count: int
    """Number of images, geometries, features or pieces of a file; the sentence says which."""
    names: tuple[str, ...]
    """The first three images; of old results the first five."""
    sentence: str
    """The sentence."""
    serious: bool = False
    """Whether results cannot be trusted until it is resolved."""

    @property
    def advice(self) -> str:
        """Sentence with what to do about it."""
        remedy = REMEDIES.get(self.kind)
        return f"{self.sentence}. To do: {remedy}" if remedy else self.sentence

    @classmethod
    def of_images(
        cls,
        kind: Kind,
        said: str,
        images: Sequence[str],
        *,
        code: str | None = None,
        count: int | None = None,
        serious: bool = False,
    ) -> Self:
        """Warning about some images; the sentence ends with their number and names; ``count`` defaults to that."""
        sentence = f"{f'{code}: ' if code else ''}{said}{NAMED}{named_and_counted(images)}"
        return cls(kind, code, len(images) if count is None else count, tuple(images[:SHOWN]), sentence, serious)


def most_of(code: str, shares: Mapping[str, float], *, of: str) -> DataWarning | None:
    """Warning of a class that covers more than half of a place in most images with the class; else None.

    Parameters
    ----------
    code
        Class code.
    shares
        Image id → share covered by its truth, for images with a pixel of the class.
    of
        Name of the place.
    """
    found = [image for image, share in shares.items() if share > HALF]
    if len(found) <= HALF * len(shares):
        return None
    said = f"covers more than half of {of} in {len(found)} of {len(shares)} images that have it (inverted?)"
    return DataWarning.of_images("covering", said, found, code=code)


def split_warnings(splits: Iterable[str]) -> list[DataWarning]:
    """Warnings about the splits of a data set: no test image, no validation image."""
    found = set(splits)
    if "train" not in found:
        return []
    untested = (
        "no image tests: all figures are of images on which weights and thresholds were chosen, so none is independent"
    )
    unvalidated = "no image validates: the last epoch is taken, and thresholds are not fitted"
    return [
        *([] if "test" in found else [DataWarning("not_tested", None, 1, (), untested, serious=True)]),
        *([] if "validation" in found else [DataWarning("not_validated", None, 1, (), unvalidated, serious=True)]),
    ]


def held_classes(images: pd.DataFrame) -> frozenset[str]:
    """Classes with truth in some image of a table of images, whose columns ``pixels_{code}`` are −1 where nobody looked."""
    columns = [str(name) for name in images if str(name).startswith(PIXELS)]
    return frozenset(name.removeprefix(PIXELS) for name in columns if (images[name] > 0).any())


def unvalidated_class(code: str, *, images: int, tested: bool, measured: str | None = None) -> DataWarning:
    """Warning of a class that is learned, but of which no validation image holds truth.

    Parameters
    ----------
    code
        Class code.
    images
        Number of validation images.
    tested
        Whether test images hold it.
    measured
        Where results lie: words on where the class was predicted without truth, or none. None before a run.
    """
    fitted = "is not fitted" if measured is None else "was not fitted"
    judged = "only test images judge it" if tested else "no figure judges it"
    said = f"{code}: no truth in any validation image: its threshold {fitted} and {judged}{measured or ''}"
    return DataWarning("class_not_validated", code, images, (), said, serious=True)


def class_split_warnings(images: pd.DataFrame) -> list[DataWarning]:
    """Warnings of classes with truth in training images and none in validation images; none if no image validates.

    Parameters
    ----------
    images
        Columns split and pixels_<CODE>, as in ``raw/images.parquet``; for models of the split validation, without folds.
    """
    parts = {split: images[images["split"] == split] for split in TRUTH_SPLITS}
    held, validating = {split: held_classes(part) for split, part in parts.items()}, len(parts["validation"])
    lacking = sorted(held["train"] - held["validation"]) if validating else []
    return [unvalidated_class(code, images=validating, tested=code in held["test"]) for code in lacking]


def random_encoder(encoder: str) -> str:
    """Sentence on an encoder that starts from random weights."""
    return f"the encoder {encoder} starts from random weights, for no installed package has its weights"


def encoder_warnings(encoders: Mapping[str, str]) -> list[DataWarning]:
    """Warnings of models whose encoder starts from random weights because no others are available: one per encoder.

    Parameters
    ----------
    encoders
        Model → encoder, of such models.
    """
    models = {encoder: [name for name, each in encoders.items() if each == encoder] for encoder in encoders.values()}
    return [
        DataWarning("random_encoder", None, len(names), (), f"{', '.join(names)}: {random_encoder(encoder)}")
        for encoder, names in models.items()
    ]
