"""Sameness of a model during predictions: images normalised by its card must not meet the weights of another training."""

from pathlib import Path

from pipeline.errors import ModelError
from pipeline.model.ensemble import members_of
from pipeline.stores.input_files import InputFiles
from pipeline.stores.model_files import CARD, ENSEMBLE, WEIGHTS

__all__ = ["check_same", "files_in_use"]


def files_in_use(model: Path) -> InputFiles:
    """Cards and weights of a model, or of an ensemble and its members, as they are now."""
    places = dict.fromkeys((model, *members_of(model)))
    files = [place / name for place in places for name in (CARD, WEIGHTS, ENSEMBLE)]
    return InputFiles.of(path for path in files if path.is_file())


def check_same(files: InputFiles) -> None:
    """Refusal of a model that was retrained meanwhile.

    Raises
    ------
    ModelError
        A card or weights have changed.
    """
    for path, now in files.changed().items():
        raise ModelError(
            "The model changed while images were predicted.",
            where=path,
            found="another file" if now else "no file any more",
            expected="the model that this call began with",
            remedy="Give the same command again when the model stays as it is: what is of another one is made anew.",
        )
