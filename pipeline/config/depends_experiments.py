"""Dependencies of the tables and the page of experiments: their arms with models, and the records of the data sets."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.config.arms import Arm, arms_in
from pipeline.config.depends import full_record
from pipeline.config.model import ModelConfig
from pipeline.config.run import DatasetRun, RunConfig
from pipeline.errors import ConfigurationError
from pipeline.project import document

__all__ = ["arm_paths", "experiments_page"]


def experiments_page(run: RunConfig, runs: Iterable[DatasetRun]) -> dict[str, Any]:
    """Dependencies of the tables and the page of experiments, as plain values.

    Parameters
    ----------
    run
        Configuration of the run.
    runs
        Its data sets, variants included.

    Returns
    -------
    dict
        ``experiments``: name → ``arms``, each with its data set, its models, seed by seed and fold by fold, and those of
        them that were ``trained``, and the
        page's facts on the comparison, including ``encoders`` and whether ``rescaled_alike``; ``record``: data set → facts; ``draws`` and ``seed`` of
        the bootstrap.
    """
    found = [(arm, each) for each in runs for arm in each.arms]
    datasets = {id(arm): each for arm, each in found}

    def plain(arm: Arm) -> dict[str, Any]:
        dataset = datasets[id(arm)]
        config = dataset.config.model
        models = [each for name in arm.models for each in _repetitions(config, name)]
        trained = [each for name in arm.models for each in config.members(name)]
        return dataclasses.asdict(arm) | {"dataset": dataset.entry, "models": models, "trained": trained}

    experiments = {
        name: {
            "arms": [plain(arm) for arm in arms],
            "folds": datasets[id(arms[0])].config.model.folds,
            "rescaled_alike": len({datasets[id(arm)].config.normalized.rescale for arm in arms}) == 1,
            "encoders": sorted({each for arm in arms for each in _encoders(datasets[id(arm)].config.model, arm)}),
            **run.experiments[name].model_dump(mode="json", include={"design", "seeds", "published"}),
        }
        for name, arms in arms_in(run.experiments, [arm for arm, _ in found]).items()
    }
    used = {arm["dataset"] for each in experiments.values() for arm in each["arms"]}
    records = {each.entry: full_record(each) for _, each in found if each.entry in used}
    return {"experiments": experiments, "draws": run.report.bootstrap, "seed": run.seed, "record": records}


def _repetitions(config: ModelConfig, name: str) -> list[str]:
    """Models whose measures an arm averages: the model or ensemble itself, or what stands for each of its folds."""
    return list(config.held_out_by(name)) if config.folds else [name]


def _encoders(config: ModelConfig, arm: Arm) -> set[str]:
    """Encoders of an arm, each with the source of its weights."""
    members = [config.models[each] for name in arm.models for each in config.members(name)]
    return {f"{each.encoder} ({each.encoder_weights})" for each in members}


def arm_paths(pattern: str, values: Mapping[str, Any]) -> list[str]:
    """Paths of a result of every model and fusion of the arms, each once.

    Parameters
    ----------
    pattern
        Path with ``{dataset}``, ``{model}`` and perhaps ``{fusion}``.
    values
        What `experiments_page` gives.

    Raises
    ------
    ConfigurationError
        There are no arms.
    """
    arms = [arm for each in values["experiments"].values() for arm in each["arms"]]
    if not arms:
        raise ConfigurationError(
            "The configuration lists no experiments of these data sets.",
            where="experiments",
            found="nothing to compare",
            expected="a comparison of a data set of the run",
            remedy=f"See {document('docs/experiments.md')}.",
        )
    names = (
        {"dataset": arm["dataset"], "fusion": arm["fusion"], "model": each} for arm in arms for each in arm["models"]
    )
    return sorted({pattern.format(**each) for each in names})
