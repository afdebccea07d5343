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
        description="Number of images shown as overlays and as maps of their patches, test images first, beside "
        "the best, the median and the worst one.",
    )
    picture_side: Annotated[int, Field(ge=1, le=20_000)] = Field(
        900, description="Longest side of a picture in the page, pixels."
    )
    zoom: Annotated[str, AfterValidator(_zoomed)] = Field(
        "worst 3",
        json_schema_extra={"pattern": f"^({ZOOMED})$"},
        description="Images with a page in deep zoom to full resolution and all layers: `all` usable ones, "
        "`none`, or `worst N`: the N measured images of lowest Dice, with the best and the median "
        "one, of at most 40 megapixels. `lesionmap view` shows any image without a page.",
    )
    bootstrap: Annotated[int, Field(ge=0, le=10**6)] = Field(
        1000, description="Bootstrap samples over groups; 0 for none."
    )
    match: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2,
        description="Share of a lesion that a prediction must cover to find it, and share of a predicted lesion "
        "that must lie on truth for it not to be false; 0: one pixel.",
    )
    surface_tolerance: Annotated[str, Field(pattern=r"^\d+(\.\d+)? (px|um)$")] = Field(
        "2 px",
        description="Tolerance of the normalised surface Dice, the distance up to which borders of prediction and "
        "truth agree: `2 px`, pixels of the original image, or `10 um`, which needs its pixel size.",
    )

    @property
    def worst(self) -> int:
        """Number of worst images with a page in deep zoom; 0 under another rule."""
        rule, _, count = self.zoom.partition(" ")
        return int(count) if rule == "worst" else 0
