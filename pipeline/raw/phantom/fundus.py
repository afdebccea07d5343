"""Fundus phantom: a fundus photograph with known lesions, painted on a real retina.

The retina is the public-domain photograph that scikit-image ships. It is turned, mirrored, bent and painted. Then it is
seen through a camera of its own (colour, illumination, grain), so that images look like different patients.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from pipeline.raw.phantom.lesions import PAINTERS, Canvas, Ground
from pipeline.raw.phantom.shapes import Floats, Phantom, smooth_noise
from pipeline.seeds import stream

__all__ = ["CODES", "fundus_phantom"]

CODES = ("MA", "HE", "EX", "SE", "OD")
"""Classes in order: the four lesions, then the disc."""

# Measured once on the retina, in pixels of its 1411 x 1411 frame, as (y, x).
_FRAME = 1411
_FIELD_CENTRE = (702.9, 704.3)
_FIELD_RADIUS = 696.0
_DISC_CENTRE = (650.0, 216.0)
_DISC_HALF_AXES = (101.0, 93.0)
_DISC_TILT = np.deg2rad(-60.0)

_CAMERAS = {"A": ((1.02, 0.95, 0.62), (0.95, 1.0, 1.15)), "B": ((0.97, 0.97, 0.9), (1.1, 1.0, 1.0))}
"""Centre -> gain and gamma of the three channels."""


@dataclass(frozen=True, slots=True)
class _View:
    """The retina as this image sees it."""

    retina: Floats
    """``(y, x, 3)`` from 0 to 1."""
    field: NDArray[np.bool_]
    """Field of view."""
    disc: NDArray[np.bool_]
    """Optic disc inside the field."""
    ground: Ground


@lru_cache(maxsize=2)
def _retina(size: int) -> NDArray[np.uint8]:
    # This file is part of the scikit-image wheel: nothing is downloaded. Opened here, because skimage.data.retina()
    # imports the readers of scikit-image, which costs each job more than the picture does.
    way = cv2.INTER_AREA if size < _FRAME else cv2.INTER_CUBIC
    with Image.open(Path(skimage.data.data_dir) / "retina.jpg") as picture:
        scaled = np.asarray(cv2.resize(np.asarray(picture), (size, size), interpolation=way), dtype=np.uint8)
    scaled.flags.writeable = False
    return scaled


def _sources(rng: np.random.Generator, size: int, turn: float, *, mirrored: bool) -> tuple[Floats, Floats, Floats]:
    """For each pixel its origin ``(y, x)`` in the retina's frame, and its distance from the middle in field radii."""
    scale = size / _FRAME
    axis = (np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)) / np.float32(scale)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    away = np.hypot(y, x) / np.float32(_FIELD_RADIUS)
    # Bending fades towards the border, so that the field of view stays a circle.
    bend = np.float32(22.0) * np.clip(1 - away**2, 0, 1)
    y = y + bend * smooth_noise(rng, (size, size), size / 3.2)
    x = x + bend * smooth_noise(rng, (size, size), size / 3.2)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along = (x * cosine + y * sine) * np.float32(-1 if mirrored else 1)
    return y * cosine - x * sine + np.float32(_FIELD_CENTRE[0]), along + np.float32(_FIELD_CENTRE[1]), away


def _in_disc(y: Floats, x: Floats, margin: float) -> NDArray[np.bool_]:
    cosine, sine = np.float32(np.cos(_DISC_TILT)), np.float32(np.sin(_DISC_TILT))
    dy, dx = y - np.float32(_DISC_CENTRE[0]), x - np.float32(_DISC_CENTRE[1])
    along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
    long, short = (np.float32(axis * margin) for axis in _DISC_HALF_AXES)
    return np.asarray((along / long) ** 2 + (across / short) ** 2 <= 1)


