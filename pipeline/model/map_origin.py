"""Origin of probability maps: the model that made them, compared with the model in the results."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.errors import StoreError
from pipeline.model.ensemble import model_files
from pipeline.stores import open_group
from pipeline.stores.provenance import file_digest
from pipeline.words import named_by_word

__all__ = ["check_model", "maps_are_of"]

STAGE = "probability"


def maps_are_of(attributes: Mapping[str, Any], model: Path) -> bool:
    """Origin test: whether the maps' records match the model as it is now.

    Parameters
    ----------
    attributes
        Attributes of the store of the maps.
    model
        Folder of a model or of an ensemble.
    """
    recorded = attributes["provenance"].get("inputs", {})
    return all(
        recorded[name] == _digest(path, path.stat().st_mtime_ns)
        for name, path in model_files(model).items()
        if name in recorded and path.is_file()
    )


@lru_cache(maxsize=64)
def _digest(path: Path, _changed: int) -> str:
    return file_digest(path)


def check_model(path: Path) -> None:
    """Maps of a run, ``probability/{model}/{fusion}/{image}.zarr``, compared with the model of that name; others are skipped.

    Raises
    ------
    StoreError
        Another model made them, such as one with another seed that was copied to its place with its old date.
    """
    if path.suffix != ".zarr" or named_by_word(path) or path.parent.parent.parent.name != STAGE:
        return
    model = path.parents[3] / "model" / path.parents[1].name
    if model.is_dir() and not maps_are_of(dict(open_group(path).attrs), model):
        raise StoreError(
            "A map was made by another model than the one that lies beside it.",
            where=path,
            found="other digests of the model in its record",
            expected=f"those of {model}",
            remedy=f"Delete {path} and run again: it is made anew.",
        )
