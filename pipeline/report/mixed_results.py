"""Mixed results: images, maps or masks of one kind that were not all made of the same values.

A job that outlives its run, or files brought from elsewhere, may leave results of other parameters that nobody notes. The
figures would pool both kinds. Each result records its origin, and all of one kind must agree but for their own image.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.config.recorded import named_values
from pipeline.raw.data_warnings import DataWarning
from pipeline.report.paths import Result

__all__ = ["mixed_warnings"]

OF_IMAGE = ("entry", "record")
"""Values that may differ between images: facts of the image, and of the data set, which say more beside a correction."""
SHARED_FILES = ("target", "thresholds", "model", "weights")
"""Inputs that all results of a kind share, by the ends of their names; the others belong to one image."""
HARMLESS = {"probability.precision"}
"""Values that machines of one run may resolve differently, at the price of rounding."""
SHOWN = 2
"""Most values named."""
LONGEST = 40
"""Most characters of a value."""


def mixed_warnings(normalized: Mapping[str, Path], results: Sequence[Result]) -> list[DataWarning]:
    """Warnings of images, maps and masks of which some were made of other values than the most.

    Parameters
    ----------
    normalized
        Image id → store.
    results
        Every model and fusion, with their maps and masks.
    """
    kinds: dict[str, dict[str, Path]] = {"normalised images": dict(normalized)}
    for each in results:
        for word, stores in (("maps", each.probability), ("masks", each.segmentation)):
            for image, path in stores.items():
                # Beside maps of an ensemble lie those of its folds, each of another model.
                fusion = path.parent
                kinds.setdefault(f"{word} of {fusion.parent.name}, {fusion.name}", {})[image] = path
    return [found for kind, stores in kinds.items() for found in _mixed(kind, stores)]


def _mixed(kind: str, stores: Mapping[str, Path]) -> Iterator[DataWarning]:
    """Warning of the stores that differ from the most frequent origin of their kind."""
    read = {image: _origin(path, image=image) for image, path in stores.items()}
    origins = {image: origin for image, origin in read.items() if origin is not None}
    counted = Counter(json.dumps(each, sort_keys=True) for each in origins.values())
    if len(counted) < 2:
        return
    usual = json.loads(counted.most_common(1)[0][0])
    others = sorted(image for image, each in origins.items() if each != usual)
    values = list(dict.fromkeys(said for image in others for said in _differences(origins[image], usual)))
    more = f" and {len(values) - SHOWN:,} more" if len(values) > SHOWN else ""
    said = f"{kind}: {len(others)} of {len(origins)} differ from the rest in {'; '.join(values[:SHOWN])}{more}"
    names = {name for image in others for name in origins[image] | usual if origins[image].get(name) != usual.get(name)}
    yield DataWarning.of_images("mixed", said, others, serious=not names <= HARMLESS)


def _origin(path: Path, *, image: str) -> dict[str, str] | None:
    """Names and values of what a store was made of, without what belongs to its image; None for a store without."""
    try:
        origin: Any = json.loads((path / "zarr.json").read_bytes())["attributes"]["provenance"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # What reads its pixels, and `verify`, name its fault.
    origin = {"config": {}, "inputs": {}, "seed": None, **origin}
    values = {key: value for key, value in origin["config"].items() if key not in OF_IMAGE}
    inputs = {key: value for key, value in origin["inputs"].items() if key.endswith(SHARED_FILES) and key != image}
    return {**dict(named_values({**values, "seed": origin["seed"]})), **{f"file {key}": inputs[key] for key in inputs}}


def _differences(one: Mapping[str, str], usual: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*usual, *one]):
        found, rest = (_shortened(each.get(name, "none")) for each in (one, usual))
        if one.get(name) != usual.get(name):
            yield f"{name} ({found}; the rest {rest})"


def _shortened(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
