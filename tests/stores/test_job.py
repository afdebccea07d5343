"""The frame of a job holds the facts, and a record of origin that names inputs by digest."""

import pytest

from pipeline.errors import ImageRejected
from pipeline.stores.job import Job, job_of, origin
from pipeline.stores.provenance import Provenance, file_digest


def test_the_origin_of_a_result_names_inputs_by_digest_and_takes_the_seed(tmp_path):
    (tmp_path / "x").write_text("1")
    record = origin("index", config={"seed": 7}, code="c", inputs={"x": tmp_path / "x"})
    assert record.seed == 7
    assert record.inputs == {"x": file_digest(tmp_path / "x")}
    assert str(tmp_path) not in str(record.as_attributes())


FACTS = {
    "title": "t",
    "adaptor": "idrid",
    "modality": "fundus",
    "task": "binary",
    "classes": [{"code": "EX", "name": "EX"}],
    "pixel_size_um": 0.5,
}


@pytest.mark.parametrize("stage", ["raw", "normalized", "index", "model", "probability", "segmentation", "report"])
def test_a_job_is_made_of_what_its_result_depends_on(tmp_path, stage):
    (tmp_path / "x").write_text("1")
    config = {"record": FACTS, "seed": 7, "more": [1, 2]}
    job = job_of(stage, config=config, code="c", inputs={"x": tmp_path / "x"}, libraries=("numpy",), workers=3)
    assert (job.record.codes, job.seed, job.workers) == (("EX",), 7, 3)
    size = 0.5 if stage == "normalized" else None
    expected = Provenance(stage, config, "c", {"x": file_digest(tmp_path / "x")}, 7, size, ("numpy",))
    assert job.provenance == expected


def test_an_input_that_was_taken_away_is_said_as_that(tmp_path):
    (tmp_path / "a.png").write_bytes(b"picture")
    inputs = {"image": tmp_path / "a.png", "mask EX": tmp_path / "gone.png"}
    with pytest.raises(ImageRejected, match=r"gone\.png[\s\S]*no file any more"):
        origin("normalized", config={}, code="0", inputs=inputs)


def test_how_many_work_is_not_in_the_record_of_origin():
    config = {"record": FACTS}
    alone, many = (job_of("raw", config=config, code="c", workers=count) for count in (1, 8))
    assert alone.provenance.digest == many.provenance.digest
    assert alone == Job(alone.record, alone.provenance)
