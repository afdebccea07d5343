"""Warnings of the data: what fact sheets hold that is seldom meant, counted by kind, with names, a sentence and a remedy.

Nothing is refused for it. They are computed where they are said (`check`, end of a run, top of the report): no copy is old.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, Self, TypeAlias

from pipeline.config.model import PACKAGED_ENCODERS
from pipeline.errors import printable
from pipeline.raw.datasets.tables import SHOWN, named_and_counted
from pipeline.raw.facts import read_sheet
from pipeline.stores import read_table

__all__ = [
    "DataWarning",
    "Kind",
    "encoder_warnings",
    "most_of",
    "random_encoder",
    "read_sheet_warnings",
    "sheet_warnings",
    "split_warnings",
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
    "not_tested",  # no image that tests
    "old_results",  # results that the configuration does not name
    "random_encoder",  # encoders of random weights, for want of installed ones
    "no_model",  # models that are no better than a trivial answer
]
REMEDIES: Mapping[Kind, str] = {
    "no_pixel": "Compare the codes and values of the manifest with the files, or take the class out.",
    "not_trained": "Fix the splits (raw: splits_csv) so that training images hold it, or take the class out.",
    "covering": "Look at the masks, and invert those that mark the background.",
    "outside_picture": "Compare level and origin of the polygons with the picture (key origin of annotations).",
    "outside_roi": "Look at the region in the report: change what finds it (normalized), or the truth.",
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
    "old_results": "With the same configuration, lesionmap clean --dry-run lists them and lesionmap clean removes them.",
    "random_encoder": f"Choose {' or '.join(PACKAGED_ENCODERS)}, or give encoder_weights a file or imagenet.",
    "no_model": "Look at overlays and truth; train longer, or draw more patches of the class.",
}
"""Kind → what to do about it."""
Sheet: TypeAlias = Mapping[str, Any]
HALF = 0.5
NEARLY_ALL = 0.9
PIXEL_SIZE = "pixel size"
"""How remarks on pixel sizes begin; each names its own numbers, so they are of one kind by this."""


@dataclass(frozen=True, slots=True)
class DataWarning:
    """Warning of one kind, about one class or about none."""

    kind: Kind
    code: str | None
    """Class code; None where it concerns no class."""
    count: int
    """How many images, geometries, features or pieces of a file; the sentence says which."""
    names: tuple[str, ...]
    """The first three images."""
    sentence: str
    """What is said."""
    serious: bool = False
    """Whether results are not to be trusted before it is dealt with."""

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
        """Warning about some images, which are counted and named after what is said; ``count`` is theirs by default."""
        sentence = f"{f'{code}: ' if code else ''}{said}; images: {named_and_counted(images)}"
        return cls(kind, code, len(images) if count is None else count, tuple(images[:SHOWN]), sentence, serious)


def sheet_warnings(
    sheets: Iterable[Sheet], *, splits: Mapping[str, str] | None = None, sampled: int | None = None
) -> list[DataWarning]:
    """Warnings of the fact sheets of a data set.

    Parameters
    ----------
    sheets
        Fact sheets, see `pipeline.raw.facts`, in any order. Rejected images do not count.
    splits
        Image id → split, where it is known.
    sampled
        Number of all images where the sheets are those of a few; what no image of those has is then said of them.
    """
    used = sorted((sheet for sheet in sheets if not sheet["rejected"]), key=lambda sheet: str(sheet["image_id"]))
    found = _absent_classes(used, splits=splits or {}, sampled=sampled)
    return [*found, *_covering(used), *_turned(used), *_emptied(used), *_polygons(used), *_remarks(used)]


def most_of(code: str, shares: Mapping[str, float], *, of: str) -> DataWarning | None:
    """Warning of a class that covers more than half of a place in most of the images that have it; None if it does not.

    Parameters
    ----------
    code
        Class code.
    shares
        Image id → share that its truth covers, of images with a pixel of the class.
    of
        Name of the place.
    """
    found = [image for image, share in shares.items() if share > HALF]
    if len(found) <= HALF * len(shares):
        return None
    said = f"covers more than half of {of} in {len(found)} of {len(shares)} images that have it (inverted?)"
    return DataWarning.of_images("covering", said, found, code=code)


def split_warnings(splits: Iterable[str]) -> list[DataWarning]:
    """Warnings of the splits of the images of a data set: that none tests, and that none validates."""
    found = set(splits)
    if "train" not in found:
        return []
    untested = (
        "no image tests: all figures are of images on which weights and thresholds were chosen, so none is independent"
    )
    unvalidated = "no image validates: the last epoch is taken, and thresholds are not fitted"
    return [
        *([] if "test" in found else [DataWarning("not_tested", None, 1, (), untested)]),
        *([] if "validation" in found else [DataWarning("not_validated", None, 1, (), unvalidated, serious=True)]),
    ]


def random_encoder(encoder: str) -> str:
    """Sentence on an encoder that starts from random weights."""
    return f"the encoder {encoder} starts from random weights, for no installed package has its weights"


def encoder_warnings(encoders: Mapping[str, str]) -> list[DataWarning]:
    """Warnings of models whose encoder starts from random weights for want of others: one for each encoder.

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


def read_sheet_warnings(sheets: Iterable[Path], *, images: Path) -> list[DataWarning]:
    """Warnings of fact sheets ``raw/{image}.json``, with the splits of the table of images ``raw/images.parquet``."""
    table = read_table(images)
    splits = dict(zip(table["image_id"].astype(str), table["split"].astype(str), strict=True))
    return sheet_warnings([read_sheet(path) for path in sheets], splits=splits)


