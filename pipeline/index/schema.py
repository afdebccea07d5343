"""Schema of the patch index: its columns as data, their types, and the rules for every row."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.words import BACKGROUND, TRUTH_SPLITS, Split

__all__ = [
    "ORDER",
    "SCHEMA_VERSION",
    "SPLITS",
    "STRATEGIES",
    "Column",
    "class_codes",
    "columns",
    "problems",
    "row_groups",
    "typed",
]

SCHEMA_VERSION = 1
"""Version of the schema, incremented when a column changes its name, type or meaning."""
SPLITS: tuple[Split, ...] = tuple(sorted(TRUTH_SPLITS))
"""In text order, so that the order of the category is the order of the rows."""
STRATEGIES = ("balanced", "grid", "guided")
"""In text order."""
ORDER = ("split", "image_id", "y", "x", "patch_id")
"""Columns by which the rows are sorted, as text and numbers."""
PIXELS = "pixels_"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the patch index."""

    name: str
    """Type in the file."""
    dtype: str
    """Type in pandas."""
    meaning: str
    """Description in one sentence."""


_BEFORE = (
    Column("patch_id", "str", "Stable id, unique in the file."),
    Column("dataset", "category", "Data set, with its recipe where one is named."),
    Column("image_id", "category", "Image that the patch is cut from."),
    Column("group_id", "category", "Patient; no group is in two splits."),
    Column("split", "category", "train, validation or test."),
    Column("fold", "int8", "Validation fold of the group; -1 where there is none."),
    Column("strategy", "category", "grid, guided or balanced."),
    Column("y", "int32", "First row of the box, in pixels of the normalised image."),
    Column("x", "int32", "First column of the box."),
    Column("height", "int32", "Rows of the box; fewer than the patch only where the image is smaller."),
    Column("width", "int32", "Columns of the box."),
    Column("anchor_y", "int32", "Row of the truth pixel that the patch was drawn for; -1 where there is none."),
    Column("anchor_x", "int32", "Column of that pixel."),
    Column("jitter_y", "int32", "y + height // 2 - anchor_y; 0 where there is no anchor."),
    Column("jitter_x", "int32", "x + width // 2 - anchor_x; 0 where there is no anchor."),
    Column("target_class", "category", "Class code that the patch was drawn for, or background; null for grid."),
    Column("is_positive", "bool", "Whether any pixel inside has truth of any class that was looked for."),
    Column("truth_fraction", "float32", "Share of the pixels inside that have truth of any class that was looked for."),
    Column("roi_fraction", "float32", "Share of the pixels inside that are field of view or tissue and not ignored."),
)
_AFTER = (
    Column("structure", "float32", "How much tissue structure is inside, 0 to 1; see pipeline.index.structure."),
    Column(
        "draw_weight",
        "float32",
        "Guided: chance of the anchor's lesion in one draw, 0 for coverage; balanced: weight, see its pools; else 1.",
    ),
    Column("coverage", "bool", "Added to cover a lesion, outside the counts."),
)


def columns(codes: Sequence[str]) -> tuple[Column, ...]:
    """Columns in the order of the file, for the classes of a data set."""
    said = "Pixels inside that have truth of class {}; -1 where nobody looked for it."
    pixels = (Column(f"{PIXELS}{code}", "int32", said.format(code)) for code in codes)
    return (*_BEFORE, *pixels, *_AFTER)


def class_codes(frame: pd.DataFrame) -> tuple[str, ...]:
    """Class codes that the columns of an index name."""
    return tuple(name.removeprefix(PIXELS) for name in frame.columns if name.startswith(PIXELS))


def typed(frame: pd.DataFrame, *, codes: Sequence[str]) -> pd.DataFrame:
    """Index with ordered and typed columns and sorted, renumbered rows."""
    ordered = frame.sort_values(list(ORDER), kind="stable", ignore_index=True)
    categories = {"split": SPLITS, "strategy": STRATEGIES, "target_class": (*codes, BACKGROUND)}
    found = {}
    for column in columns(codes):
        values = ordered[column.name]
        if column.dtype == "category":
            known = categories.get(column.name) or sorted(values.unique())
            found[column.name] = pd.Series(pd.Categorical(values, categories=list(known)))
        else:
            found[column.name] = values.astype(pd.api.types.pandas_dtype(column.dtype))
    return pd.DataFrame(found)


def row_groups(frame: pd.DataFrame, *, least: int = 8192) -> list[int]:
    """Ends of the Parquet row groups: at each change of split, and between images once there are enough rows.

    So no group spans two splits and no image two groups, and a filter on either reads little else.

    Parameters
    ----------
    frame
        An index, sorted.
    least
        Fewest rows of a group that the end of an image may close; smaller groups would cost more than they save.

    Returns
    -------
    list
        Row after the last of each group; the number of rows comes last.
    """
    split, image = (frame[name].cat.codes.to_numpy() for name in ("split", "image_id"))
    borders = np.flatnonzero((split[1:] != split[:-1]) | (image[1:] != image[:-1])) + 1
    ends, start = [], 0
    for border in borders.tolist():
        if split[border] != split[border - 1] or border - start >= least:
            ends.append(border)
            start = border
    return [*ends, len(frame)]


