"""Results of images that were swapped or renamed are refused before a job reads them, and named by ``verify``."""

import pytest

from pipeline.cli import main
from pipeline.config import Storage
from pipeline.errors import StoreError
from pipeline.runtime.job import job_context
from pipeline.runtime.named_results import check_names
from pipeline.stores import create_pyramid, seal
from pipeline.stores.documents import write_json


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results" / "eyes"
    for name in ("a", "b"):
        for stage in ("normalized", "probability/unet/mean"):
            path = folder / stage / f"{name}.zarr"
            create_pyramid(
                path,
                channels=("x",),
                shapes=((8, 8),),
                dtype="uint8",
                storage=Storage(chunk=8, shard=8),
                provenance={},
                extra={"lesionmap": {"image_id": name}},
            )
            seal(path)
        write_json({"image_id": name}, folder / "raw" / f"{name}.json")
    return folder


@pytest.mark.parametrize("place", ["normalized/{}.zarr", "probability/unet/mean/{}.zarr", "raw/{}.json"])
def test_two_results_that_were_swapped_are_refused_and_named(results, tmp_path, capsys, place):
    one, other = (results / place.format(name) for name in "ab")
    check_names([str(one), str(other), "results/eyes/index/none.parquet"])
    one.rename(tmp_path / "kept")
    other.rename(one)
    (tmp_path / "kept").rename(other)
    with pytest.raises(StoreError, match="image b"):
        check_names([str(one)])
    with pytest.raises(SystemExit), job_context(str(tmp_path / "log"), threads=1, inputs=[str(one)]):
        pytest.fail("the job began")
    assert "another image than its name says" in (tmp_path / "log").read_text()
    assert main(["verify", str(results.parent)]) == 1
    assert "2 faults" in capsys.readouterr().out
