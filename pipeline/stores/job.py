"""Frame of one job: the facts of its data set, the record of origin of its results, and its workers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config.manifest import DatasetRecord
from pipeline.stores.arrays import input_digest
from pipeline.stores.input_files import InputFiles
from pipeline.stores.provenance import LIBRARIES, Provenance

__all__ = ["Job", "by_image", "job_of", "origin"]


@dataclass(frozen=True, slots=True)
class Job:
    """Frame of a job, passed to every function that writes a result beside its own inputs, parameters and outputs."""

    record: DatasetRecord
    """Facts of the data set."""
    provenance: Provenance
    """Record of origin that the results carry."""
    workers: int = 1
    """Blocks, images or patches processed at a time; changes no value."""
    files: InputFiles = field(default_factory=InputFiles)
    """Input files as they were before their digests were taken."""

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.provenance.seed


def by_image(paths: Iterable[str]) -> dict[str, Path]:
    """Paths by image id, for results named like their image.

    Examples
    --------
    >>> by_image(["normalized/a.zarr", "normalized/b.zarr"])["b"].as_posix()
    'normalized/b.zarr'
    """
    return {Path(path).stem: Path(path) for path in paths}


def origin(
    stage: str,
    *,
    config: Mapping[str, Any],
    code: str,
    inputs: Mapping[str, Path] | None = None,
    pixel_size_um: float | None = None,
    libraries: tuple[str, ...] = LIBRARIES,
    files: InputFiles | None = None,
) -> Provenance:
    """Record of origin of a job's results; the seed is the one in its configuration.

    Parameters
    ----------
    stage
        One of the seven words.
    config
        What the result depends on, as plain values.
    code
        Digest of the code.
    inputs
        Name → file or store; their digests are recorded, never their paths.
    pixel_size_um
        Side of a pixel of the original, where known.
    libraries
        Distributions whose versions are recorded. files The inputs as they were before, for a job that compares their
        folders itself at its end.

    Raises
    ------
    ImageRejected
        An input was removed or changed meanwhile.
    """
    before = files or InputFiles.of((inputs or {}).values())
    with before.steady(folders=files is None):  # A removed file has no digest.
        digests = {name: input_digest(path) for name, path in (inputs or {}).items()}
    seed = int(config.get("seed", 0))
    return Provenance(stage, dict(config), code, digests, seed, pixel_size_um, libraries)


def job_of(
    stage: str,
    *,
    config: Mapping[str, Any],
    code: str,
    inputs: Mapping[str, Path] | None = None,
    libraries: tuple[str, ...] = LIBRARIES,
    workers: int = 1,
    shown: Sequence[Mapping[str, str]] | None = None,
) -> Job:
    """Frame of a job, built from everything that its result depends on.

    Parameters
    ----------
    stage
        One of the seven words.
    config
        Plain values: ``record``, the facts of the data set; ``seed`` where the result depends on it; parameters.
    code
        Digest of the code.
    inputs
        Name → file or store.
    libraries
        Distributions whose versions are recorded.
    workers
        Blocks, images or patches at a time.
    shown
        Name and colour of each class, for viewers, where the configuration leaves them out.
    """
    record, files = DatasetRecord.model_validate(config["record"]), InputFiles.of((inputs or {}).values())
    if shown is not None:
        classes = [each.model_copy(update=dict(new)) for each, new in zip(record.classes, shown, strict=True)]
        record = record.model_copy(update={"classes": tuple(classes)})
    # Of the stages with a record only this one reads the pixels of the file, to which the size belongs.
    size = record.pixel_size_um if stage == "normalized" else None
    return Job(
        record,
        origin(stage, config=config, code=code, inputs=inputs, pixel_size_um=size, libraries=libraries, files=files),
        workers,
        files,
    )
