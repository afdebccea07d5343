"""Results of one kind that were made of different values are named on the report, and others are not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.mixed_results import mixed_warnings
from pipeline.report.paths import Result
from pipeline.stores.documents import write_json
from tests.scenes.tiny_run import TinyRun

IMAGES = ("a", "b", "c", "d")


def stores(folder: Path, change: Callable[[str], dict[str, Any]]) -> dict[str, Path]:
    """Stores of which each records its own image and, by ``change``, other values or inputs."""
    found = {}
    for image in IMAGES:
        config = {"entry": {"image_id": image}, "record": {"task": "binary"}, "probability": {"overlap": 0.25}}
        origin = {
            "config": config,
            "inputs": {image: f"digest of {image}", f"mask of {image}": image, "weights": "1"},
            "seed": 0,
        }
        changed = change(image)
        origin["config"]["probability"] |= changed.get("probability", {})
        origin["config"]["record"] |= changed.get("record", {})
        origin["inputs"] |= changed.get("inputs", {})
        path = folder / f"{image}.zarr"
        path.mkdir(parents=True)
        write_json({"attributes": {"provenance": origin}}, path / "zarr.json")
        found[image] = path
    return found


def result(folder: Path, change: Callable[[str], dict[str, Any]]) -> Result:
    maps = stores(folder / "probability" / "unet" / "mean", change)
    none = folder / "none"
    return Result("unet", "mean", maps, {}, none, none, none)


def test_results_of_one_origin_give_no_warning(tmp_path: Path) -> None:
    same = result(tmp_path, lambda image: {})
    assert mixed_warnings(stores(tmp_path / "normalized", lambda image: {}), [same]) == []


@pytest.mark.parametrize(
    ("changed", "words", "serious"),
    [
        ({"probability": {"overlap": 0.5}}, "probability.overlap (0.5; the rest 0.25)", True),
        ({"inputs": {"weights": "2"}}, "file weights (2; the rest 1)", True),
        ({"probability": {"views": "flips"}}, 'probability.views ("flips"; the rest none)', True),
        ({"probability": {"precision": "float32"}}, "probability.precision", False),
    ],
)
def test_the_fewer_are_named_with_what_differs(tmp_path: Path, changed: dict, words: str, serious: bool) -> None:
    found = result(tmp_path, lambda image: changed if image == "c" else {})
    [warning] = mixed_warnings({}, [found])
    assert warning.sentence.startswith("maps of unet, mean: 1 of 4 differ")
    assert words in warning.sentence
    assert (warning.names, warning.serious) == (("c",), serious)


def test_maps_of_the_folds_beside_those_of_their_ensemble_are_of_other_models(tmp_path: Path) -> None:
    folds = [
        stores(tmp_path / f"m.fold{at}" / "mean", lambda image, at=at: {"inputs": {"weights": str(at)}})
        for at in (0, 1)
    ]
    held = {f"{image}{at}": path for at, fold in enumerate(folds) for image, path in fold.items()}
    none = tmp_path / "none"
    assert mixed_warnings({}, [Result("m", "mean", held, held, none, none, none)]) == []


def test_corrected_images_and_unreadable_stores_are_no_mixture(tmp_path: Path) -> None:
    found = stores(tmp_path / "normalized", lambda image: {"record": {"names": "own"}} if image == "a" else {})
    (found["b"] / "zarr.json").write_bytes(b'{"attributes"')
    (found["c"] / "zarr.json").write_bytes(b"\xff")
    assert mixed_warnings(found, []) == []


def test_a_finished_run_is_not_mixed_and_one_changed_map_is(
    finished_run: Callable[[str], TinyRun], tmp_path: Path
) -> None:
    run = finished_run("fundus")
    maps = {path.stem: path for path in sorted(run.maps("x", "gaussian").parent.glob("*.zarr"))}
    normalized = {path.stem: path for path in sorted((run.root / "normalized").glob("*.zarr"))}
    none = tmp_path / "none"
    whole = Result("unet", "gaussian", maps, {}, none, none, none)
    assert len(maps) > 1
    assert mixed_warnings(normalized, [whole]) == []
    folder = tmp_path / "unet" / "gaussian"
    for image, path in maps.items():
        (folder / f"{image}.zarr").mkdir(parents=True)
        content = json.loads((path / "zarr.json").read_bytes())
        if image == min(maps):
            content["attributes"]["provenance"]["config"]["probability"]["overlap"] = 0.9
        write_json(content, folder / f"{image}.zarr" / "zarr.json")
    changed = {image: folder / f"{image}.zarr" for image in maps}
    [warning] = mixed_warnings(normalized, [replace(whole, probability=changed)])
    assert "probability.overlap (" in warning.sentence
    assert "0.9" in warning.sentence
