"""Expected size of pages in deep zoom: files as they are written at most, bytes within a factor of two of what was measured."""

import numpy as np
import pytest

from pipeline.arrays.raster import Raster
from pipeline.config import ModelConfig, ModelSettings, ProbabilityConfig, ReportConfig, StageConfig
from pipeline.normalized.pyramid import halve
from pipeline.report.zoom.files import write_stacks
from pipeline.report.zoom.levels import halve_highest
from pipeline.report.zoom.size import page_size, zoom_size
from pipeline.report.zoom.stacks import Stack
from pipeline.runtime.job_memory import Picture

MEASURED = [
    # `python -m benchmarks.zoom_page`: height, width, classes, results, and megabytes of the page.
    (564, 564, 5, 4, 0.26),
    (600, 600, 1, 4, 0.38),
    (1424, 2144, 5, 1, 2.00),
    (1424, 2144, 5, 1, 2.68),
    (2848, 4288, 5, 4, 5.83),
]
CLEAR, BLACK = (0, 0, 0, 0), (0, 0, 0, 255)


@pytest.mark.parametrize(("height", "width", "classes", "results", "megabytes"), MEASURED)
def test_a_page_takes_what_was_measured_within_a_factor_of_two(height, width, classes, results, megabytes):
    found = page_size(height, width, classes=classes, results=results, mapped=True)
    assert megabytes / 2 < found.bytes / 1e6 < 2 * megabytes


@pytest.mark.parametrize("whole", [10**7, 10**5], ids=["levels", "tiles"])
def test_files_are_those_that_are_written_where_each_class_is_everywhere(tmp_path, whole):
    shape, classes = (700, 1300), 2
    full = Raster(shape, lambda box: np.ones((classes, box.height, box.width), np.uint8))
    planes = Raster(shape, lambda box: np.ones((3, box.height, box.width), np.uint8))
    one = Raster(shape, lambda box: np.ones((1, box.height, box.width), np.uint8))
    palettes = ((CLEAR, BLACK),) * classes
    for kind in ("original", "normalised"):
        write_stacks([Stack(kind, planes, halve)], tmp_path, whole=whole)
    for kind in ("truth", "probability", "prediction"):
        write_stacks([Stack(kind, full, halve_highest, palettes, (0, 1))], tmp_path, whole=whole)
    write_stacks([Stack("errors", one, halve_highest, palettes[:1])], tmp_path, whole=whole)
    for kind, raster, count in (("prediction", full, classes), ("errors", one, 1)):
        numbers = (0, 1) if count > 1 else (None,)
        write_stacks([Stack(kind, raster, halve_highest, palettes[:count], numbers, result=1)], tmp_path, whole=whole)
    found = page_size(*shape, classes=classes, results=2, mapped=True, whole=whole)
    assert found.files == len(list(tmp_path.iterdir())) + 1, "index.html"


def size(zoom: str, pictures: list[Picture], **change):
    settings = {"models": {"unet": ModelSettings()}} | change
    config = StageConfig(
        report=ReportConfig(zoom=zoom),
        model=ModelConfig(**settings),
        probability=ProbabilityConfig(fusions=("mean",)),
    )
    return zoom_size(pictures, classes=5, evaluated_share=0.5, config=config)


def test_pages_are_those_of_the_rule():
    pictures = [Picture(1000, 1000)] * 12
    assert size("none", pictures).pages == size("none", pictures).files == size("none", pictures).bytes == 0
    assert [size(each, pictures).pages for each in ("worst 1", "worst 3", "worst 400", "all")] == [3, 5, 6, 12]
    one = page_size(1000, 1000, classes=5, results=1, mapped=True)
    assert size("worst 3", pictures).files == 5 * one.files
    assert size("worst 3", pictures).bytes == pytest.approx(5 * one.bytes)
    assert size("worst 3", pictures, models={}).pages == 0, "nothing is measured"
    # A slide gets a page where all do.
    assert size("worst 3", [Picture(20_000, 20_000)] * 12).pages == 0
    assert size("all", [Picture(20_000, 20_000)] * 12).files > 12 * 2000


def test_a_photograph_of_12_mpx_with_one_result_takes_at_most_60_files():
    found = page_size(2848, 4288, classes=5, results=1, mapped=True)
    assert found.files <= 60
