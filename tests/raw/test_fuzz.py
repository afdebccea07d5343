"""Fuzzed truth and tables: whatever a file holds, a sheet or a refusal comes out, and nothing is written."""

import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import PipelineError
from pipeline.raw.datasets.left_over import left_over
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.facts import fact_sheet
from pipeline.raw.sheet_warnings import sheet_warnings

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 12, 15
MANY = settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
CODES = ("EX", "HE")


def record(**layout: Any) -> DatasetRecord:
    classes = [{"code": code, "name": code} for code in CODES]
    table = layout.pop("group", None)
    facts = {"title": "t", "adaptor": "folder", "modality": "fundus", "task": "multilabel", "classes": classes}
    return DatasetRecord.model_validate(
        facts | {"folder": {"images": "images/{image}.png", **layout}} | ({"group": table} if table else {})
    )


def told(facts: DatasetRecord, files: dict[str, bytes]) -> None:
    """Everything that stage raw asks of a data set of one image and these files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        picture = io.BytesIO()
        Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8)).save(picture, "PNG")
        for name, content in {"images/a.png": picture.getvalue(), **files}.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)
        before, message = sorted(Path(folder).rglob("*")), None
        try:
            entries = list_images(facts, dataset="d", root=root)
            left_over(facts, entries=list(entries), root=root, splits=None)
            sheets = [fact_sheet(entry, record=facts) for entry in entries]
            json.dumps(sheets, allow_nan=False)
            sheet_warnings(sheets, splits={sheet["image_id"]: "train" for sheet in sheets})
        except PipelineError as refusal:
            message = str(refusal)
        assert message is None or all(part in message for part in ("where:", "found:", "expected:", "to do:"))
        assert sorted(Path(folder).rglob("*")) == before


def _written(array: np.ndarray, kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "tif":
        tifffile.imwrite(target, array, photometric="rgb" if array.ndim == 3 else "minisblack")
    elif kind == "tiles":
        photometric = "rgb" if array.ndim == 3 else "minisblack"
        tifffile.imwrite(target, array, tile=(16, 16), compression="zlib", photometric=photometric)
    else:
        options = {"lossless": True} if kind == "webp" else {}
        Image.fromarray(array).convert("RGB" if kind == "webp" else None).save(target, kind, **options)
    return target.getvalue()


@st.composite
def rasters(draw: Callable[..., Any]) -> tuple[str, bytes]:
    """Suffix and content of a file of values, now and then damaged or of another size."""
    kind = draw(st.sampled_from(["png", "tif", "tiles", "bmp", "gif", "webp", "jpeg"]))
    types = (
        [np.uint8] if kind not in ("tif", "tiles") else [np.uint8, np.uint16, np.int16, np.uint32, np.float32, np.bool_]
    )
    dtype = np.dtype(draw(st.sampled_from(types)))
    size = draw(st.sampled_from([(HEIGHT, WIDTH)] * 6 + [(HEIGHT, WIDTH, 3), (HEIGHT + 1, WIDTH), (1, 1)]))
    elements = st.floats(width=32) if dtype.kind == "f" else None
    if dtype == np.uint8 and draw(st.booleans()):
        elements = st.sampled_from([0, 1, 2, 255])
    array = draw(arrays.arrays(dtype, size, elements=elements))
    content = bytearray(_written(array, kind))
    for at, value in draw(st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=3)):
        content[at] = value
    end = draw(st.one_of(st.just(len(content)), st.just(len(content)), st.integers(0, len(content))))
    return {"jpeg": "jpg", "tiles": "tif"}.get(kind, kind), bytes(content[:end])


@given(rasters(), rasters())
@MANY
def test_any_mask_gives_a_sheet_or_a_refusal(one: tuple[str, bytes], other: tuple[str, bytes]) -> None:
    facts = record(masks={code: f"masks/{{image}}_{code}.*" for code in CODES})
    told(facts, {f"masks/a_{code}.{kind}": data for code, (kind, data) in zip(CODES, (one, other), strict=True)})


@given(rasters(), st.sampled_from([{}, {"ignore": [255]}]))
@MANY
def test_any_label_image_gives_a_sheet_or_a_refusal(label: tuple[str, bytes], more: dict[str, Any]) -> None:
    facts = record(label="labels/{image}.*", values={"EX": 1, "HE": [2, 3]}, **more)
    told(facts, {f"labels/a.{label[0]}": label[1]})


NUMBERS = st.one_of(st.integers(-3, 20), st.floats(), st.integers(-(10**400), 10**400), st.none(), st.booleans())
POINTS = st.lists(st.one_of(NUMBERS, st.floats(0, 15)), max_size=3)
COORDINATES = st.recursive(POINTS, lambda inner: st.lists(inner, max_size=5), max_leaves=12)
SQUARE = [[[2, 2], [9, 2], [9, 8], [2, 8], [2, 2]]]
GEOMETRIES = st.recursive(
    st.one_of(
        st.none(),
        st.fixed_dictionaries({"type": st.just("Polygon"), "coordinates": st.just(SQUARE)}),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["Polygon", "MultiPolygon", "Point", "LineString", "Circle", 3]),
                "coordinates": COORDINATES,
            }
        ),
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("GeometryCollection"), "geometries": st.lists(inner, max_size=3)}
    ),
    max_leaves=4,
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.one_of(st.sampled_from(["EX", "HE", "Other", "ex"]), ANYTHING)
CLASSES = st.one_of(st.fixed_dictionaries({"name": NAMES}), st.fixed_dictionaries({"names": st.lists(NAMES)}), ANYTHING)
FEATURES = st.one_of(
    st.fixed_dictionaries(
        {
            "type": st.just("Feature"),
            "geometry": GEOMETRIES,
            "properties": st.one_of(st.none(), st.fixed_dictionaries({"classification": CLASSES}), ANYTHING),
        }
    ),
    ANYTHING,
)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("FeatureCollection"), "features": st.lists(FEATURES, max_size=4)}),
    st.lists(FEATURES, max_size=3),
    FEATURES,
    ANYTHING,
)


@given(DOCUMENTS, st.sampled_from([{}, {"unclassified": "EX"}]), st.integers(0, 60))
@MANY
def test_any_polygons_give_a_sheet_or_a_refusal(document: Any, more: dict[str, Any], cut: int) -> None:
    text = json.dumps(document).encode("utf-8", "surrogatepass")
    told(
        record(annotations="polygons/{image}.geojson", **more),
        {"polygons/a.geojson": text[: -cut if cut > 55 else None]},
    )


CELLS = st.one_of(st.sampled_from(["a", "image_id", "group", "P1", "001", "", '"', "image"]), st.text(max_size=6))
LINES = st.lists(st.lists(CELLS, max_size=4).map(",".join), max_size=5).map("\n".join)


@given(st.one_of(LINES.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=60)))
@MANY
def test_any_table_of_groups_gives_a_sheet_or_a_refusal(table: bytes) -> None:
    told(record(group={"csv": "groups.csv", "column": "group"}), {"groups.csv": table})
