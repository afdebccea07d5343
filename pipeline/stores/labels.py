"""Label images for viewers: pyramids ``(y, x)`` with names and colours, a store's root or in an image's ``labels/``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr

from pipeline.config import Storage
from pipeline.config.manifest import DatasetRecord
from pipeline.stores.create import create_plane, describe_group
from pipeline.stores.multiscales import VERSION, pyramid_axes

__all__ = ["FOLDER", "Label", "class_labels", "create_label", "label_attributes", "list_labels", "noted_labels"]

FOLDER = "labels"
"""Group of the labels of an image, as the format names it."""


@dataclass(frozen=True, slots=True)
class Label:
    """A value of a label image and its meaning."""

    value: int
    code: str
    name: str
    rgba: tuple[int, int, int, int]
    """Red, green, blue and opacity, 0 to 255."""


def class_labels(record: DatasetRecord) -> tuple[Label, ...]:
    """Labels of the classes: value 1 + i and the colour of the class i; 0 is background."""
    return tuple(
        Label(number, each.code, each.name, (*each.rgb, 255)) for number, each in enumerate(record.classes, start=1)
    )


def label_attributes(
    name: str, labels: Sequence[Label], *, levels: int, pixel_size_um: float | None, image: str | None = None
) -> dict[str, Any]:
    """OME-Zarr metadata of a label pyramid ``(y, x)``, with ``image-label``.

    Parameters
    ----------
    name
        Name of the pyramid.
    labels
        Its values.
    levels
        How many there are.
    pixel_size_um
        Side of a pixel of level 0 in micrometres; without it scales are in pixels.
    image
        Path from the group of the labels to the image that they belong to, where they lie beside one.

    References
    ----------
    .. [1] OME-Zarr 0.5, section image-label. https://ngff.openmicroscopy.org/0.5/
    """
    return {
        "version": VERSION,
        "multiscales": [pyramid_axes(name, levels=levels, pixel_size_um=pixel_size_um, channels=False)],
        "image-label": {
            "version": VERSION,
            "colors": [{"label-value": each.value, "rgba": list(each.rgba)} for each in labels],
            "properties": [{"label-value": each.value, "code": each.code, "name": each.name} for each in labels],
            **({"source": {"image": image}} if image else {}),
        },
    }


def noted_labels(attributes: Mapping[str, Any]) -> tuple[Label, ...]:
    """Labels named in the attributes of a label pyramid of this package; empty where there are none."""
    noted = attributes.get("ome", {}).get("image-label", {})
    colours = {each["label-value"]: tuple(each["rgba"]) for each in noted.get("colors", ())}
    return tuple(
        Label(each["label-value"], each["code"], each["name"], colours[each["label-value"]])
        for each in noted.get("properties", ())
    )


def create_label(
    group: zarr.Group,
    name: str,
    labels: Sequence[Label],
    *,
    shapes: Sequence[tuple[int, int]],
    storage: Storage,
    pixel_size_um: float | None,
) -> tuple[zarr.Array[Any], ...]:
    """Levels ``(y, x)`` uint8 of an image's ``labels/{name}``, created or continued; shards as in the image.

    Parameters
    ----------
    group
        The store of the image, open for writing.
    name
        Name of the label.
    labels
        Its values.
    shapes
        ``(height, width)`` of each level, finest first.
    storage
        Chunk, shard and codec.
    pixel_size_um
        Side of a pixel of level 0 in micrometres; without it scales are in pixels.
    """
    size, levels = pixel_size_um, len(shapes)
    ome = label_attributes(name, labels, levels=levels, pixel_size_um=size, image="../../")
    describe_group(group, f"{FOLDER}/{name}", attributes={"ome": ome})
    return tuple(
        create_plane(
            group,
            f"{FOLDER}/{name}/{level}",
            shape=shape,
            dtype=np.uint8,
            storage=storage,
            shard=max(storage.shard >> level, 1),
        )
        for level, shape in enumerate(shapes)
    )


def list_labels(group: zarr.Group, names: Sequence[str]) -> None:
    """List of an image's labels, written so that viewers find them in its group ``labels``."""
    describe_group(group, FOLDER, attributes={"ome": {"version": VERSION, "labels": list(names)}})
