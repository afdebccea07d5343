"""Single flipped bits in every kind of file, read as patch, chunk, plane and whole: noticed, or no value changes."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from benchmarks.reliability.attempts import Attempt, trial_folder
from benchmarks.reliability.content import equal
from benchmarks.reliability.scene import DATASET, Scene
from pipeline.errors import PipelineError
from pipeline.geometry import Box
from pipeline.index.table import read_index
from pipeline.model.card import read_card
from pipeline.model.checkpoint import load_model
from pipeline.normalized.stain.record import read_estimate
from pipeline.raw.facts import read_sheet
from pipeline.seeds import stream
from pipeline.segmentation.threshold_file import read_thresholds
from pipeline.stores import open_array, raster_of, read_box, read_noted, read_rows, read_table, table_metadata
from pipeline.stores.documents import read_json
from pipeline.stores.shard_file import CHECKSUM, ROW
from pipeline.stores.verify import faults

__all__ = ["flip_attempts"]

Reader = Callable[[], Any]
CODES = ("LESION",)
PATCH = 64


@dataclass(frozen=True, slots=True)
class Flip:
    """Bit of a file, and the ways in which the file is read."""

    path: Path
    result: Path
    """What ``lesionmap verify`` looks at: the file, its store, or the card of its model."""
    bit: int
    readers: dict[str, Reader]


def flip_attempts(scene: Scene, numbers: Sequence[int], *, seed: int) -> Iterator[Attempt]:
    """One flip for each number, which gives the kind of file in turn, and with the seed the file and the bit."""
    with trial_folder(scene.finished, scene.folder / "trial_flips") as folder:
        places = _KINDS
        for number in numbers:
            kind = list(places)[number % len(places)]
            flip = places[kind](folder / "results" / DATASET, stream(seed, "flips", number))
            yield from _flipped(flip, kind, number, seed)
        shutil.rmtree(folder)


def _flipped(flip: Flip, kind: str, number: int, seed: int) -> Iterator[Attempt]:
    expected = {way: read() for way, read in flip.readers.items()}
    raw = bytearray(flip.path.read_bytes())
    raw[flip.bit // 8] ^= 1 << flip.bit % 8
    before = flip.path.read_bytes()
    flip.path.write_bytes(raw)
    try:
        for way, read in flip.readers.items():
            outcome, fault = _outcome(read, expected[way], foreign=way.startswith("zarr-python"))
            where = f"{flip.path}, bit {flip.bit}" if fault else ""
            yield Attempt(f"flip: {kind}", way, number, seed, outcome, fault=f"{fault} {where}".strip())
        outcome, fault = (
            ("noticed", "") if list(faults(flip.result)) else ("not noticed", f"{flip.path}, bit {flip.bit}")
        )
        yield Attempt(f"flip: {kind}", "lesionmap verify", number, seed, outcome, fault=fault)
    finally:
        flip.path.write_bytes(before)


def _outcome(read: Reader, expected: object, *, foreign: bool) -> tuple[str, str]:
    try:
        found = read()
    except PipelineError:
        return "noticed", ""
    except Exception as error:  # noqa: BLE001 what it is decides
        words = f"{type(error).__name__}: {error}"
        return ("noticed", "") if foreign else ("failed without words", words)
    return ("no value changed", "") if equal(found, expected) else ("OTHER VALUES", "other values")


def _store_of(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.suffix == ".zarr")


def _shard(root: Path, random: np.random.Generator, *, index: bool) -> Flip:
    shards = sorted(each for each in root.rglob("*.zarr/**/c/**/*") if each.is_file())
    path = shards[random.integers(len(shards))]
    at = path.parts.index("c", len(_store_of(path).parts))
    array = Path(*path.parts[:at])
    node = json.loads((array / "zarr.json").read_bytes())
    shard, inner = node["chunk_grid"]["configuration"], node["codecs"][0]["configuration"]
    tail = ROW * (prod(shard["chunk_shape"]) // prod(inner["chunk_shape"])) + CHECKSUM
    size = path.stat().st_size
    byte = random.integers(size - tail, size) if index else random.integers(size - tail)
    row, column = map(int, path.parts[-2:])
    height, width = node["shape"][-2:]
    high, wide = shard["chunk_shape"][-2:]
    box = Box(row * high, column * wide, min((row + 1) * high, height), min((column + 1) * wide, width))
    bit = 8 * int(byte) + int(random.integers(8))
    return Flip(path, _store_of(path), bit, _array_readers(array, box, inner["chunk_shape"][-1], random))


def _array_readers(folder: Path, shard: Box, chunk: int, random: np.random.Generator) -> dict[str, Reader]:
    store = _store_of(folder)
    name = folder.relative_to(store).as_posix()
    opened = lambda: open_array(store, name)  # noqa: E731
    height, width = opened().shape[-2:]
    y, x = int(random.integers(shard.y0, shard.y1)), int(random.integers(shard.x0, shard.x1))
    patch = Box(max(y - PATCH, 0), max(x - PATCH, 0), min(y + PATCH, height), min(x + PATCH, width))
    y, x = y // chunk * chunk, x // chunk * chunk
    one = Box(y, x, min(y + chunk, height), min(x + chunk, width))
    plane = (0,) * (len(opened().shape) > 2)
    python = lambda: zarr.open_group(store, mode="r")[name][:]  # noqa: E731, TID251
    return {
        "patch": lambda: read_box(opened(), patch),
        "chunk": lambda: read_box(opened(), one),
        "plane": lambda: raster_of(opened(), *plane).read(shard),
        "whole": lambda: read_box(opened(), Box.of_shape(height, width)),
        "zarr-python, whole": python,
    }


def _record(root: Path, random: np.random.Generator) -> Flip:
    paths = sorted(root.rglob("zarr.json"))
    path = paths[random.integers(len(paths))]
    store = _store_of(path)
    arrays = [each.parent for each in store.rglob("zarr.json") if json.loads(each.read_bytes())["node_type"] == "array"]
    array = arrays[random.integers(len(arrays))]
    height, width = json.loads((array / "zarr.json").read_bytes())["shape"][-2:]
    readers = _array_readers(array, Box.of_shape(height, width), PATCH, random)
    del readers["zarr-python, whole"]  # it reads no record of ours
    return Flip(path, store, _bit(path, random), readers)


def _bit(path: Path, random: np.random.Generator) -> int:
    return int(random.integers(8 * path.stat().st_size))


def _file(root: Path, random: np.random.Generator, pattern: str, readers: Callable[[Path], dict[str, Reader]]) -> Flip:
    paths = sorted(each for each in root.glob(pattern) if each.is_file())
    path = paths[random.integers(len(paths))]
    result = path.with_name("card.json") if path.suffix == ".pt" else path
    return Flip(path, result, _bit(path, random), readers(path))


def _table_readers(path: Path) -> dict[str, Reader]:
    readers: dict[str, Reader] = {
        "whole": lambda: read_table(path),
        "notes": lambda: table_metadata(path),
        "whole with notes": lambda: read_noted(path),
    }
    if path.parent.name == "index":
        readers |= {"rows": lambda: read_rows(path, split="train"), "index": lambda: read_index(path)}
    return readers


def _model_readers(path: Path) -> dict[str, Reader]:
    def weights() -> dict[str, Any]:
        network, _ = load_model(path.parent, device="cpu")
        return {name: value.numpy() for name, value in network.state_dict().items()}

    return {"whole": weights} | ({"card": lambda: read_card(path.parent)} if path.suffix == ".json" else {})


_KINDS: dict[str, Callable[[Path, np.random.Generator], Flip]] = {
    "chunks of Zarr": lambda root, random: _shard(root, random, index=False),
    "indexes of shards": lambda root, random: _shard(root, random, index=True),
    "zarr.json": _record,
    "Parquet": lambda root, random: _file(root, random, "**/*.parquet", _table_readers),
    "card of a model": lambda root, random: _file(root, random, "model/*/card.json", _model_readers),
    "weights": lambda root, random: _file(root, random, "model/*/weights.pt", _model_readers),
    "GeoJSON": lambda root, random: _file(
        root, random, "segmentation/**/*.geojson", lambda path: {"whole": lambda: read_json(path)}
    ),
    "stain JSON": lambda root, random: _file(
        root, random, "normalized/*[nt].json", lambda path: {"whole": lambda: read_estimate(path)}
    ),
    "thresholds": lambda root, random: _file(
        root, random, "**/thresholds.json", lambda path: {"whole": lambda: read_thresholds(path, codes=CODES)}
    ),
    "fact sheets": lambda root, random: _file(
        root, random, "raw/*.json", lambda path: {"whole": lambda: read_sheet(path)}
    ),
}
