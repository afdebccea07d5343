"""Kinds of numbers and names shared by the parameters of all stages, and the storage of arrays."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipeline.words import Split, safe_name

__all__ = [
    "Area",
    "BlockSide",
    "Count",
    "Distance",
    "Exponent",
    "Fold",
    "Fusion",
    "PathText",
    "ResultFolder",
    "SafeName",
    "Seed",
    "Share",
    "Side",
    "Split",
    "Storage",
    "Strict",
    "Weight",
    "Workers",
]

LONGEST_NAME, PERIODIC = 100, re.compile(r"(?P<period>.+?)(?P=period){19}$")
"""Most characters of a name, and the pattern of names that end in twenty repeats."""

LONGEST_PART, LONGEST_PATH = 255, 4095
"""Most bytes of a name of a file or folder, and of a path, on the usual systems."""

Share = Annotated[float, Field(ge=0, le=1)]


Weight = Annotated[float, Field(gt=0, le=1e6)]
"""Weight relative to others."""


Exponent = Annotated[float, Field(ge=0, le=100)]
"""Power of a share or a probability."""


Count = Annotated[int, Field(ge=1, le=10**12)]


Area = Annotated[int, Field(ge=0, le=10**12)]
"""Number of pixels."""


Distance = Annotated[int, Field(ge=0, le=10**6)]
"""Length in pixels."""


BlockSide = Annotated[int, Field(ge=1, le=2**17)]
"""Side of a block in memory, in pixels."""


Seed = Annotated[int, Field(ge=0, le=10**18)]


Fold = Annotated[int, Field(ge=-1, le=99)]
"""Number of a fold; -1 for none."""


Workers = Annotated[int, Field(ge=1, le=1024)]
"""Threads or processes of one job."""


Side = Annotated[int, Field(ge=1, le=2**16)]
"""Side of a patch or window in pixels."""


def _carried(name: str) -> str:
    if len(name) > LONGEST_NAME or PERIODIC.search(name):
        raise ValueError(
            f"name {name[:LONGEST_NAME]!r} must have at most {LONGEST_NAME} characters and not end in twenty repeats"
        )
    return name


def _possible(path: str) -> str:
    longest = max(len(part.encode(errors="replace")) for part in path.split("/"))
    if "\0" in path or longest > LONGEST_PART or len(path.encode(errors="replace")) > LONGEST_PATH:
        raise ValueError(
            f"path {path[:LONGEST_NAME]!r} must have at most {LONGEST_PART} bytes between slashes, {LONGEST_PATH} in all, "
            "and no zero byte: no file can have this name"
        )
    return path


def _result_folder(path: str) -> str:
    if not path.strip() or any(each in path for each in "{}<>\0\n"):
        raise ValueError(f"results {path[:LONGEST_NAME]!r} must name a folder, without any of {{ }} < >")
    return path


SafeName = Annotated[str, AfterValidator(safe_name), AfterValidator(_carried)]
"""Name of a folder of results that is a wildcard in Snakemake, which takes twenty repeats for endless recursion."""


PathText = Annotated[str, AfterValidator(_possible)]
"""Path of a file or folder, as text."""


ResultFolder = Annotated[PathText, AfterValidator(_result_folder)]
"""Folder of results, in which Snakemake would expand wildcards and variables."""


Fusion = Literal["none", "max", "mean", "gaussian"]


class Strict(BaseModel):
    """No unknown keys, no change after construction."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Storage(Strict):
    """Storage of arrays on disk."""

    chunk: Annotated[int, Field(ge=2, le=2**16)] = Field(
        512, description="Side of a chunk in pixels: the smallest piece that is read."
    )
    shard: Side = Field(2048, description="Side of a shard (one file) in pixels: a multiple of the chunk.")
    codec: Literal["lz4", "zstd"] = Field("lz4", description="Blosc codec, always with bitshuffle.")
    level: Annotated[int, Field(ge=1, le=9)] = Field(5, description="Compression level of the codec.")

    @model_validator(mode="after")
    def _whole_chunks(self) -> Self:
        if self.shard % self.chunk or self.shard & (self.shard - 1):
            raise ValueError(f"shard {self.shard} must be a power of two and a multiple of chunk {self.chunk}")
        return self
