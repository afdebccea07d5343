"""Parameters of one term of the loss."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.values import Exponent, Share, Strict, Weight

__all__ = ["LossTerm"]


class LossTerm(Strict):
    """One term of the loss, which is a weighted sum."""

    name: Literal["dice", "focal", "tversky", "focal_tversky", "lovasz", "boundary", "bce", "cross_entropy"] = Field(
        description="The loss."
    )
    weight: Weight = Field(1.0, description="Its factor.")
    alpha: Share = Field(0.5, description="Tversky, focal Tversky: weight of false positives.")
    beta: Share = Field(0.5, description="Tversky, focal Tversky: weight of false negatives.")
    gamma: Exponent = Field(2.0, description="Focal: exponent. Focal Tversky: inverse of the exponent, as published.")

    @model_validator(mode="after")
    def _has_an_inverse(self) -> Self:
        if self.name == "focal_tversky" and self.gamma == 0:
            raise ValueError("focal_tversky: gamma must be above 0, for 1 / gamma is the exponent")
        return self
