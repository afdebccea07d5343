"""Size of the pages in deep zoom before writing: files, from the levels of an image, and bytes, from measured shares."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import StageConfig
from pipeline.normalized.pyramid import level_shapes
from pipeline.report.zoom.files import FINER_TO, SMALLEST_WHOLE, TILE, WHOLE, is_whole
from pipeline.runtime.job_memory import Picture, scaled_size

__all__ = ["ZoomSize", "page_size", "zoom_size"]

PICTURES, FINER_PICTURES = 0.5, 0.8
"""Bytes per pixel of both images with all levels, and where their full size has finer steps.

Those of IDRiD_12 at full size took 0.45; those of IDRiD at half their size 0.62 to 0.86 (benchmarks/zoom.md)."""
MASK, PROBABILITY, PAGE = 0.0015, 0.01, 8e3
"""Bytes per pixel of a mask layer; per pixel and class of probability; per page."""

EXTREMES = 2
"""Pages beside those of the worst images: the best and the median one."""


@dataclass(frozen=True, slots=True)
class ZoomSize:
    """Files and bytes of pages."""

    pages: int
    files: int
    bytes: float


def page_size(height: int, width: int, *, classes: int, results: int, mapped: bool, whole: int = WHOLE) -> ZoomSize:
    """Largest size of the page of one image; layers of classes that the image lacks are not written.

    Parameters
    ----------
    height, width
        Of the normalised image in pixels.
    classes
        Number of classes.
    results
        Number of models and fusions on the page.
    mapped
        Whether the image has maps.
    whole
        Pixels up to which a level is one file.
    """
    pixels, overlays = height * width, classes + (classes + 1) * results if mapped else classes
    if is_whole(height, width, whole=whole):
        levels = len(level_shapes(height, width, smallest=SMALLEST_WHOLE, most=12, least=1))
        pictures, each = levels, (levels + 1) // 2
    else:
        shapes = level_shapes(height, width, smallest=TILE, most=24, least=1)
        pictures = each = sum(-(-tall // TILE) * -(-wide // TILE) for tall, wide in shapes)
    layers = overlays + classes * mapped
    both = FINER_PICTURES if pixels <= FINER_TO else PICTURES
    size = pixels * (both + MASK * overlays + PROBABILITY * classes * mapped)
    return ZoomSize(1, 1 + 2 * pictures + layers * each, PAGE + size)


def zoom_size(pictures: Sequence[Picture], *, classes: int, evaluated_share: float, config: StageConfig) -> ZoomSize:
    """Size of all pages that a run writes by ``report.zoom``.

    Parameters
    ----------
    pictures
        The original images.
    classes
        Number of classes.
    evaluated_share
        Share of the images that get maps.
    config
        Parameters of the run.
    """
    results = len(config.model.predictors) * len(config.probability.fusions)
    sizes = [scaled_size(config.normalized.rescale, each) for each in pictures]
    mapped = round(evaluated_share * len(sizes)) if results else 0
    if config.report.worst:
        sizes = [(height, width) for height, width in sizes if is_whole(height, width)]
        mapped = written = min(config.report.worst + EXTREMES, mapped, len(sizes))
    else:
        written = len(sizes) if config.report.zoom == "all" else 0
    counts = {True: min(mapped, written), False: max(written - mapped, 0)}
    found = [
        (count / len(sizes), page_size(*size, classes=classes, results=results, mapped=each))
        for each, count in counts.items()
        if count
        for size in sizes
    ]
    files = sum(share * page.files for share, page in found)
    return ZoomSize(written, round(files), sum(share * page.bytes for share, page in found))
