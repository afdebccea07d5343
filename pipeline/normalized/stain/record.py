"""Record of a stain estimate, ``stain.json``: stains of one slide, the method that found them, and quality flags."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.arrays.optical_density import NO_BACKGROUND, Background
from pipeline.errors import ConfigurationError, StoreError
from pipeline.normalized.stain.basis import (
    REFERENCE_BASIS,
    REFERENCE_STATISTICS,
    STAINS,
    LabStatistics,
    StainBasis,
    Vector,
    angle,
)
from pipeline.stores.documents import read_json

__all__ = ["NO_H_AND_E", "RED_INK", "REFERENCE", "Estimate", "read_estimate"]

NO_H_AND_E = "no H&E"
"""Beginning of flags of images that are not H&E, before the reason."""
RED_INK = "red ink"
"""Beginning of a flag of ink that counts as eosin, before the numbers."""

Method: TypeAlias = Literal["vahadane", "macenko", "reinhard", "none", "reference", "median"]
Used: TypeAlias = Literal["vahadane", "macenko", "reference", "reinhard", "none"]

# Further keys of a file: the source of a target, the tissue of the image, and the record of origin.
_BESIDE = {"from", "tissue", "foreign", "provenance"}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Stain estimate, the content of ``stain.json``: it maps every pixel of the slide, or serves as a target."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    method: Method
    """Configured method; ``reference`` and ``median`` for targets that are not a single slide."""
    used: Used
    """Method that was used in the end; with ``none`` the image is left unchanged."""
    background: Background
    """Light through bare glass."""
    matrix: tuple[Vector, Vector] | None = None
    """Vectors of haematoxylin and eosin in optical density of red, green, blue."""
    maxima: tuple[float, float] | None = None
    """The configured percentile of the two concentrations over the tissue."""
    mean: Vector | None = None
    """Of L*, a*, b* over the tissue."""
    deviation: Vector | None = None
    """Standard deviation of L*, a*, b*."""
    tissue_pixels: int = 0
    """Pixels of tissue."""
    sample_pixels: int = 0
    """Number of these pixels on which vectors or statistics were estimated."""
    flags: tuple[str, ...] = ()
    """Flags; empty for a slide that can be trusted."""

    def __post_init__(self) -> None:
        _ = self.basis, self.statistics
        pairs = (self.matrix is None) == (self.maxima is None) and (self.mean is None) == (self.deviation is None)
        needed = {"none": True, "reinhard": self.mean is not None}.get(self.used, self.matrix is not None)
        if not pairs or not needed:
            raise ConfigurationError(
                "An estimate lacks numbers.",
                where="normalized.stain.record.Estimate",
                found=asdict(self),
                expected="matrix with maxima, mean with deviation, and those that the method used needs",
                remedy="Estimate the slide again.",
            )

    @property
    def basis(self) -> StainBasis | None:
        """Stain vectors, if any."""
        if self.matrix is None or self.maxima is None:
            return None
        return StainBasis(self.matrix, self.maxima, self.background)

    @property
    def statistics(self) -> LabStatistics | None:
        """Moments of Lab, if any."""
        if self.mean is None or self.deviation is None:
            return None
        return LabStatistics(self.mean, self.deviation)

    @property
    def angles(self) -> dict[str, float] | None:
        """Degrees ``between`` the vectors, and of ``haematoxylin`` and ``eosin`` from their reference vectors."""
        if self.matrix is None:
            return None
        rows, reference = np.asarray(self.matrix), np.asarray(REFERENCE_BASIS.matrix)
        off = {stain: angle(rows[at], reference[at]) for at, stain in enumerate(STAINS)}
        return {"between": angle(rows[0], rows[1]), **off}

    def to_json(self) -> dict[str, Any]:
        """Plain lists, numbers and texts; `from_json` gives back the same estimate to the last bit."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        flags = plain.pop("flags")
        return {**plain, "angles": self.angles, "flags": flags}

    @classmethod
    def from_json(cls, content: object) -> "Estimate":
        """Estimate restored from `to_json`.

        Parameters
        ----------
        content
            Output of `to_json`, perhaps with ``from``, ``tissue`` and ``provenance``. Angles follow from the matrix.

        Raises
        ------
        StoreError
            A missing or unknown key, a value of another type, or numbers that describe no stain.
        """
        if not isinstance(content, dict) or "angles" not in content:
            raise _not_an_estimate(content, "an object with the keys of a stain.json")
        fields = {key: value for key, value in content.items() if key not in _BESIDE | {"angles"}}
        if missing := cls.__dataclass_fields__.keys() - fields.keys():
            raise _not_an_estimate(sorted(content), f"also {', '.join(sorted(missing))}")
        try:
            return TypeAdapter(cls).validate_json(json.dumps(fields))
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise _not_an_estimate(f"{where}: {first.get('input')!r}", first["msg"]) from problem


def read_estimate(path: Path) -> Estimate:
    """Stain estimate of a file ``stain.json``.

    Raises
    ------
    StoreError
        The file is missing, no JSON, or holds no estimate.
    """
    try:
        return Estimate.from_json(read_json(path, foreign=True))
    except StoreError as problem:
        raise StoreError(f"{path.name}: {problem}") from problem
    except (OSError, ValueError) as problem:
        raise StoreError(f"{path.name}: {_not_an_estimate(problem, 'a JSON file')}") from problem


def _not_an_estimate(found: object, expected: str) -> StoreError:
    return StoreError(
        "This is no stain.json.",
        where="normalized.stain.record.Estimate",
        found=found,
        expected=expected,
        remedy="Give a stain.json that this package wrote, unchanged.",
    )


REFERENCE = Estimate(
    "reference",
    "reference",
    NO_BACKGROUND,
    REFERENCE_BASIS.matrix,
    REFERENCE_BASIS.maxima,
    REFERENCE_STATISTICS.mean,
    REFERENCE_STATISTICS.deviation,
)
"""The shipped target for every method: a well-stained slide on white."""
