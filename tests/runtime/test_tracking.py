"""A run of MLflow holds parameters, every epoch and the card of a model, once, without a connection."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import ConfigurationError
from pipeline.runtime.tracking import check_tracking
from pipeline.stores import read_table
from pipeline.stores.documents import read_json

PROJECT = Path(__file__).parents[2]
TRACK = """
import sys
from pathlib import Path
from pipeline.runtime.tracking import check_tracking, track_model
check_tracking()
for _ in range(2):
    track_model(Path(sys.argv[1]), folder=Path(sys.argv[2]))
"""


def test_a_missing_mlflow_is_said_before_the_training(monkeypatch):
    monkeypatch.setattr("pipeline.runtime.tracking.find_spec", lambda _: None)
    with pytest.raises(ConfigurationError, match=r"\[mlflow\]"):
        check_tracking()


@pytest.mark.slow
def test_a_model_is_one_run_however_often_it_is_tracked_and_no_connection_is_made(finished_run, tmp_path):
    pytest.importorskip("mlflow")
    model, folder, notes = finished_run("fundus").model(), tmp_path / "mlruns", tmp_path / "connections"
    guard = PROJECT / "tests" / "workflow" / "offline"
    paths = os.pathsep.join([str(guard), str(PROJECT), *sys.path])
    environment = os.environ | {"LESIONMAP_TEST_CONNECTIONS": str(notes), "PYTHONPATH": paths}  # noqa: TID251
    call = [sys.executable, "-c", TRACK, str(model), str(folder)]
    subprocess.run(call, env=environment, cwd=tmp_path, check=True)
    assert not notes.exists()

    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{folder / 'mlflow.db'}"
    client, card = MlflowClient(tracking_uri=uri, registry_uri=uri), read_json(model / "card.json")
    experiment = client.get_experiment_by_name(card["dataset"])
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "unet"
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == str(card["settings"]["learning_rate"])
    assert run.data.params["seed"] == str(card["seed"])
    history = read_table(model / "history.parquet")
    kept = client.get_metric_history(run.info.run_id, "train_loss")
    assert {each.step: each.value for each in kept} == dict(zip(history["epoch"], history["train_loss"], strict=True))
    assert {each.path for each in client.list_artifacts(run.info.run_id)} == {
        "card.json",
        "history.csv",
        "progress.png",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mlruns"]
