"""Tracking of trained models by MLflow: one run per model in a local database, without server or network.

The folder holds ``mlflow.db`` and the files of the runs; ``mlflow ui --backend-store-uri sqlite:///mlruns/mlflow.db``
shows them if the full MLflow is installed.
"""

import logging
import math
import os
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigurationError
from pipeline.stores import read_table
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import CARD, CURVES, HISTORY_CSV, WEIGHTS

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

__all__ = ["check_tracking", "track_model"]

logger = logging.getLogger(__name__)

NEEDED = ("mlflow", "alembic", "sqlalchemy")
LONGEST = 500
"""Most characters of a parameter in MLflow."""
AT_ONCE = 100
"""Most parameters that it accepts at once."""
FILES = (CARD, HISTORY_CSV, CURVES)


def check_tracking() -> None:
    """Check that MLflow is installed, before a training that it will track.

    Raises
    ------
    ConfigurationError
        Names what is missing.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ConfigurationError(
            "MLflow is not installed.",
            where="model.mlflow",
            found=f"no {', '.join(missing)}",
            expected="the extra `mlflow`",
            remedy="Install it: pip install --constraint constraints.txt '.[mlflow]', or set model.mlflow to null.",
        )


def track_model(model: Path, *, folder: Path) -> None:
    """Run of a trained model: parameters, scores of each epoch, card and curves; an existing run is left alone.

    If the database cannot be written, the log says so and the model is unaffected.

    Parameters
    ----------
    model
        ``model/{model}/``.
    folder
        Folder of database and files.
    """
    # It would report its use to a server; this is the only switch.
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # noqa: TID251
    from mlflow.exceptions import MlflowException

    try:
        _track(_client(folder), model, folder=folder)
    except (MlflowException, OSError) as problem:
        logger.warning("MLflow keeps no run of %s: %s", model.name, problem)


def _client(folder: Path) -> "MlflowClient":
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    from mlflow.tracking import MlflowClient

    folder.mkdir(parents=True, exist_ok=True)
    uri = f"sqlite:///{(folder / 'mlflow.db').resolve()}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _track(client: "MlflowClient", model: Path, *, folder: Path) -> None:
    from mlflow.entities import Metric, Param

    card = read_json(model / CARD)
    weights = str(card["files"][WEIGHTS])
    experiment = _experiment(client, str(card["dataset"]), folder=folder)
    if client.search_runs([experiment], filter_string=f"tags.weights = '{weights}'"):
        return
    tags = {"weights": weights, "warnings": "\n".join(card["warnings"]), "selected_by": str(card["selected_by"])}
    run = client.create_run(experiment, run_name=model.name, tags=tags).info.run_id
    params = [Param(key, str(value)[:LONGEST]) for key, value in _flat({**card["settings"], "seed": card["seed"]})]
    for at in range(0, len(params), AT_ONCE):
        client.log_batch(run, params=params[at : at + AT_ONCE])
    for row in read_table(model / "history.parquet").to_dict("records"):
        scores = {str(name): float(value) for name, value in row.items() if name != "epoch"}
        found = [Metric(name, value, 0, int(row["epoch"])) for name, value in scores.items() if math.isfinite(value)]
        client.log_batch(run, metrics=found)
    for name in FILES:
        client.log_artifact(run, str(model / name))
    client.set_terminated(run)


def _experiment(client: "MlflowClient", dataset: str, *, folder: Path) -> str:
    found = client.get_experiment_by_name(dataset)
    if found is not None:
        return str(found.experiment_id)
    place = (folder / dataset).resolve().as_uri()
    return str(client.create_experiment(dataset, artifact_location=place))


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Values of nested mappings by their keys, joined with dots."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
