"""Pages of the viewer: data sets, the images of one, and one image with results side by side."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pandas as pd

from pipeline import stores
from pipeline.geometry import grid_pixel_um
from pipeline.report.page.render import rendered
from pipeline.report.page.tables.cells import results_facts
from pipeline.report.page.tables.images import images_table
from pipeline.report.store_notes import store_notes
from pipeline.report.zoom.files import TILE
from pipeline.report.zoom.page import viewer_context
from pipeline.view.catalogue import Dataset, Result
from pipeline.view.gallery import NO_RESULT, Gallery
from pipeline.view.tiles import Layer, levels_of

__all__ = ["dataset_page", "image_page", "index_page"]

PANES = 4
"""Most results side by side."""
OF_RESULT = ("probability", "truth", "prediction", "errors")
"""Layers over an image, from the lowest to the highest."""


def index_page(datasets: Mapping[str, Dataset]) -> str:
    """Page of all data sets."""
    sets = [
        {"name": name, "href": f"dataset/{quote(name)}/", "images": len(each.rows())} for name, each in datasets.items()
    ]
    facts = results_facts(sets=len(sets), images=sum(len(each.rows()) for each in datasets.values()))
    return rendered("view_index.html", {"sets": sets, "facts": facts})


def dataset_page(dataset: Dataset) -> str:
    """Page of the images of a data set, each a link to its viewer."""
    rows = dataset.rows()
    record = dataset.record(next(iter(rows.values())))
    pages = {image: f"../../image/{quote(dataset.name)}/{quote(image)}/" for image in rows if dataset.normalized(image)}
    report = dataset.folder / "report" / "index.html"
    inside = report.relative_to(dataset.top).as_posix() if report.is_file() else ""
    context = {
        "dataset": dataset.name,
        "table": images_table(pd.DataFrame(list(rows.values())), record, pages=pages),
        "report": f"../../files/{quote(inside)}" if inside else "",
        "results": [each.name for each in dataset.results()],
    }
    return rendered("view_images.html", context)


def _facts(layer: Layer, *, result: Result) -> list[dict[str, Any]]:
    """Facts of layers of one kind, for the script of the viewer."""
    shapes = levels_of(layer.shape)
    height, width = shapes[0]
    common = {"width": width, "height": height, "tile": TILE, "last": len(shapes) - 1, "tiles": None}
    prefix = f"tile/{layer.version}/{result.model}/{result.fusion}/{layer.kind}"
    return [
        {
            "kind": layer.kind,
            "class": number,
            "name": prefix if number is None else f"{prefix}.{number}",
            "suffix": "png" if layer.palettes else "jpg",
            **common,
        }
        for number in layer.numbers
    ]


def _pane(own: Mapping[str, Layer], of_result: Mapping[str, Layer], result: Result) -> dict[str, Any]:
    layers = [
        fact for kind in ("original", "normalised") if kind in own for fact in _facts(own[kind], result=NO_RESULT)
    ]
    for kind in OF_RESULT:
        if kind in of_result:
            layers += _facts(of_result[kind], result=result)
        elif kind in own:
            layers += _facts(own[kind], result=NO_RESULT)
    return {"title": "" if result == NO_RESULT else result.name, "layers": layers}


def image_page(gallery: Gallery, dataset: Dataset, image_id: str, *, asked: Sequence[str]) -> str:
    """Page of one image, with the requested results side by side, by default its first one.

    Raises
    ------
    KeyError
        No such image.
    """
    row = dataset.rows()[image_id]
    own, offered = gallery.layers(dataset.name, image_id), dataset.results_of(image_id)
    wanted = [each for each in offered if each.name in asked][:PANES] or offered[:1]
    panes = [_pane(own, gallery.layers(dataset.name, image_id, each), each) for each in wanted]
    panes = panes or [_pane(own, {}, NO_RESULT)]
    record = dataset.record(row)
    normalized = dataset.normalized(image_id)
    assert normalized is not None  # It has layers.
    height, width = stores.open_array(normalized, "0").shape[-2:]
    mapping = store_notes(normalized).get("mapping", {"factor_y": 1.0})
    context = viewer_context(panes, record=record, width=int(width), height=int(height))
    context["facts"]["micrometres"] = grid_pixel_um(mapping)
    context |= {
        "image": image_id,
        "dataset": dataset.name,
        "result": ", ".join(each.name for each in wanted),
        "assets": "../../../assets",
        "back": f"../../../dataset/{quote(dataset.name)}/",
        "back_text": "Images",
        "results": [{"name": each.name, "on": each in wanted} for each in offered],
    }
    return rendered("zoom.html", context)
