"""Pages in deep zoom of the worst images, of the best and of the median one, by the measures of one model and fusion."""

import logging
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pandas as pd

from pipeline import stores
from pipeline.config.manifest import DatasetRecord
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.page.choice import MEASURED_SPLITS
from pipeline.report.page.tables.results import extremes, image_scores
from pipeline.report.zoom.files import WHOLE, is_whole
from pipeline.report.zoom.page import ImageStores, Pages, write_page
from pipeline.stores.atomic import folder_in_progress

__all__ = ["chosen_images", "write_worst"]

log = logging.getLogger(__name__)


def chosen_images(rows: pd.DataFrame, record: DatasetRecord, *, count: int, offered: Collection[str]) -> list[str]:
    """Ids of the worst images, the worst first, then of the best and the median one, each once.

    Parameters
    ----------
    rows
        Measures of each image, of one result.
    record
        Classes; Dice over the lesions counts.
    count
        Number of the worst.
    offered
        Images to choose from; only the split that the report shows first counts.
    """
    scores = [each for each in image_scores(rows, record) if each.image in offered and not math.isnan(each.dice)]
    split = next((split for split in MEASURED_SPLITS if any(each.split == split for each in scores)), "")
    own = [each for each in scores if each.split == split]
    return list(dict.fromkeys(each.image for each in (*own[:count], *extremes(own, split=split).values())))


def _small_enough(found: Mapping[str, ImageStores], *, whole: int) -> set[str]:
    """Images whose levels are one file each; a slide's thousands of files are written only on request."""
    sizes = {image: stores.open_array(each.normalized, "0").shape for image, each in found.items()}
    small = {image for image, (*_, height, width) in sizes.items() if is_whole(height, width, whole=whole)}
    if large := len(sizes) - len(small):
        log.info(
            "%d images of more than %d pixels, or too long, get no page here: lesionmap view shows them", large, whole
        )
    return small


def write_worst(
    metrics: Path,
    found: Mapping[str, ImageStores],
    *,
    entry_of: Callable[[str], ImageEntry],
    count: int,
    pages: Pages,
    output: Path,
    whole: int = WHOLE,
) -> None:
    """Folder ``report/worst``, written: a folder for each chosen image, as `write_page` makes it.

    Parameters
    ----------
    metrics
        Measures of each image, of the result that the pages show.
    found
        Image id → stores, for all candidates.
    entry_of
        Image id → the image and its file.
    count
        Number of the worst images.
    pages
        Facts shared by all pages.
    output
        The folder. Its parent is the folder of the report.
    whole
        Pixels of the largest image that may be chosen.
    """
    offered = _small_enough(found, whole=whole)
    chosen = chosen_images(stores.read_table(metrics), pages.job.record, count=count, offered=offered)
    with folder_in_progress(output, digest=pages.job.provenance.digest) as folder:
        for image in chosen:
            log.info("%s in deep zoom", image)
            (folder / image).mkdir(exist_ok=True)
            write_page(entry_of(image), found[image], pages=pages, folder=folder / image)