def problems(frame: pd.DataFrame, *, sizes: Mapping[str, tuple[int, int]], anatomy: Collection[str] = ()) -> list[str]:
    """Violations of the schema, in words; empty where there are none.

    Parameters
    ----------
    frame
        An index.
    sizes
        Image → height and width.
    anatomy
        Codes of classes that are no lesions, which may be unknown in a patch without lesions.
    """
    expected = {column.name: column.dtype for column in columns(class_codes(frame))}
    found = {str(name): str(dtype) for name, dtype in frame.dtypes.items()}
    if list(found.items()) != list(expected.items()):
        wrong = [f"{name} {found.get(name, 'missing')}" for name in expected if found.get(name) != expected[name]]
        foreign = [f"{name} unknown" for name in found if name not in expected]
        return [f"columns: {', '.join(wrong + foreign) or 'in another order'}"]
    nullable = frame.drop(columns="target_class")
    rules = {"null values": nullable.isna().any(axis=1), "unknown image": ~frame["image_id"].isin(list(sizes))}
    rules |= {"repeated patch_id": frame["patch_id"].duplicated()}
    rules |= (
        {} if any(bad.any() for bad in rules.values()) else {**_box_rules(frame, sizes), **_truth_rules(frame, anatomy)}
    )
    return [f"{name}: {int(bad.sum())} rows, first {int(np.argmax(bad))}" for name, bad in rules.items() if bad.any()]


def _box_rules(frame: pd.DataFrame, sizes: Mapping[str, tuple[int, int]]) -> dict[str, pd.Series]:
    height, width = (
        frame["image_id"].astype(str).map({key: size[axis] for key, size in sizes.items()}) for axis in (0, 1)
    )
    inside = (frame["y"] >= 0) & (frame["x"] >= 0) & (frame["height"] > 0) & (frame["width"] > 0)
    inside &= (frame["y"] + frame["height"] <= height) & (frame["x"] + frame["width"] <= width)
    rules = {"box outside the image": ~inside}
    for axis, side in (("y", "height"), ("x", "width")):
        shift = frame[f"anchor_{axis}"] - frame[axis]
        none = frame[f"anchor_{axis}"] == -1
        rules[f"anchor_{axis} outside the box"] = ~none & ((shift < 0) | (shift >= frame[side]))
        rules[f"jitter_{axis} wrong"] = frame[f"jitter_{axis}"] != np.where(none, 0, frame[side] // 2 - shift)
    rules["half an anchor"] = (frame["anchor_y"] == -1) != (frame["anchor_x"] == -1)
    rules["rows out of order"] = pd.Series(_ranks(frame) != np.arange(len(frame)))
    return rules


def _ranks(frame: pd.DataFrame) -> NDArray[np.int64]:
    text = frame[list(ORDER)].astype({"split": "str", "image_id": "str"})
    return text.sort_values(list(ORDER), kind="stable").index.to_numpy()


def _truth_rules(frame: pd.DataFrame, anatomy: Collection[str]) -> dict[str, pd.Series]:
    area = frame["height"].astype("int64") * frame["width"]
    pixels = frame.filter(regex=f"^{PIXELS}")
    lesions = pixels.drop(columns=[f"{PIXELS}{code}" for code in anatomy])
    shares = frame[["truth_fraction", "roi_fraction", "structure", "draw_weight"]]
    drawn = frame["strategy"] != "grid"
    splits = frame["split"].cat.codes.groupby(frame["group_id"], observed=True).transform("nunique")
    return {
        "group in two splits": splits > 1,
        "split unknown": ~frame["split"].isin(SPLITS),
        "strategy unknown": ~frame["strategy"].isin(STRATEGIES),
        "drawn outside train": drawn & (frame["split"] != "train"),
        "target_class wrong": drawn != frame["target_class"].isin([*class_codes(frame), BACKGROUND]),
        "pixels beyond the box": (pixels < -1).any(axis=1) | pixels.gt(area, axis=0).any(axis=1),
        "background where a lesion is unknown": (frame["target_class"] == BACKGROUND) & (lesions < 0).any(axis=1),
        "is_positive wrong": (frame["is_positive"] != (pixels > 0).any(axis=1))
        | (frame["is_positive"] != (frame["truth_fraction"] > 0)),
        "share outside 0 to 1": (shares < 0).any(axis=1) | (shares > 1).any(axis=1),
    }
