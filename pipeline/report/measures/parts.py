"""Measures of parts of a split: of each centre, and of each group (patient), pooled over the images of the part."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.report.measures.averages import class_table, mean_over_lesions
from pipeline.report.measures.image_rows import Measured, pooled_histograms
from pipeline.report.measures.summary import OVER_LESIONS
from pipeline.words import BACKGROUND, EVALUATED_SPLITS

__all__ = ["PART_COLUMNS", "PART_MEASURES", "part_rows"]

PART_MEASURES = (
    "dice_pooled",
    "dice_everywhere_pooled",
    "iou_pooled",
    "ap_pooled",
    "lesion_sensitivity_pooled",
    "lesion_precision_pooled",
    "false_lesions_per_image",
)
PART_COLUMNS = {
    "model": "category",
    "fusion": "category",
    "split": "category",
    "grid": "category",
    "by": "category",
    "part": "category",
    "class_code": "category",
    "average": "category",
    "groups": "int64",
    "images": "int64",
    "images_with_truth": "int64",
    **dict.fromkeys(PART_MEASURES, "float64"),
}
"""One row per split, grid, part and class, and one for the mean over lesions (`average`). `by` is `centre` or `group`,
`part` its name; measures are those of `summary.MEASURES` over the images of the part, NaN where undefined."""


def _part(
    measured: Sequence[Measured], rows: pd.DataFrame, *, codes: tuple[str, ...], anatomy: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Rows of the classes of one part, and of the mean over its lesions."""
    histograms = pooled_histograms(list(measured), codes)
    classes = class_table(rows[rows["class_code"] != BACKGROUND], histograms=histograms)
    groups = len({each.group_id for each in measured})
    for each in classes.to_dict("records"):
        yield {
            "class_code": str(each["class_code"]),
            "average": "",
            "groups": groups,
            "images": int(each["images"] + each["images_without"]),
            "images_with_truth": int(each["images"]),
            **{name: float(each[name]) for name in PART_MEASURES},
        }
    lesions = classes[~classes["class_code"].isin(anatomy)]
    yield {
        "class_code": "",
        "average": OVER_LESIONS,
        "groups": groups,
        "images": len(measured),
        "images_with_truth": int(lesions["images"].max()) if len(lesions) else 0,
        **{name: mean_over_lesions(classes, name, anatomy=anatomy).value for name in PART_MEASURES},
    }


def part_rows(
    measured: Sequence[Measured],
    rows: pd.DataFrame,
    *,
    centres: Mapping[str, str],
    codes: tuple[str, ...],
    anatomy: Sequence[str],
) -> pd.DataFrame:
    """Rows of ``PART_COLUMNS`` of measured images on one grid, without model, fusion and grid.

    Parameters
    ----------
    measured
        The images, with their histograms.
    rows
        Their rows of `image_rows.image_rows`.
    centres
        Image id → centre; images with an empty, unknown centre are in no part.
    codes
        Classes.
    anatomy
        Classes that are not lesions.
    """
    parts: dict[str, Mapping[str, str]] = {
        "centre": {image: centre for image, centre in centres.items() if centre},
        "group": {each.image_id: each.group_id for each in measured},
    }
    found = []
    for split in EVALUATED_SPLITS:
        own = [each for each in measured if each.split == split]
        for by, names in parts.items():
            for part in sorted({names[each.image_id] for each in own if each.image_id in names}):
                held = [each for each in own if names.get(each.image_id) == part]
                images = [each.image_id for each in held]
                of_part = _part(held, rows[rows["image_id"].isin(images)], codes=codes, anatomy=anatomy)
                found += [{"split": split, "by": by, "part": part, **each} for each in of_part]
    return pd.DataFrame(found)
