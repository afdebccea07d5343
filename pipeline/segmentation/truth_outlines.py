"""GeoJSON of the truth of a normalised image: outlines to view and correct in another program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.arrays.components import component_table
from pipeline.config.colours import COLOURS, rgb
from pipeline.config.manifest import ClassRecord
from pipeline.errors import StoreError
from pipeline.segmentation.geojson import feature, feature_collection
from pipeline.segmentation.polygons import trace_components
from pipeline.stores import open_array, open_group, raster_of
from pipeline.stores.atomic import file_in_progress
from pipeline.stores.documents import json_text
from pipeline.stores.image_store import whole_image
from pipeline.stores.labels import FOLDER, Label, noted_labels

__all__ = ["write_truth_outlines"]

TRUTH = f"{FOLDER}/truth"
ROWS = 1024
"""Rows of a strip; they do not change the result."""


def write_truth_outlines(store: Path, output: Path, *, classes: Sequence[ClassRecord] = ()) -> dict[str, int]:
    """Outlines of the truth of an image, in pixels of the original, one feature for each 8-connected region.

    Classes have their names and colours, as in outlines of segmentations; codes where the store has no names.

    They follow the pixels of the normalised image, so after downscaling they are coarser than the truth itself.

    Parameters
    ----------
    store
        ``normalized/{image}.zarr``.
    output
        A new file.
    classes
        Classes with the names and colours to use; by default those noted in the store.

    Returns
    -------
    dict
        Class code → regions.

    Raises
    ------
    StoreError
        There is no finished store of an annotated image.
    """
    if "truth" not in open_group(store):
        raise StoreError(
            "The store holds no truth.",
            where=store,
            found="no array truth: an image that nobody annotated, or another store, such as a map",
            expected="a normalised image of the splits train, validation or test",
            remedy="For what a model found take segmentation/{model}/{fusion}/{image}.geojson.",
        )
    notes, labels = whole_image(store), _labels(store, classes)
    found = {label.code: _features(store, at, label=label, notes=notes) for at, label in enumerate(labels)}
    document = feature_collection(each for several in found.values() for each in several)
    with file_in_progress(output) as partial:
        partial.write_text(json_text(document, indent=None, allow_nan=False), encoding="utf-8")
    return {code: len(several) for code, several in found.items()}


def _labels(store: Path, classes: Sequence[ClassRecord]) -> list[Label]:
    """Labels of the classes in order, with the names of the truth for viewers; plain labels in a store without it."""
    group, codes, colours = open_group(store), whole_image(store)["classes"], list(COLOURS)
    noted = {each.code: each for each in noted_labels(group[TRUTH].attrs.asdict())} if TRUTH in group else {}
    noted |= {each.code: Label(0, each.code, each.name, (*each.rgb, 255)) for each in classes}
    return [
        noted.get(code, Label(at + 1, code, code, (*rgb(colours[at % len(colours)]), 255)))
        for at, code in enumerate(codes)
    ]


def _features(store: Path, at: int, *, label: Label, notes: dict[str, Any]) -> list[dict[str, Any]]:
    plane, mapping = raster_of(open_array(store, "truth"), at), notes["mapping"]
    table = component_table(plane, rows=ROWS)
    return [
        feature(
            polygons,
            class_code=label.code,
            name=label.name,
            colour=label.rgba[:3],
            properties={"image_id": notes["image_id"], "component": number, "area_px": int(table.area[number])},
            scale_y=1 / mapping["factor_y"],
            scale_x=1 / mapping["factor_x"],
            origin=(int(mapping.get("origin_y", 0)), int(mapping.get("origin_x", 0))),
        )
        for number, polygons in enumerate(trace_components(plane, table))
    ]
