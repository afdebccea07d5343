"""Time of reading ten million rows of a patch index back."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from pipeline.index.schema import columns, row_groups
from pipeline.seeds import stream
from pipeline.stores import read_rows, write_table

__all__ = ["section"]

ROWS, IMAGES, CODES = 10_000_000, 2000, ("MA", "HE", "EX", "SE", "OD")


def frame() -> pd.DataFrame:
    """An index of the declared columns and types, made in the order of the file."""
    random, each = stream(0, "benchmark", "rows"), ROWS // IMAGES
    image = np.repeat(np.arange(IMAGES), each)
    y, x = np.repeat(np.arange(100), each // 100), np.tile(np.arange(each // 100), 100)
    names = np.array([f"image_{at:04d}" for at in range(IMAGES)])
    wide: dict[str, object] = {
        "patch_id": pd.array([f"{names[i]}/guided/MA/{k}" for i in range(IMAGES) for k in range(each)], dtype="str"),
        "dataset": "d",
        "image_id": pd.Categorical.from_codes(image, list(names)),
        "group_id": pd.Categorical.from_codes(image // 2, [f"patient_{at:04d}" for at in range(IMAGES // 2)]),
        "split": pd.Categorical.from_codes(np.digitize(image, [400, 1600]), ["test", "train", "validation"]),
        "fold": -1,
        "strategy": "guided",
        "y": np.tile(y, IMAGES),
        "x": np.tile(x, IMAGES),
        "height": 512,
        "width": 512,
        "target_class": pd.Categorical.from_codes(random.integers(0, 5, ROWS), list(CODES)),
        "is_positive": True,
        "coverage": False,
        "draw_weight": random.random(ROWS).astype("float32"),
    }
    for name in ("anchor_y", "anchor_x", "jitter_y", "jitter_x", *(f"pixels_{code}" for code in CODES)):
        wide[name] = random.integers(0, 2000, ROWS).astype("int32")
    for name in ("truth_fraction", "roi_fraction", "structure"):
        wide[name] = random.random(ROWS).astype("float32")
    types = {each.name: each.dtype for each in columns(CODES)}
    return pd.DataFrame({name: wide[name] for name in types}).astype(types)


def _median(call: Callable[[], object], runs: int = 3) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def section(folder: Path) -> str:
    """Seconds for the whole file, for some columns, for one split and for one image."""
    path, made = folder / "rows.parquet", frame()
    write_table(made, path, provenance={}, ends=row_groups(made))
    del made
    groups = pq.ParquetFile(path).num_row_groups
    some = ["split", "image_id", "target_class", "pixels_MA", "truth_fraction"]
    categories = [
        name for name, dtype in pd.read_parquet(path, columns=some).dtypes.items() if str(dtype) == "category"
    ]
    calls: dict[str, Callable[[], pd.DataFrame]] = {
        f"all {len(columns(CODES))} columns": lambda: pd.read_parquet(path),
        f"{len(some)} columns ({', '.join(categories)} as categories)": lambda: pd.read_parquet(path, columns=some),
        "filter split == validation": lambda: pd.read_parquet(path, filters=[("split", "==", "validation")]),
        "filter image_id == one image": lambda: pd.read_parquet(path, filters=[("image_id", "==", "image_1234")]),
    }
    calls |= {
        "`read_rows(path, split='validation')`": lambda: read_rows(path, split="validation"),
        "`read_rows(path, image_id=…)`": lambda: read_rows(path, image_id="image_1234"),
    }
    lines = [
        f"| `pandas.read_parquet` of {ROWS:,} rows, {path.stat().st_size / 1e6:.0f} MB, {groups} row groups | rows | s, median of 3 |",
        "|---|---|---|",
    ]
    for name, call in calls.items():
        lines.append(f"| {name} | {len(call()):,} | {_median(call):.2f} |")
    path.unlink()
    return "\n".join(lines)