def _view(rng: np.random.Generator, size: int, turn: float, *, mirrored: bool) -> _View:
    scale = size / _FRAME
    y, x, away = _sources(rng, size, turn, mirrored=mirrored)
    half = np.float32(0.5)
    columns, rows = ((axis + half) * np.float32(scale) - half for axis in (x, y))
    seen = cv2.remap(_retina(size), columns, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
    inside, disc = away < 0.995, _in_disc(y, x, 1.0)
    allowed = (away < 0.96) & ~_in_disc(y, x, 1.12)
    green = seen[..., 1].astype(np.float32)
    vessels = cv2.GaussianBlur(green, (0, 0), max(14 * scale, 1.0)) - green > 9
    rows_of_disc, columns_of_disc = np.nonzero(disc)
    ground = Ground(
        room=np.asarray(
            cv2.distanceTransform(allowed.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32
        ),
        vessels=np.asarray(vessels),
        scale=scale,
        radius=_FIELD_RADIUS * scale,
        disc_place=(float(rows_of_disc.mean()), float(columns_of_disc.mean())),
    )
    return _View(seen.astype(np.float32) / np.float32(255), np.asarray(inside), np.asarray(disc & inside), ground)


def _lesions_of(number: int) -> tuple[str, ...]:
    """Lesions of an image: soft exudates in half of the images, every eighth eye healthy."""
    if number % 8 == 7:
        return ()
    absent = {"SE"} if number % 4 in (0, 3) else set()
    return tuple(code for code in PAINTERS if code not in absent and not (code == "HE" and number % 8 == 3))


def _illumination(rng: np.random.Generator, size: int, facts: dict[str, object]) -> Floats:
    """Brightness ``(y, x)``: exposure, vignetting, a slope and slow unevenness."""
    exposure, vignetting = rng.uniform(0.82, 1.08), rng.uniform(0.05, 0.38)
    slope, towards = rng.uniform(0.0, 0.16), rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    y, x = axis[:, None], axis[None, :]
    uneven = 1 + np.float32(0.04) * smooth_noise(rng, (size, size), size / 3)
    tilt = 1 + np.float32(slope) * (np.float32(np.cos(towards)) * x + np.float32(np.sin(towards)) * y)
    facts["illumination"] = {
        "exposure": round(exposure, 4),
        "vignetting": round(vignetting, 4),
        "slope": round(slope, 4),
        "slope_direction_degrees": round(float(np.rad2deg(towards)), 2),
    }
    return np.float32(exposure) * (1 - np.float32(vignetting) * (x * x + y * y)) * tilt * uneven


def _photograph(
    canvas: Canvas, view: _View, patient: np.random.Generator, centre: str, facts: dict[str, object]
) -> NDArray[np.uint8]:
    """See the painted retina through the camera of the centre and the pigment of the patient."""
    gain, gamma = (np.array(values) for values in _CAMERAS[centre])
    gain, gamma = gain * patient.normal(1, [0.02, 0.07, 0.12]), gamma * patient.normal(1, 0.05, 3)
    facts |= {"gain": [round(float(v), 4) for v in gain], "gamma": [round(float(v), 4) for v in gamma]}
    size = canvas.shape[0]
    light = _illumination(canvas.rng, size, facts)[..., None]
    seen = np.power(np.clip(canvas.colours, 0, 1), gamma.astype(np.float32)) * gain.astype(np.float32) * light
    grain = cv2.GaussianBlur(canvas.rng.standard_normal((size, size, 3), dtype=np.float32), (0, 0), 0.6)
    grain *= np.float32(3.0) * view.field[..., None]
    return np.asarray(np.clip(np.rint(255 * seen + grain), 0, 255), dtype=np.uint8)


def fundus_phantom(number: int, *, size: int, seed: int) -> Phantom:
    """Fundus photograph with painted lesions and exact masks.

    Parameters
    ----------
    number
        Which image, from 0 on. Every image is made on its own, whatever others are made.
    size
        Rows and columns. Lesions scale with it; full detail from 1411 on.
    seed
        Seed of the run.

    Returns
    -------
    Phantom
        Masks ``MA``, ``HE``, ``EX``, ``SE`` are set where the painted opacity is at least ``MASK_OPACITY``. ``OD`` is
        the ellipse of the disc, carried through the same geometry. Lesions lie inside the field of view and off the
        disc. Where there are both, a haemorrhage overlaps an exudate. Of eight images, number 7 has no lesion. Numbers
        1, 2, 5 and 6 have soft exudates. All but 3 and 7 have haemorrhages. Of six images, 4 and 5 are the two eyes of
        one patient.
    """
    # The fifth and sixth image of six share a patient; the sixth is the other eye.
    person = number - 1 if number % 6 == 5 else number
    patient, rng = stream(seed, "phantom", "fundus", "patient", person), stream(seed, "phantom", "fundus", number)
    mirrored = bool(patient.random() < 0.5) ^ (person != number)
    turn = float(rng.uniform(-30, 30) + 180 * rng.integers(2))
    centre = "AB"[person % 2]
    view = _view(rng, size, float(np.deg2rad(turn)), mirrored=mirrored)
    canvas = Canvas.blank(view.retina, view.ground, rng)
    for code in _lesions_of(number):
        PAINTERS[code](canvas)
    facts: dict[str, object] = {"rotation_degrees": round(turn, 3), "mirrored": mirrored}
    image = _photograph(canvas, view, patient, centre, facts)
    facts["lesions"] = {code: canvas.counts.get(code, 0) for code in CODES[:-1]}
    facts["field_radius"] = round(view.ground.radius, 3)
    masks = {code: canvas.mask(code) for code in CODES[:-1]}
    return Phantom(image, masks | {"OD": view.disc}, f"fundus-patient-{person:03d}", centre, facts)
