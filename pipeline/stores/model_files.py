"""Names of the files in the folder of a model, ``model/{model}/``, and the results of other rules that some go with."""

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
"""Folder beside those of the models, with the table of the hardest patches of each: the output of its rule."""


def thresholds_file(folder: Path, *, fusion: str) -> Path:
    """Copy of a run's ``thresholds.json`` in the folder of its model, so that a copied folder gives masks by itself."""
    return folder / f"thresholds.{fusion}.json"


def measures_file(folder: Path, *, fusion: str) -> Path:
    """Measures of a model in its folder, beside those of trivial answers: written when it was measured, with its warnings.

    They are part of the card, which cannot hold them: it is written before, and its digest is that of the model in
    every map.
    """
    return folder / f"measures.{fusion}.json"


def made_with(path: Path) -> Path | None:
    """Result of a rule that a file in the folder of a model goes with: where that is gone too, both are made anew.

    Snakemake knows the folder of a model as the result of its training; what is put beside it later it does not miss.

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
