"""What screenshots at 1:1 show, compared with the stores, and what of it is not as it should be."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline import stores
from pipeline.report.pictures.overlays import ERROR_COLOURS
from pipeline.report.pictures.reduce import ERRORS, error_kinds

SIZES = ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark"))
GREY_LEVELS = 3.0
"""Mean difference of a picture from its pixels at most, in grey levels."""


@dataclass
class Trial:
    """Findings of a trial, each printed; those that are not as they should be are kept."""

    wrong: list[str] = field(default_factory=list)

    def note(self, name: str, value: object, *, good: bool = True) -> None:
        """Print a finding, and keep it where it is not good."""
        print(f"  {name}: {value}{'' if good else '   WRONG'}", flush=True)
        self.wrong += [] if good else [f"{name}: {value}"]

    def end(self) -> None:
        """Exit with 1 where anything was wrong."""
        print(f"{len(self.wrong)} findings are not as they should be" if self.wrong else "all as it should be")
        sys.exit(1 if self.wrong else 0)


def browsed(script: str, arguments: Sequence[str], *, node: Path) -> dict[str, Any]:
    """What a script of this folder saw in the browser."""
    command = ["node", str(Path(__file__).with_name(script)), *arguments]
    done = subprocess.run(command, cwd=node, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _part(shot: Path, corner: dict[str, float], array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a screenshot and an array ``(n, y, x)`` have in common at 1:1."""
    with Image.open(shot) as picture:
        seen = np.asarray(picture.convert("RGB"))
    x, y = round(corner["x"]), round(corner["y"])
    rows = slice(max(y, 0), min(y + array.shape[1], seen.shape[0]))
    columns = slice(max(x, 0), min(x + array.shape[2], seen.shape[1]))
    inner = array[:, rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    return seen[rows, columns], inner


def changed(shot: str, ground: str) -> tuple[int, float]:
    """Pixels that differ between two screenshots, and the mean difference in grey levels."""
    with Image.open(shot) as one, Image.open(ground) as other:
        off = np.abs(np.asarray(one.convert("RGB")).astype(int) - np.asarray(other.convert("RGB")))
    return int(np.count_nonzero(off.any(axis=2))), float(off.mean())


def compare_at_one(seen: dict[str, Any], store: Path, segmentation: Path, trial: Trial) -> None:
    """Note how the picture and the errors of screenshots at 1:1 differ from the stores of the image."""
    pixels = stores.open_array(store, "0")[:]
    truth, masks = stores.open_array(store, "truth")[:] > 0, stores.open_array(segmentation, "masks")[:] > 0
    picture, inner = _part(Path(seen["shots"]["none"]), seen["corner"], pixels)
    off = float(np.abs(picture.astype(int) - np.moveaxis(inner, 0, 2)).mean())
    trial.note("pixels compared", picture.shape[0] * picture.shape[1], good=picture.size > 0)
    trial.note("mean difference of the picture, grey levels", round(off, 2), good=off <= GREY_LEVELS)
    kinds = error_kinds(truth, masks)
    shown, inner = _part(Path(seen["shots"]["errors"]), seen["corner"], kinds)
    wrong = sum(
        int(np.count_nonzero((shown != ERROR_COLOURS[kind]).any(axis=2) & inner[at])) for at, kind in enumerate(ERRORS)
    )
    trial.note("pixels of errors of another colour", wrong, good=wrong == 0)
    plain = int(np.count_nonzero((shown != picture).any(axis=2) & ~inner.any(axis=0)))
    trial.note("pixels without error that are not the picture", plain, good=plain == 0)


def note_page(seen: dict[str, Any], trial: Trial) -> None:
    """Note what holds for every page: its width, the console."""
    trial.note("wider than the screen by", f"{seen['overflow']} px", good=seen["overflow"] <= 0)
    trial.note("errors in the console", seen["errors"], good=not seen["errors"])
