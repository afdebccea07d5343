"""Pictures of a data set as its table of images knows them: what the memory model needs, without opening a file."""

import pandas as pd

from pipeline.raw.formats.suffixes import decoded_whole
from pipeline.runtime.job_memory import Picture

__all__ = ["pictures_in"]


def pictures_in(images: pd.DataFrame, *, classes: int) -> dict[str, Picture]:
    """Image id → picture, for the images that can be used.

    Parameters
    ----------
    images
        Columns ``image_id``, ``file``, ``height``, ``width``, ``annotated`` and ``rejected`` of ``raw/images.parquet``.
    classes
        Classes of the data set.
    """
    usable = images[images["rejected"] == ""]
    return {
        str(row["image_id"]): Picture(
            int(row["height"]),
            int(row["width"]),
            whole=decoded_whole(str(row["file"])),
            truth=classes if row["annotated"] else 0,
        )
        for row in usable.to_dict("records")
    }
