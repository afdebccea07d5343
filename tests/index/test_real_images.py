"""On real photographs and slides the index keeps its promises too."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from pipeline.config import BalancedSampling, GridSampling, GuidedSampling, NormalizedConfig
from pipeline.config.manifest import load_manifest
from pipeline.index import table
from pipeline.index.candidates import write_candidates
from pipeline.index.image import NormalizedImage
from pipeline.index.structure import structure
from pipeline.normalized.fundus.image import normalise_fundus
from pipeline.normalized.stain.tissue import tissue_mask
from pipeline.raw.datasets.listing import list_images
from pipeline.stores import open_array, table_metadata, write_table
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance

pytestmark = pytest.mark.data
ORIGIN = Provenance("index", {}, "test")
PLAIN = NormalizedConfig.model_validate(
    {"clahe": {"apply": False}, "gaussian": {"apply": False}, "difference": {"apply": False}}
)
MANIFEST = Path(__file__).parents[2] / "datasets_manifest.yaml"


@pytest.fixture(scope="module")
def idrid(real_data, tmp_path_factory):
    """The 12 photographs at full size; two of the training images validate."""
    folder = tmp_path_factory.mktemp("idrid") / "results" / "idrid"
    record = load_manifest(MANIFEST).datasets["idrid"]
    normalized, candidates, rows = {}, {}, []
    for entry in list_images(record, dataset="idrid", root=real_data / "idrid"):
        name = entry.image_id
        normalized[name] = folder / "normalized" / f"{name}.zarr"
        candidates[name] = folder / "index" / "candidates" / f"{name}.parquet"
        normalise_fundus(entry, config=PLAIN, job=Job(record, ORIGIN), output=normalized[name])
        write_candidates(normalized[name], output=candidates[name], provenance=ORIGIN)
        pixels = np.asarray(open_array(normalized[name], "truth")[:]).sum(axis=(1, 2))
        split = "test" if entry.official_test else "validation" if name in ("IDRiD_02", "IDRiD_08") else "train"
        rows.append(
            {
                "image_id": name,
                "group_id": name,
                "split": split,
                "fold": np.int8(-1),
                "rejected": "",
                **{f"pixels_{code}": int(n) for code, n in zip(record.codes, pixels, strict=True)},
            }
        )
    write_table(pd.DataFrame(rows), folder / "images.parquet", provenance={})

    def index(sampling, name="s"):
        output = folder / "index" / f"{name}.parquet"
        table.write_index(
            table.Inputs(folder / "images.parquet", candidates, normalized),
            dataset="idrid",
            sampling=sampling,
            job=Job(record, ORIGIN, workers=2),
            output=output,
        )
        return table.read_index(output), table_metadata(output)["summary"]

    return record, normalized, index


def recount(frame, normalized, codes):
    """Every row counted again from whole arrays, by slices."""
    for image_id, rows in frame.groupby("image_id", observed=True):
        truth, roi = (np.asarray(open_array(normalized[image_id], name)[:]) for name in ("truth", "roi"))
        for row in rows.itertuples():
            inside = slice(row.y, row.y + row.height), slice(row.x, row.x + row.width)
            patch, area = truth[(..., *inside)], row.height * row.width
            assert [getattr(row, f"pixels_{code}") for code in codes] == patch.sum(axis=(1, 2), dtype=np.int64).tolist()
            assert row.truth_fraction == np.float32(np.count_nonzero(patch.any(axis=0)) / area)
            assert row.roi_fraction == np.float32(np.count_nonzero(roi[inside]) / area)
            assert row.is_positive == patch.any()


def test_guided_with_beta_one_gives_every_class_the_same_number_of_patches_and_every_row_counts_right(idrid):
    record, normalized, index = idrid
    sampling = GuidedSampling(strategy="guided", total=500, beta=1.0, cover="all", background_share=0.0)
    frame, summary = index(sampling)
    drawn = frame[(frame["split"] == "train") & ~frame["coverage"]]
    assert drawn["target_class"].value_counts().to_dict() == dict.fromkeys(record.codes, 100) | {"background": 0}
    assert summary["notes"] == []
    assert all(each["untouched"] == 0 for each in summary["lesions"].values())
    recount(frame, normalized, record.codes)


def test_the_grid_covers_every_pixel_of_every_photograph(idrid):
    _, normalized, index = idrid
    frame, _ = index(GridSampling(strategy="grid"))
    assert frame["image_id"].nunique() == 12
    for image_id, rows in frame.groupby("image_id", observed=True):
        covered = np.zeros(open_array(normalized[image_id], "roi").shape, bool)
        for row in rows.itertuples():
            covered[row.y : row.y + row.height, row.x : row.x + row.width] = True
        assert covered.all(), image_id


def test_negatives_of_photographs_are_free_of_truth_apart_and_inside_the_field_of_view(idrid):
    record, normalized, index = idrid
    sampling = BalancedSampling(strategy="balanced", total=200, patch=256, negatives="anywhere", most_per_image=20)
    frame, summary = index(sampling)
    rows = frame[frame["strategy"] == "balanced"]
    negatives = rows[rows["target_class"] == "background"]
    assert len(rows) == 2 * len(negatives) > 0
    assert (negatives["roi_fraction"] >= 0.5).all()
    assert summary["spread"]["least_distance"] >= 128
    assert negatives["image_id"].value_counts().max() <= 20
    recount(rows, normalized, record.codes)


def test_on_a_real_slide_cells_have_more_structure_than_loose_fibres_and_glass_has_none(real_data):
    """Places were chosen by eye: two places in the epithelium, two of collagen, two of glass."""
    slide = tifffile.imread(real_data / "wsi" / "CMU-1-Small-Region.svs")
    image = in_memory(slide)
    cells, fibres, glass = [(700, 1100), (880, 1100)], [(2500, 840), (2050, 1480)], [(200, 100), (1900, 100)]
    boxes = np.array([(y, x, y + 256, x + 256) for y, x in (*cells, *fibres, *glass)])
    score = structure(image, boxes, modality="histology")
    assert score[:2].min() > 1.2 * score[2:4].max()
    assert score[4:].max() < 0.01


def in_memory(rgb):
    """An opened image without a store: what `structure` reads behaves like an array."""
    coarse = np.moveaxis(cv2.resize(rgb, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), 2, 0)
    found = cv2.resize(tissue_mask(np.ascontiguousarray(rgb[::4, ::4])).astype(np.uint8), rgb.shape[1::-1])
    arrays = [zarr.array(np.ascontiguousarray(each)) for each in (np.zeros((1, 8, 8), np.uint8), found, coarse)]
    return NormalizedImage("slide", ("A",), *arrays, 4)
