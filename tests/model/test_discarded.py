"""An unfinished training that cannot go on is not deleted without a word."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.model.trainer import discarded
from pipeline.stores.atomic import folder_in_progress
from pipeline.stores.provenance import Provenance

ORIGIN = Provenance("model", {"model": {"precision": "bfloat16", "epochs": 30}, "patch": 512}, code="0")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A model of which three epochs were finished in bfloat16 when it was killed."""
    output = tmp_path / "results" / "tiny" / "model" / "unet"
    with pytest.raises(KeyboardInterrupt), folder_in_progress(output, digest=ORIGIN.digest) as folder:  # noqa: PT012
        (folder / "last.0.ckpt").touch()
        (folder / "history.csv").write_text("epoch\n1\n2\n3\n")
        raise KeyboardInterrupt
    return output


def test_what_goes_on_is_not_lost(output: Path) -> None:
    assert discarded(output, origin=ORIGIN) is None
    assert discarded(output.with_name("other"), origin=replace(ORIGIN, code="1")) is None


def test_a_training_that_began_in_another_precision_says_which_and_how_much_is_lost(output: Path) -> None:
    said = discarded(
        output, origin=replace(ORIGIN, config={**ORIGIN.config, "model": {"precision": "float32", "epochs": 30}})
    )
    assert said is not None
    assert "it began in bfloat16 and now computes in float32" in said
    assert "3 finished epochs deleted" in said


def test_any_other_change_is_named_too(output: Path) -> None:
    for other in (replace(ORIGIN, code="1"), replace(ORIGIN, config={**ORIGIN.config, "patch": 256})):
        said = discarded(output, origin=other)
        assert said is not None
        assert "configuration, code or inputs changed" in said
        assert "unet" in said


def test_a_folder_without_a_finished_epoch_is_no_loss(output: Path) -> None:
    for path in output.parents[2].rglob("*.ckpt"):
        path.unlink()
    assert discarded(output, origin=replace(ORIGIN, code="1")) is None
