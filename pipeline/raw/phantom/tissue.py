"""Stained tissue of the H&E phantom: glands, nuclei and stroma, drawn as haematoxylin and eosin concentration maps.

Everything here is an amount of stain, never a colour. Nuclei add haematoxylin, fibres and cytoplasm are eosin, mucin
and lumens are the absence of both. Nuclei are rendered once for each kind, angle and variant, then stamped.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.raw.phantom.shapes import Floats, blob, smooth_noise, soft_step

__all__ = ["KINDS", "Maps", "NucleusKind", "Stroma", "draw_gland", "jittered_grid", "stamp_nuclei", "stroma_fibres"]

_ANGLES = 16
_VARIANTS = 5


@dataclass(frozen=True, slots=True)
class NucleusKind:
    """Look of the nuclei of one kind; lengths in pixels at full detail."""

    radius: float
    """Geometric mean of the half axes."""
    spread: float
    """Deviation of the radius between variants, as a share."""
    aspect: float
    """Long half axis by short one."""
    amount: float
    """Haematoxylin inside."""
    chromatin: float
    """Clumps: deviation of the amount, as a share."""
    rim: float
    """Extra haematoxylin at the membrane, as a share."""
    roughness: float
    """Deviation of the border in radii."""
    nucleoli: int
    """Dark dots inside."""


KINDS = {
    "columnar": NucleusKind(5.6, 0.10, 1.75, 0.95, 0.16, 0.25, 0.05, 0),
    "lymphocyte": NucleusKind(4.4, 0.10, 1.10, 1.45, 0.12, 0.10, 0.05, 0),
    "spindle": NucleusKind(4.4, 0.15, 3.60, 0.95, 0.10, 0.10, 0.08, 0),
    "atypical": NucleusKind(7.8, 0.24, 1.35, 0.74, 0.34, 0.60, 0.12, 2),
    "hyperchromatic": NucleusKind(6.6, 0.28, 1.60, 1.45, 0.16, 0.10, 0.18, 0),
}


@dataclass(slots=True)
class Maps:
    """Amount of the two stains while they are drawn, and the nuclei rendered so far."""

    haematoxylin: Floats
    eosin: Floats
    rng: np.random.Generator
    detail: float
    """Size of cells by their size at full detail."""
    sprites: dict[str, list[list[Floats]]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.eosin.shape[0], self.eosin.shape[1]

    def replace(self, opacity: Floats, *, haematoxylin: Floats | float, eosin: Floats | float) -> None:
        """Other tissue, put where ``opacity`` says so."""
        self.haematoxylin += opacity * (haematoxylin - self.haematoxylin)
        self.eosin += opacity * (eosin - self.eosin)


@dataclass(frozen=True, slots=True)
class Stroma:
    """Fibres and where they run."""

    eosin: Floats
    direction: Floats
    """Radians from the x axis towards y."""


def stroma_fibres(rng: np.random.Generator, shape: tuple[int, int], detail: float) -> Stroma:
    """Stroma of wavy collagen: noise that is long along the fibres and short across them, in bent coordinates."""
    height, width = shape
    turn = np.float32(rng.uniform(0, np.pi))
    y, x = np.meshgrid(np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32), indexing="ij")
    bend, wave = np.float32(70 * detail), np.float32(7 * detail)
    along = x * np.cos(turn) + y * np.sin(turn) + bend * smooth_noise(rng, shape, 190 * detail)
    across = y * np.cos(turn) - x * np.sin(turn) + bend * smooth_noise(rng, shape, 200 * detail)
    across += wave * smooth_noise(rng, shape, 34 * detail)
    bundles = np.float32(0.60) * _along_fibres(rng, shape, along, across, length=34 * detail, width=8 * detail)
    fibrils = np.float32(0.40) * _along_fibres(rng, shape, along, across, length=14 * detail, width=2.4 * detail)
    texture = bundles + fibrils
    loose = np.float32(0.95) + np.float32(0.35) * smooth_noise(rng, shape, 120 * detail)
    clefts = soft_step(texture + loose, 0.35)
    eosin = np.clip(0.52 + 0.26 * texture, 0.05, 1.2) * (0.2 + 0.8 * clefts)
    down, right = np.gradient(across[::8, ::8])
    direction = cv2.resize(
        np.arctan2(-right, down).astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST
    )
    return Stroma(eosin.astype(np.float32), np.asarray(direction, dtype=np.float32))


def _along_fibres(
    rng: np.random.Generator, shape: tuple[int, int], along: Floats, across: Floats, *, length: float, width: float
) -> Floats:
    squeeze = length / width
    tile = smooth_noise(rng, (shape[0], int(shape[1] / squeeze) + 2), width)
    bent = cv2.remap(tile, along / np.float32(squeeze), across, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(bent, dtype=np.float32)


def jittered_grid(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> NDArray[np.int64]:
    """Points ``(n, 2)`` as ``(y, x)``, about ``spacing`` apart on a hexagonal grid, each moved a little."""
    rows, columns = (np.arange(0, length + spacing, spacing) for length in (shape[0] / 0.87, shape[1]))
    y, x = np.meshgrid(rows * 0.87, columns, indexing="ij")
    x = x + spacing / 2 * (np.arange(rows.size) % 2)[:, None]
    points = np.stack([y.ravel(), x.ravel()], axis=1) + rng.normal(0, 0.22 * spacing, (y.size, 2))
    inside = ((points >= 0) & (points < np.array(shape))).all(axis=1)
    return points[inside].astype(np.int64)


def _nucleus(rng: np.random.Generator, kind: NucleusKind, angle: float, detail: float) -> Floats:
    """Haematoxylin of one nucleus, in a box of odd sides around its middle."""
    radius = kind.radius * detail * float(np.clip(rng.normal(1, kind.spread), 0.5, 1.7))
    span = int(np.ceil(radius * np.sqrt(kind.aspect) * 1.6)) + 2
    box = (2 * span + 1, 2 * span + 1)
    opacity = blob(
        rng,
        centre=(span, span),
        radius=radius,
        shape=box,
        aspect=kind.aspect * rng.uniform(0.85, 1.2),
        angle=angle,
        roughness=kind.roughness,
        softness=1.4,
    )
    body = np.zeros(box, dtype=np.float32)
    body[opacity.slices] = opacity.opacity
    middle = cv2.GaussianBlur(body, (0, 0), max(0.35 * radius, 0.5))
    clumps = smooth_noise(rng, box, max(2.4 * detail, 1.0))
    tone = 1 + np.float32(kind.chromatin) * clumps + np.float32(kind.rim) * (1 - 1.6 * middle)
    for _ in range(kind.nucleoli):
        y, x = (span + rng.normal(0, 0.3 * radius, 2)).round().astype(int)
        dot = np.zeros(box, dtype=np.float32)
        dot[np.clip(y, 0, 2 * span), np.clip(x, 0, 2 * span)] = 1
        tone += np.float32(7 * detail * detail) * cv2.GaussianBlur(dot, (0, 0), max(1.3 * detail, 0.5))
    amount = kind.amount * float(np.clip(rng.normal(1, 0.14), 0.6, 1.4))
    return np.asarray(body * np.clip(tone, 0.25, 2.0) * np.float32(amount), dtype=np.float32)


def _sprites(maps: Maps, name: str) -> list[list[Floats]]:
    if name not in maps.sprites:
        angles = np.arange(_ANGLES) * np.pi / _ANGLES
        maps.sprites[name] = [
            [_nucleus(maps.rng, KINDS[name], float(angle), maps.detail) for _ in range(_VARIANTS)] for angle in angles
        ]
    return maps.sprites[name]


def stamp_nuclei(maps: Maps, name: str, points: NDArray[np.int64], angles: NDArray[np.float64]) -> None:
    """Nuclei of one kind, drawn around points ``(n, 2)`` with long axes along ``angles`` (radians)."""
    sprites = _sprites(maps, name)
    bins = np.rint(angles * (_ANGLES / np.pi)).astype(int) % _ANGLES
    variants = maps.rng.integers(0, _VARIANTS, len(points))
    for (y, x), angle, variant in zip(points.tolist(), bins.tolist(), variants.tolist(), strict=True):
        _stamp(maps, sprites[angle][variant], y, x)


def _stamp(maps: Maps, sprite: Floats, y: int, x: int) -> None:
    span, (height, width) = sprite.shape[0] // 2, maps.shape
    top, left = max(y - span, 0), max(x - span, 0)
    place = slice(top, min(y + span + 1, height)), slice(left, min(x + span + 1, width))
    part = sprite[top - y + span : place[0].stop - y + span, left - x + span : place[1].stop - x + span]
    under = maps.haematoxylin[place]
    # Two nuclei in one section darken each other less and less.
    maps.haematoxylin[place] = under + part - under * part * np.float32(0.45)
    maps.eosin[place] *= 1 - np.float32(0.35) * part


def _contour(inside: Floats, depth: float, spacing: float) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Points ``(n, 2)`` about ``spacing`` apart at a depth below the border, and the angle pointing inwards."""
    lines, _ = cv2.findContours((inside >= depth).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not lines:
        return np.empty((0, 2), dtype=np.int64), np.empty(0)
    line = max(lines, key=len)[:, 0, ::-1].astype(np.int64)
    count = max(int(1.12 * len(line) / spacing), 1)
    chosen = (np.arange(count) * len(line) / count).astype(int)
    ahead, behind = np.roll(line, -4, axis=0)[chosen], np.roll(line, 4, axis=0)[chosen]
    tangent = ahead - behind
    return line[chosen], np.arctan2(tangent[:, 0], tangent[:, 1]) + np.pi / 2


def draw_gland(maps: Maps, centre: tuple[float, float]) -> None:
    """Gland, drawn: a ring of columnar cells, nuclei at their feet, mucin above them, a pale lumen in the middle."""
    rng, detail = maps.rng, maps.detail
    radius = float(np.clip(rng.normal(46, 7), 32, 62)) * detail
    stamp = blob(
        rng,
        centre=centre,
        radius=radius,
        shape=maps.shape,
        aspect=float(rng.uniform(1, 1.7)),
        angle=rng.uniform(0, np.pi),
        roughness=0.09,
        softness=2 * radius,
    )
    place, depth = stamp.slices, (stamp.opacity - np.float32(0.5)) * np.float32(2 * radius)
    part = Maps(maps.haematoxylin[place], maps.eosin[place], rng, detail, maps.sprites)
    # A thin pale cleft and a dense membrane set the gland off from the stroma.
    part.replace(soft_step(depth + 3.5 * detail, 2.0) * np.float32(0.6), haematoxylin=0.02, eosin=0.30)
    cytoplasm = np.float32(0.07) * smooth_noise(rng, part.shape, max(3 * detail, 1.0))
    part.replace(soft_step(depth, 1.5), haematoxylin=0.13, eosin=np.float32(0.46) + cytoplasm)
    lumen = rng.uniform(0.60, 0.78) * radius
    _draw_mucin(part, depth, 0.47 * radius)
    part.replace(soft_step(depth - np.float32(lumen), 2.5), haematoxylin=0.01, eosin=0.04)
    _draw_epithelial_nuclei(part, depth, radius)


def _draw_mucin(part: Maps, depth: Floats, height: float) -> None:
    """Goblet cells: pale drops that point to the lumen."""
    points, inward = _contour(depth, height, 11 * part.detail)
    for point, angle in zip(points.tolist(), inward.tolist(), strict=True):
        if part.rng.random() < 0.7:
            drop = blob(
                part.rng,
                centre=(point[0], point[1]),
                radius=float(part.rng.uniform(4.2, 6.2)) * part.detail,
                shape=part.shape,
                aspect=1.5,
                angle=angle,
                roughness=0.05,
                softness=2.0,
            )
            inside = Maps(part.haematoxylin[drop.slices], part.eosin[drop.slices], part.rng, part.detail)
            inside.replace(drop.opacity * np.float32(0.85), haematoxylin=0.07, eosin=0.07)


def _draw_epithelial_nuclei(part: Maps, depth: Floats, radius: float) -> None:
    points, inward = _contour(depth, 0.17 * radius, 8.2 * part.detail)
    moved = points + np.rint(part.rng.normal(0, 1.3 * part.detail, points.shape)).astype(np.int64)
    inside = ((moved >= 0) & (moved < np.array(part.shape))).all(axis=1)
    angles = inward[inside] + part.rng.normal(0, 0.15, int(inside.sum()))
    stamp_nuclei(part, "columnar", moved[inside], angles)
