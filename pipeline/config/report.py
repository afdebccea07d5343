"""Parameters of stage report: pictures, bootstrap, rules of measures."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.values import Count, Strict

__all__ = ["ReportConfig"]


class ReportConfig(Strict):
    """Stage report: the page to look at."""

    images: Count = Field(
        6,
        description="Images shown as overlays, test images first, beside the best, the median and the worst one; and as maps of "
        "their patches.",
    )
    picture_side: Annotated[int, Field(ge=1, le=20_000)] = Field(
        900, description="Longest side of a picture in the page, pixels."
    )
    zoom: Literal["all", "none"] = Field(
        "none",
        description="Images that get a page in deep zoom to their full resolution, with all their layers: all usable ones or "
        "none.",
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
