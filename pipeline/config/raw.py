"""Parameters of stage raw: splits and folds."""

from typing import Annotated

from pydantic import Field

from pipeline.config.values import Count, Strict

__all__ = ["LARGEST_DECODE", "RawConfig"]

LARGEST_DECODE = 2**30
"""Bytes of the largest unit of a file that is decoded at once, where nothing else is said."""


class RawConfig(Strict):
    """Stage raw: fact sheets and splits."""

    validation_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.2, description="Share of the groups (patients) outside the test that validate, as near as whole groups allow."
    )
    test_share: Annotated[float, Field(ge=0, lt=1)] | None = Field(
        None,
        description="Share of the groups (patients) that test where nothing else says who tests; null: 0.2 from 10 groups"
        " on, where there is no official test, held-out centre or table of splits, else none.",
    )
    folds: Annotated[int, Field(ge=0, le=100)] = Field(
        0, description="Number of folds for cross-validation; 0 for none. Fills the column `fold`."
    )
    splits_csv: str | None = Field(
        None, description="CSV with columns image_id, split that fixes the splits; relative to the working folder."
    )
    holdout_centre: str | None = Field(
        None, description="A centre (hospital, scanner) all of whose images are tested, beside the official test set."
    )
    largest_decode: Count = Field(
        LARGEST_DECODE,
        description="Bytes of the largest picture, page, tile or strip that is decoded at once; larger is refused.",
    )
