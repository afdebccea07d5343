"""Parameters of stage report: pictures, bootstrap, rules of measures."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.config.values import Strict

__all__ = ["ReportConfig"]

ZOOMED = r"all|none|worst [1-9]\d{0,3}"


def _zoomed(text: str) -> str:
    if not re.fullmatch(ZOOMED, text):
        raise ValueError(f"zoom {text!r} must be all, none, or worst and a number from 1 on, such as worst 3")
    return text


class ReportConfig(Strict):
    """Stage report: the page to look at."""

    images: Annotated[int, Field(ge=1, le=100_000)] = Field(
        6,
        description="Images shown as overlays, test images first, beside the best, the median and the worst one; and as maps of "
        "their patches.",
    )
    picture_side: Annotated[int, Field(ge=1, le=20_000)] = Field(
        900, description="Longest side of a picture in the page, pixels."
    )
    zoom: Annotated[str, AfterValidator(_zoomed)] = Field(
        "worst 3",
        json_schema_extra={"pattern": f"^({ZOOMED})$"},
        description="Images that get a page in deep zoom to their full resolution, with all their layers: `all` usable ones, "
        "`none`, or `worst N`, the N measured images of the lowest Dice, with the best and the median one, of at most 40 "
        "megapixels. `lesionmap view` shows any image without a page.",
    )
    bootstrap: Annotated[int, Field(ge=0, le=10**6)] = Field(
        1000, description="Bootstrap samples over groups; 0 for none."
    )
    match: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2,
        description="Share of a lesion that a prediction must cover to find it, and of a predicted lesion that must lie on "
        "truth so that it is not false; 0: any pixel.",
    )
    surface_tolerance: Annotated[str, Field(pattern=r"^\d+(\.\d+)? (px|um)$")] = Field(
        "2 px",
        description="Distance up to which the borders of a prediction and the truth agree, for the normalised surface Dice: "
        "`2 px`, pixels of the original image, or `10 um`, which needs its pixel size.",
    )

    @property
    def worst(self) -> int:
        """Number of the worst images that get a page in deep zoom; 0 where the rule is another one."""
        rule, _, count = self.zoom.partition(" ")
        return int(count) if rule == "worst" else 0