def _holding(sheets: Iterable[Sheet], code: str) -> list[str]:
    return [str(sheet["image_id"]) for sheet in sheets if sheet["pixels"].get(code, -1) > 0]


def _absent_classes(sheets: Sequence[Sheet], *, splits: Mapping[str, str], sampled: int | None) -> list[DataWarning]:
    found = []
    # Every sheet names all classes, in the order of the manifest.
    for code in sheets[0]["pixels"] if sheets else ():
        known = [sheet for sheet in sheets if sheet["pixels"].get(code, -1) >= 0]
        trained = [sheet for sheet in known if splits.get(str(sheet["image_id"])) == "train"]
        holding = _holding(known, code)
        if known and not holding:
            which = f"{len(known)} of {sampled} images that were looked at" if sampled else f"{len(known)} images"
            found.append(DataWarning("no_pixel", code, len(known), (), f"{code}: no pixel in any of the {which}"))
        elif trained and not _holding(trained, code):
            said = f"no pixel in any of the {len(trained)} training images, but in others"
            found.append(DataWarning.of_images("not_trained", said, holding, code=code))
    return found


def _covering(sheets: Sequence[Sheet]) -> list[DataWarning]:
    shares: dict[str, dict[str, float]] = {}
    for sheet in sheets:
        for code, count in sheet["pixels"].items():
            if count > 0:
                shares.setdefault(code, {})[str(sheet["image_id"])] = count / (sheet["height"] * sheet["width"])
    found = (most_of(code, each, of="the picture") or _unlike_others(code, each) for code, each in shares.items())
    return [each for each in found if each]


def _unlike_others(code: str, shares: Mapping[str, float]) -> DataWarning | None:
    """Warning of a class that covers nearly all of some pictures, and a tenth at most of half of the others."""
    found = [image for image, share in shares.items() if share > NEARLY_ALL]
    others = [share for image, share in shares.items() if image not in found]
    if not found or len(others) < len(found) or median(others) > 1 - NEARLY_ALL:
        return None
    said = (
        f"covers more than {NEARLY_ALL:.0%} of the picture in {len(found)} of {len(shares)} images that have it, and"
        f" {median(others):.1%} in the median of the others (inverted?)"
    )
    return DataWarning.of_images("covering", said, found, code=code)


def _turned(sheets: Sequence[Sheet]) -> list[DataWarning]:
    turns = {str(sheet["image_id"]): sheet.get("turns") or {} for sheet in sheets}
    found = {image: each for image, each in turns.items() if len(set(each.values())) > 1}
    if not found:
        return []
    example = ", ".join(f"{name} {turn}" for name, turn in next(iter(found.values())).items())
    said = f"EXIF orientations of image and truth differ ({example}); each file is turned by its own"
    return [DataWarning.of_images("turned", said, list(found))]


def _emptied(sheets: Sequence[Sheet]) -> list[DataWarning]:
    found: dict[str, list[str]] = {}
    for sheet in (each for each in sheets if not each.get("polygons", {}).get("reviewed")):
        for code in (code for code in sheet.get("corrected", ()) if sheet["pixels"].get(code) == 0):
            found.setdefault(code, []).append(str(sheet["image_id"]))
    said = "no area in the correction of images that have a mask file of it"
    return [DataWarning.of_images("emptied", said, images, code=code) for code, images in found.items()]


def _polygons(sheets: Sequence[Sheet]) -> list[DataWarning]:
    accounts = {str(sheet["image_id"]): sheet.get("polygons") or {} for sheet in sheets}
    kinds: tuple[tuple[Kind, str, str], ...] = (
        ("no_area", "no_area", "geometries are no area and were passed over"),
        ("other_class", "other", "features are of no class of the data set and were passed over"),
    )
    found = []
    for kind, key, said in kinds:
        counts = {image: each[key] for image, each in accounts.items() if each.get(key)}
        if counts:
            total = sum(sum(each.values()) for each in counts.values())
            what = printable(", ".join(sorted({name for each in counts.values() for name in each})[:SHOWN]))
            found.append(DataWarning.of_images(kind, f"{total} {said} ({what})", list(counts), count=total))
    beyond = {image: each.get("outside", 0) + each.get("mostly_outside", 0) for image, each in accounts.items()}
    if total := sum(beyond.values()):
        said = f"{total} polygons lie outside the picture, or for the most part"
        named = [image for image, count in beyond.items() if count]
        found.append(DataWarning.of_images("outside_picture", said, named, count=total))
    return found


def _remarks(sheets: Sequence[Sheet]) -> list[DataWarning]:
    remarks: dict[str, dict[str, int]] = {}
    sizes: dict[str, str] = {}
    for sheet in sheets:
        for text, count in sheet.get("passed_over", {}).items():
            if text.startswith(PIXEL_SIZE):
                sizes[str(sheet["image_id"])] = text
            else:
                remarks.setdefault(text, {})[str(sheet["image_id"])] = count
    found = [
        DataWarning.of_images("harmless", f"{sum(counts.values())} × {text}", list(counts), count=sum(counts.values()))
        for text, counts in sorted(remarks.items())
    ]
    if not sizes:
        return found
    said = f"{len(sizes)} pixel sizes are not used, such as {next(iter(sizes.values()))}"
    return [*found, DataWarning.of_images("pixel_size", said, list(sizes))]
