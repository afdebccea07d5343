"""A store keeps nothing of Snakemake's, and Snakemake finds the date that it would have found."""

import asyncio
import os
from pathlib import Path

from snakemake.io import IOFile
from snakemake.io import flag as flagged

from pipeline.runtime.store_marks import MARK, take_out_marks


def dates(path: Path) -> float:
    """Date of a declared folder as Snakemake reads it."""
    found = asyncio.run(IOFile(flagged(str(path), "directory")).mtime_uncached())
    return float(found.local())


def test_the_mark_goes_and_its_date_stays(tmp_path):
    stores = [tmp_path / name for name in ("a.zarr", "b.zarr")]
    for number, store in enumerate(stores):
        (store / "0").mkdir(parents=True)
        (store / "zarr.json").write_text("{}")
        (store / MARK).touch()
        os.utime(store / MARK, ns=(10**18 + number * 10**15 + 123_456_789,) * 2)
    before = [dates(store) for store in stores]
    take_out_marks([*stores, tmp_path / "none.zarr"])
    assert [dates(store) for store in stores] == before
    assert [sorted(each.name for each in store.iterdir()) for store in stores] == [["0", "zarr.json"]] * 2
    take_out_marks(stores)
    assert [dates(store) for store in stores] == before
