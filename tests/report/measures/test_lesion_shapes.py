"""Columns of single lesions: those of scikit-image and SciPy on the whole image, whatever the blocks it is read in."""

import math
from dataclasses import asdict

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label, regionprops

from pipeline.arrays.contrast import RING
from pipeline.arrays.holes import hole_sums
from pipeline.arrays.raster import Raster
from pipeline.report.measures import image as measured_image
from pipeline.report.measures.image import measure_image
from pipeline.report.measures.lesion_wise import LESION_COLUMNS, lesion_table
from pipeline.seeds import stream

SIZE = (45, 38)
CODES = ("MA", "EX")


def planes_of(seed: int) -> dict[str, NDArray[np.generic]]:
    rng = stream(seed, "tests", "lesion shapes")
    smooth = np.stack([ndimage.gaussian_filter(rng.normal(size=SIZE), 1.2) for _ in range(4)])
    truth, masks = smooth[:2] > 0.2, smooth[2:] > 0.2
    roi, ignore = np.ones(SIZE, np.uint8), (rng.random(SIZE) < 0.02).astype(np.uint8)
    roi[:, :4] = 0
    return {
        "truth": truth & (ignore == 0),
        "masks": masks,
        "probability": rng.random((2, *SIZE)).astype(np.float16),
        "roi": roi,
        "ignore": ignore,
        "grey": rng.integers(0, 256, SIZE).astype(np.uint8),
    }


def holes_of(regions: NDArray[np.int64], number: int) -> tuple[int, int]:
    """Holes that the region is the innermost one around, by filling each region on its own."""
    background, count = ndimage.label(regions == 0)
    filled = [ndimage.binary_fill_holes(regions == each) for each in range(1, int(regions.max()) + 1)]
    sizes = []
    for each in range(1, count + 1):
        hole = background == each
        around = [at for at, area in enumerate(filled, start=1) if area[hole].all()]
        if around and min(around, key=lambda at: filled[at - 1].sum()) == number:
            sizes.append(int(hole.sum()))
    return len(sizes), sum(sizes)


def contrast_of(region: NDArray[np.bool_], ring: NDArray[np.bool_], grey: NDArray[np.uint8]) -> float:
    """Mean inside less the mean of ring pixels, each weighing by the pixels of the region within the square around it."""
    near = ndimage.correlate(region.astype(float), np.ones((2 * RING + 1,) * 2), mode="constant").round() * ring
    return float(grey[region].mean() - (near * grey).sum() / near.sum()) if near.any() else math.nan


@pytest.mark.parametrize(("seed", "block"), [(0, 64), (0, 5), (1, 13), (2, 9)])
def test_lesions_have_the_shapes_of_whole_image_references(monkeypatch, seed, block):
    monkeypatch.setattr(measured_image, "BLOCK", block)
    planes = planes_of(seed)
    measure = measure_image(planes, codes=CODES, annotated=CODES)
    known = planes["ignore"] == 0
    for at, code in enumerate(CODES):
        table = lesion_table(measure.lesions[code], pixel_um2=4.0)
        for side, name in (("truth", "truth"), ("predicted", "masks")):
            own = table[table["side"] == side]
            regions = label(planes[name][at] & known, connectivity=2)
            ring = known & (planes["roi"] > 0) & ~planes[name].any(axis=0)
            found = regionprops(regions, planes["probability"][at].astype(np.float64))
            assert len(own) == len(found) > 2
            for row, region in zip(own.itertuples(), found, strict=True):
                assert row.area_px == region.area
                assert row.area_um2 == 4 * region.area
                assert (row.y0, row.x0, row.y1, row.x1) == region.bbox
                assert (row.y, row.x) == pytest.approx(region.centroid)
                assert row.mean_probability == pytest.approx(region.intensity_mean)
                assert row.max_probability == region.intensity_max
                minor = region.axis_minor_length
                if region.area == 1 or minor < 1e-6:
                    assert row.elongation == (1 if region.area == 1 else math.inf)
                else:
                    assert row.elongation == pytest.approx(region.axis_major_length / minor)
                assert (row.holes, row.hole_area_px) == holes_of(regions, region.label)
                inside = regions == region.label
                assert row.contrast == pytest.approx(contrast_of(inside, ring, planes["grey"]), nan_ok=True)


def test_without_a_picture_there_is_no_contrast_and_without_a_pixel_size_no_area_in_micrometres():
    planes = {name: plane for name, plane in planes_of(0).items() if name != "grey"}
    table = lesion_table(measure_image(planes, codes=CODES, annotated=CODES).lesions["MA"])
    assert table["contrast"].isna().all()
    assert table["area_um2"].isna().all()
    assert set(table) <= set(LESION_COLUMNS)


@pytest.mark.parametrize("rows", [1, 4, 64])
def test_a_ring_with_an_island_that_has_a_hole_gives_each_region_its_own(rows):
    mask = np.zeros((13, 15), np.bool_)
    mask[1:12, 1:12] = True
    mask[2:11, 2:11] = False
    mask[4:8, 4:8] = True
    mask[5:7, 5:7] = False
    mask[0, 14] = mask[1, 13] = mask[2, 14] = True  # open to the border of the image, and so no hole
    count, area = hole_sums(Raster.of(mask), rows=rows)
    regions = label(mask, connectivity=2)
    assert list(zip(count.tolist(), area.tolist(), strict=True)) == [holes_of(regions, at) for at in (1, 2, 3)]
    assert sorted(area.tolist()) == [0, 4, 81 - 16]


def test_a_matching_of_nothing_has_empty_shapes():
    planes = planes_of(0) | {"truth": np.zeros((2, *SIZE), np.bool_), "masks": np.zeros((2, *SIZE), np.bool_)}
    matching = measure_image(planes, codes=CODES, annotated=CODES).lesions["MA"]
    assert all(len(values) == 0 for values in asdict(matching.shapes).values())
    assert len(lesion_table(matching)) == 0
