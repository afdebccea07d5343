"""Real H&E images and a real slide go through every method, and look like H&E on white afterwards."""

import numpy as np
import pytest

from pipeline.config import NormalizedConfig, Stain, Storage
from pipeline.normalized.stain.image import normalise_histology, write_estimate
from pipeline.normalized.stain.record import read_estimate
from pipeline.normalized.stain.target import write_target
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.stores import open_group
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance
from tests.normalized.stain.test_image import RECORD

pytestmark = pytest.mark.data
ORIGIN = Provenance("normalized", {}, "c")
FILES = [
    "he/torchstain_source.png",
    "he/torchstain_target.png",
    "he/tiatoolbox_target.png",
    "wsi/CMU-1-Small-Region.svs",
]
METHODS = ["vahadane", "macenko", "reinhard"]


def normalised(folder, path, method, *, columns=2048, workers=2):
    config = NormalizedConfig(
        chain="histology",
        strip_rows=512,
        strip_columns=columns,
        storage=Storage(chunk=256, shard=512),
        stain=Stain(method=method),
    )
    output = folder / "results" / "d" / "normalized" / f"{columns}.zarr"
    stain, target = output.with_suffix(".stain.json"), output.with_suffix(".target.json")
    given = {"config": config, "job": Job(RECORD, ORIGIN, workers)}
    entry = ImageEntry("a", path, annotated=False)
    write_estimate(entry, output=stain, **given)
    write_target(config, target="reference", file=None, estimates=[], output=target, provenance=ORIGIN)
    normalise_histology(entry, stain=stain, target=target, output=output, **given)
    return open_group(output), read_estimate(stain)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FILES)
def test_nuclei_are_blue_and_stroma_is_pink_on_white(tmp_path, real_data, name, method):
    group, found = normalised(tmp_path, real_data / name, method)
    pixels, tissue = group["0"][:].astype(int), group["roi"][:] > 0
    assert found.used == method
    assert found.flags == ()
    red, green, blue = pixels[:, tissue]
    light = red + green + blue
    dark, pale = light <= np.percentile(light, 5), light >= np.percentile(light, 50)
    assert np.median((blue - red)[dark]) > 0, "nuclei"
    assert np.median((red - green)[pale]) > 10, "stroma"
    assert np.median((red - blue)[pale]) > -12, "stroma"
    if name.startswith("wsi"):
        assert np.median(pixels[:, ~tissue], axis=1).min() >= 250
        assert np.ptp(np.median(pixels[:, ~tissue], axis=1)) <= 2


@pytest.mark.parametrize("method", METHODS)
def test_blocks_leave_no_trace_on_a_real_slide(tmp_path, real_data, method):
    one, first = normalised(tmp_path, real_data / FILES[3], method, columns=4096, workers=1)
    two, second = normalised(tmp_path, real_data / FILES[3], method, columns=512)
    assert first == second
    for name in ("0", "1", "roi"):
        assert np.array_equal(one[name][:], two[name][:])
