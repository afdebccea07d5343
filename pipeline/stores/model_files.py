"""Names of the files in a model's folder ``model/{model}/``; for some the result of another rule made with them."""

from pathlib import Path

__all__ = [
    "CARD",
    "CURVES",
    "ENSEMBLE",
    "HARDEST",
    "HARDEST_TABLES",
    "HISTORY",
    "HISTORY_CSV",
    "WEIGHTS",
    "made_with",
    "measures_file",
    "thresholds_file",
]

CARD = "card.json"
WEIGHTS = "weights.pt"
HISTORY = "history.parquet"
HISTORY_CSV = "history.csv"
CURVES = "progress.png"
ENSEMBLE = "ensemble.json"
HARDEST = "hardest.parquet"
HARDEST_TABLES = ".hardest"
"""Folder beside those of the models, with each model's table of hardest patches: the output of its rule."""


def thresholds_file(folder: Path, *, fusion: str) -> Path:
    """Copy of a run's ``thresholds.json`` in the model's folder, so that a copied folder alone gives masks."""
    return folder / f"thresholds.{fusion}.json"


def measures_file(folder: Path, *, fusion: str) -> Path:
    """Measures of a model and of trivial baselines in the model's folder, written with its warnings when it was measured.

    The card cannot hold them: it is written before, and every map records its digest as that of the model.
    """
    return folder / f"measures.{fusion}.json"


def made_with(path: Path) -> Path | None:
    """Result of the rule that also writes this file in a model's folder: where both are missing, the rule makes both anew.

    Snakemake knows a model's folder as the result of training; it does not miss files that were added later.

    Examples
    --------
    >>> made_with(Path("r/idrid/model/unet/thresholds.mean.json")).as_posix()
    'r/idrid/segmentation/unet/mean/thresholds.json'
    >>> made_with(Path("r/idrid/model/unet/measures.mean.json")).as_posix()
    'r/idrid/report/unet.mean.classes.parquet'
    >>> made_with(Path("r/idrid/model/unet/hardest.parquet")).as_posix()
    'r/idrid/model/.hardest/unet.parquet'
    >>> made_with(Path("r/idrid/model/unet/card.json")) is None
    True
    """
    model, fusion = path.parent, path.stem.partition(".")[2]
    if model.parent.name != "model":
        return None
    dataset = model.parent.parent
    places = {
        thresholds_file(model, fusion=fusion): dataset / "segmentation" / model.name / fusion / "thresholds.json",
        measures_file(model, fusion=fusion): dataset / "report" / f"{model.name}.{fusion}.classes.parquet",
        model / HARDEST: model.parent / HARDEST_TABLES / f"{model.name}.parquet",
    }
    return places.get(path)
