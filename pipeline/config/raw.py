"""Parameters of stage raw: splits and folds."""

from typing import Annotated

from pydantic import Field

from pipeline.config.values import Count, PathText, Strict

__all__ = ["LARGEST_DECODE", "RawConfig"]

LARGEST_DECODE = 2**30
"""Default of the most bytes of a file's unit that is decoded at once."""


class RawConfig(Strict):
    """Stage raw: fact sheets and splits."""

    validation_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2,
        description="Share of the groups (patients) outside the test set used for validation, as close as whole "
        "groups allow.",
    )
    test_share: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None,
        description="Share of the groups (patients) used for the test where nothing else defines the test set; "
        "null: 0.2 from 10 groups on if there is no official test set, held-out centre or table of "
        "splits, else none.",
    )
    folds: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Number of folds for cross-validation, which fill the column `fold`; 0 for none."
    )
    splits_csv: PathText | None = Field(
        None, description="CSV with columns image_id and split that fixes the splits; relative to the working folder."
    )
    holdout_centre: str | None = Field(
        None,
        description="A held-out centre (hospital, scanner): all its images join the test set, beside the official one.",
    )
    largest_decode: Count = Field(
        LARGEST_DECODE,
        description="Most bytes of an image, page, tile or strip that is decoded at once; larger ones are refused.",
    )
