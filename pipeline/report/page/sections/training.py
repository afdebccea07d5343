"""Section on training: settings, loss and score curves of each model."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.counts import number_of
from pipeline.report.measures.out_of_fold import OUT_OF_FOLD
from pipeline.report.page.facts import Facts
from pipeline.report.pictures import figures
from pipeline.report.pictures.store_pictures import Shot
from pipeline.stores.documents import read_json
from pipeline.stores.model_files import CARD, ENSEMBLE

__all__ = ["Training", "training_section", "trainings"]


@dataclass(frozen=True, slots=True)
class Training:
    """Model as the page shows it."""

    name: str
    text: str
    shots: tuple[Shot, ...] = ()
    notes: tuple[str, ...] = ()


def _model_text(card: Mapping[str, Any], epochs: int) -> str:
    settings = card.get("settings", {})
    parts = [str(settings["network"])] if "network" in settings else []
    parts += [str(settings["encoder"])] if "encoder" in settings else []
    parts.append(f"epoch {card['best_epoch']} of {epochs}" if "best_epoch" in card else number_of(epochs, "epoch"))
    parts += [f"chosen by {str(card['selected_by']).replace('_', ' ')}"] if card.get("selected_by") else []
    return ", ".join(parts)


def _ensemble(name: str, path: Path, *, validated: bool) -> Training:
    members = read_json(path / ENSEMBLE)["members"]
    text = f"ensemble: mean of the probabilities of {', '.join(each['name'] for each in members)}"
    folds = {each["fold"] for each in members}
    scores = (
        "its validation scores are those of its members out of fold" if validated else "it has no validation scores"
    )
    note = (
        f"Each image outside the test was seen by some member, so {scores}; its thresholds were fitted on the maps of the"
        " members that had not seen an image."
    )
    return Training(name, text, notes=(note,) if len(folds) > 1 else ())


def _only(curves: Mapping[str, str], known: set[str]) -> dict[str, str]:
    return {column: label for column, label in curves.items() if column in known}


def _curves(
    history: pd.DataFrame, record: DatasetRecord, *, best: float | None, folder: Path, name: str
) -> tuple[Shot, ...]:
    known = {str(column) for column in history.columns if history[column].notna().any()}
    lines = {"train_loss": "training patches", "validation_loss": "validation patches"}
    shots = [figures.losses(history, _only(lines, known), best=best, folder=folder, name=f"model.{name}.loss")]
    for title in ("Dice", "IoU"):
        key = title.lower()
        classes = _only({f"{key}_{code}": code for code in record.codes}, known)
        # The mean of one class is that class, whose curve it would hide.
        means = _only({f"mean_{key}": "mean"}, known) if len(classes) != 1 else {}
        if kept := classes | means:
            heading, file = f"{title} per class", f"model.{name}.{key}"
            shots.append(
                figures.history_scores(history, kept, record, best=best, title=heading, folder=folder, name=file)
            )
    return tuple(shots)


def _training(name: str, path: Path, record: DatasetRecord, *, folder: Path) -> Training:
    history = stores.read_table(path / "history.parquet")
    card: dict[str, Any] = read_json(path / CARD)
    shots = _curves(history, record, best=card.get("best_epoch"), folder=folder, name=name)
    return Training(name, _model_text(card, len(history)), shots, tuple(map(str, card.get("warnings", ()))))


def trainings(
    folders: Mapping[str, Path], record: DatasetRecord, *, folder: Path, validated: Collection[str] = ()
) -> list[Training]:
    """Training curves of each model, by name, and what each ensemble consists of; ``validated`` are those out of fold."""
    return [
        _ensemble(name, path, validated=name in validated)
        if (path / ENSEMBLE).is_file()
        else _training(name, path, record, folder=folder)
        for name, path in sorted(folders.items())
    ]


def training_section(facts: Facts) -> dict[str, Any]:
    """Content of the section on training, its plots written."""
    validated = {each.model for each in facts.results if OUT_OF_FOLD in set(facts.summaries[each.name]["split"])}
    return {"models": trainings(facts.inputs.models, facts.record, folder=facts.folder, validated=validated)}
