"""Pages of the worst images: the order is that of the table of results, and every page is one that the report links."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from pipeline import stores
from pipeline.config import NormalizedConfig
from pipeline.raw.datasets.entry import ImageEntry
from pipeline.report.page.tables.results import image_scores
from pipeline.report.paths import Inputs
from pipeline.report.zoom.page import ImageStores, Pages
from pipeline.report.zoom.worst import chosen_images, write_worst
from pipeline.seeds import stream
from pipeline.stores.job import Job
from pipeline.stores.provenance import Provenance


@pytest.fixture(scope="module")
def rows(world) -> pd.DataFrame:
    """Measures of sixty images in both splits, of other Dice each, and two without a lesion."""
    table = stores.read_table(world.results[0].metrics_images).astype({"image_id": str, "split": str})
    one, rng = table[table["image_id"] == "eye_03"], stream(0, "tests", "worst")
    parts = [
        one.assign(image_id=f"i{at:02}", split="test" if at % 2 else "validation", dice=rng.random())
        for at in range(60)
    ]
    parts += [one.assign(image_id=f"none{at}", split="test", truth_pixels=0) for at in range(2)]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("count", [1, 5, 400])
def test_the_worst_test_images_come_first_then_the_best_and_the_median(rows, world, count):
    every = {*rows["image_id"]}
    dice = (
        rows[(rows["split"] == "test") & (rows["truth_pixels"] > 0)].groupby("image_id")["dice"].first().sort_values()
    )
    found = chosen_images(rows, world.record, count=count, offered=every)
    assert found[:count] == list(dice.index[:count])
    assert set(found) == {*dice.index[:count], dice.index[-1], dice.index[(len(dice) - 1) // 2]}
    assert len(set(found)) == len(found) == min(count + 2, 30)


def test_what_is_not_offered_is_not_chosen_and_where_nothing_is_tested_validation_counts(rows, world):
    scores = [each for each in image_scores(rows, world.record) if each.split == "validation"]
    validated = {each.image for each in scores}
    assert chosen_images(rows, world.record, count=2, offered=validated)[:2] == [each.image for each in scores[:2]]
    fewer = validated - {scores[0].image}
    assert chosen_images(rows, world.record, count=1, offered=fewer)[0] == scores[1].image
    assert chosen_images(rows, world.record, count=3, offered={"none0"}) == []


@pytest.fixture
def written(world, tmp_path):
    """Writes the pages of the invented eyes, and gives their folder."""
    result = world.results[0]
    found = {
        image: ImageStores(world.inputs.normalized[image], result.probability[image], result.segmentation[image])
        for image in ("eye_02", "eye_03", "eye_04")
    }
    picture = tmp_path / "eye.png"

    def entry_of(image):
        pixels = np.moveaxis(stores.open_array(world.inputs.normalized[image], "0")[:], 0, 2)
        Image.fromarray(np.ascontiguousarray(pixels)).save(picture)
        return ImageEntry(image, picture)

    def write(count, whole):
        job = Job(world.record, Provenance(stage="report", config={"worst": count}, code="0123456789ab"))
        write_worst(
            result.metrics_images,
            found,
            entry_of=entry_of,
            count=count,
            pages=Pages("eyes", result.name, NormalizedConfig(), job),
            output=tmp_path / "report" / "worst",
            whole=whole,
        )
        return tmp_path / "report" / "worst"

    return write


def test_each_chosen_image_has_its_page_where_the_report_links_to_it_and_goes_with_its_choice(written):
    folder = written(1, 10**6)
    assert {path.name for path in folder.iterdir()} == {"eye_03", "eye_04"}
    pages = Inputs(folder, {}, zoom={path.name: path for path in folder.iterdir()}).pages
    assert all((folder.parent / link).is_file() for link in pages.values())
    assert "../../viewer/viewer.js" in (folder / "eye_03" / "index.html").read_text()
    # Images that became too large since then: their pages go.
    assert not list(written(3, 150 * 190 - 1).iterdir())
