"""Image, maps and labels have the same pixels in a viewer, whoever knows how large they are: the data set or the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from pipeline.config import NormalizedConfig, ProbabilityConfig, SegmentationConfig
from pipeline.config.manifest import DatasetRecord
from pipeline.geometry import grid_pixel_um
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.probability.plan import WindowPlan
from pipeline.probability.predict import fuse_image
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.segmentation.segment import segment_image
from pipeline.stores import open_group
from pipeline.stores.documents import json_text
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

STORAGE = {"chunk": 32, "shard": 64}


def half(windows: np.ndarray) -> np.ndarray:
    return np.full((len(windows), 1, *windows.shape[2:]), 0.5, np.float32)


def finest(store: Path) -> tuple[list[float], str | None]:
    ome: Any = dict(open_group(store).attrs)["ome"]
    scale = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    return scale[-2:], ome["multiscales"][0]["axes"][-1].get("unit")


@pytest.mark.parametrize("given", [None, 0.5], ids=["the file", "the data set"])
def test_image_maps_and_labels_have_the_same_pixels(tmp_path: Path, given: float | None) -> None:
    file = tmp_path / "a.tif"
    pixels = np.full((256, 256, 3), 99, np.uint8)
    tifffile.imwrite(file, pixels, tile=(64, 64), resolution=(20000, 20000), resolutionunit="CENTIMETER")
    record = DatasetRecord.model_validate(
        {
            "title": "t",
            "adaptor": "folder",
            "modality": "fundus",
            "task": "binary",
            "pixel_size_um": given,
            "classes": [{"code": "L", "name": "L"}],
            "folder": {"images": "{image}.tif"},
        }
    )
    plain = {"apply": False}
    chain = {"chain": "fundus", "rescale": {"factor": 0.25}, "clahe": plain, "gaussian": plain, "difference": plain}
    blocks = {"strip_rows": 64, "strip_columns": 128, "storage": STORAGE}
    image, maps, labels = (
        tmp_path / "results/d" / name / "a.zarr" for name in ("normalized", "probability/m/mean", "s")
    )
    config = NormalizedConfig.model_validate({**chain, **blocks})
    job = Job(record, Provenance("normalized", {}, "c"))
    normalise_fundus(ImageEntry("a", file, annotated=False), config=config, job=job, output=image)
    fuse_image(
        image,
        model=tmp_path,
        predictors=(half,),
        outputs={"mean": maps},
        plan=WindowPlan(64, 64, 32, 24, 64, 2),
        config=ProbabilityConfig.model_validate({"storage": STORAGE}),
        job=job,
    )
    cuts = tmp_path / "thresholds.json"
    cuts.write_text(json_text({"classes": {"L": {"threshold": 0.5}}}))
    segment_image(
        maps,
        normalized=image,
        thresholds=cuts,
        job=job,
        store=labels,
        geojson=tmp_path / "a.geojson",
        config=SegmentationConfig.model_validate({"storage": STORAGE}),
    )
    assert finest(image) == finest(maps) == finest(labels) == ([2.0, 2.0], "micrometer")


def test_an_unknown_pixel_size_stays_unknown() -> None:
    assert grid_pixel_um({"factor_y": 0.5, "pixel_size_um": None}) is None
    assert grid_pixel_um({"factor_y": 0.5}, given=1.0) == 2.0
    assert grid_pixel_um({"factor_y": 0.5, "pixel_size_um": 0.25}, given=1.0) == 0.5
