"""Retinal lesions of the fundus phantom: microaneurysms, haemorrhages, hard and soft exudates.

Blood darkens what lies under it by its optical density. Exudates cover it. Both are weighted by the opacity of the
stamp, and the mask of a class is made from the same opacities.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pipeline.raw.phantom.shapes import MASK_OPACITY, Floats, Stamp, blob, smooth_noise, streak

__all__ = ["PAINTERS", "Canvas", "Ground"]

_RED_DENSITY = np.array([0.36, 0.92, 0.5], dtype=np.float32)
"""Optical density of blood in the three channels."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Geometry of the retina that painters need, in pixels of the image."""

    room: Floats
    """Distance to the nearest pixel where no lesion may lie."""
    vessels: NDArray[np.bool_]
    """Where vessels run."""
    scale: float
    """Ratio of pixels of this image to pixels of a retina at full detail."""
    radius: float
    """Radius of the field of view."""
    disc_place: tuple[float, float]
    """Middle of the disc, ``(y, x)``."""


@dataclass(slots=True)
class Canvas:
    """Retina while it is painted: colours, opacity for each class, and what is taken."""

    ground: Ground
    rng: np.random.Generator
    colours: Floats
    opacity: dict[str, Floats]
    taken: NDArray[np.bool_]
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def blank(cls, retina: Floats, ground: Ground, rng: np.random.Generator) -> "Canvas":
        """Canvas without lesions, a copy of a retina ``(y, x, 3)``."""
        shape = retina.shape[:2]
        opacity = {code: np.zeros(shape, dtype=np.float32) for code in PAINTERS}
        return cls(ground, rng, retina.copy(), opacity, np.zeros(shape, dtype=bool))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.taken.shape[0], self.taken.shape[1]

    def paint(self, code: str, stamp: Stamp, mix: Callable[[Floats, Floats], Floats]) -> None:
        """Stamp mixed into the colours where lesions may lie, and note its opacity for the mask of its class."""
        place = stamp.slices
        opacity = stamp.opacity * (self.ground.room[place] > 0)
        self.colours[place] = mix(self.colours[place], opacity[..., None])
        np.maximum(self.opacity[code][place], opacity, out=self.opacity[code][place])
        self.counts[code] = self.counts.get(code, 0) + 1

    def mask(self, code: str) -> NDArray[np.bool_]:
        """Pixels ``(y, x)`` where the opacity of a class is at least ``MASK_OPACITY``."""
        return np.asarray(self.opacity[code] >= MASK_OPACITY)

    def claim(self, stamp: Stamp) -> None:
        """Claim of a stamp's place, which keeps later lesions off it."""
        self.taken[stamp.slices] |= stamp.opacity > 0

    def fits(self, y: float, x: float, reach: float) -> bool:
        """Test whether a lesion of that reach stays inside the field and off the disc."""
        row, column = round(y), round(x)
        inside = 0 <= row < self.shape[0] and 0 <= column < self.shape[1]
        return bool(inside and self.ground.room[row, column] > reach + 1)

    def spot(
        self, reach: float, *, inner: float = 0.0, outer: float = 0.9, off_vessels: bool = False
    ) -> tuple[float, float] | None:
        """Free place between two distances from the middle, in field radii; None if there is none."""
        middle, span = (self.shape[0] - 1) / 2, self.ground.radius
        for _ in range(60):
            away = span * np.sqrt(self.rng.uniform(inner**2, outer**2))
            turn = self.rng.uniform(0, 2 * np.pi)
            y, x = middle + away * np.sin(turn), middle + away * np.cos(turn)
            crowded = self._any(self.taken, y, x, reach)
            if self.fits(y, x, reach) and not crowded and not (off_vessels and self._any(self.ground.vessels, y, x, 1)):
                return y, x
        return None

    @staticmethod
    def _any(mask: NDArray[np.bool_], y: float, x: float, reach: float) -> bool:
        top, left = max(int(y - reach), 0), max(int(x - reach), 0)
        return bool(mask[top : int(y + reach) + 2, left : int(x + reach) + 2].any())


def _blood(rng: np.random.Generator, low: float, high: float) -> Callable[[Floats, Floats], Floats]:
    tint = rng.normal(1, 0.08, 3).astype(np.float32)
    density = _RED_DENSITY * tint * np.float32(rng.uniform(low, high))
    return lambda under, opacity: under * np.exp(-opacity * density)


def _cover(colour: NDArray[np.float64], share: float) -> Callable[[Floats, Floats], Floats]:
    over, most = colour.astype(np.float32), np.float32(share)
    return lambda under, opacity: under + opacity * most * (over - under)


def _paint_microaneurysms(canvas: Canvas) -> None:
    rng, scale = canvas.rng, canvas.ground.scale
    for _ in range(int(rng.integers(25, 60))):
        radius = max(rng.uniform(3.0, 6.0) * scale, 0.9)
        place = canvas.spot(1.5 * radius, outer=0.85, off_vessels=True)
        if place is None:
            continue
        stamp = blob(
            rng,
            centre=place,
            radius=radius,
            shape=canvas.shape,
            aspect=rng.uniform(1, 1.25),
            angle=rng.uniform(0, np.pi),
            roughness=0.06,
            softness=max(3 * scale, 1.0),
        )
        canvas.paint("MA", stamp, _blood(rng, 0.55, 0.95))
        canvas.claim(stamp)


def _haemorrhage(canvas: Canvas) -> Stamp | None:
    rng, scale = canvas.rng, canvas.ground.scale
    if rng.random() < 0.3:
        length = rng.uniform(22, 46) * scale
        place = canvas.spot(1.4 * length, outer=0.8)
        if place is None:
            return None
        # Flames follow the nerve fibres, which leave the disc like rays.
        angle = np.arctan2(place[0] - canvas.ground.disc_place[0], place[1] - canvas.ground.disc_place[1])
        return streak(
            rng,
            centre=place,
            length=max(length, 1.5),
            width=max(rng.uniform(0.2, 0.32) * length, 1.0),
            shape=canvas.shape,
            angle=float(angle + rng.normal(0, 0.2)),
            softness=max(8 * scale, 1.0),
        )
    radius = max(float(np.clip(rng.lognormal(2.45, 0.4), 7, 34)) * scale, 1.2)
    place = canvas.spot(2.0 * radius, outer=0.88)
    if place is None:
        return None
    return blob(
        rng,
        centre=place,
        radius=radius,
        shape=canvas.shape,
        aspect=rng.uniform(1.0, 1.8),
        angle=rng.uniform(0, np.pi),
        roughness=0.2,
        softness=max(rng.uniform(4, 10) * scale, 1.0),
    )


def _haemorrhage_on_exudate(canvas: Canvas) -> Stamp | None:
    """Stamp a blot over the border of an exudate: real masks overlap too, and the pixels belong to both classes."""
    rows, columns = np.nonzero(canvas.mask("EX"))
    if rows.size == 0:
        return None
    pick = int(canvas.rng.integers(rows.size))
    radius = max(canvas.rng.uniform(7, 13) * canvas.ground.scale, 1.2)
    centre = (float(rows[pick]), float(columns[pick]) + 0.6 * radius)
    softness = max(4 * canvas.ground.scale, 1.0)
    return blob(canvas.rng, centre=centre, radius=radius, shape=canvas.shape, roughness=0.15, softness=softness)


def _paint_haemorrhages(canvas: Canvas) -> None:
    makers = [_haemorrhage_on_exudate] + [_haemorrhage] * int(canvas.rng.integers(9, 24))
    for make in makers:
        stamp = make(canvas)
        if stamp is not None:
            canvas.paint("HE", stamp, _blood(canvas.rng, 0.55, 1.05))
            canvas.claim(stamp)


def _paint_exudates(canvas: Canvas) -> None:
    for _ in range(int(canvas.rng.integers(3, 7))):
        place = canvas.spot(30 * canvas.ground.scale, inner=0.1, outer=0.62)
        if place is not None:
            for stamp in _exudate_cluster(canvas, place):
                canvas.claim(stamp)


def _exudate_cluster(canvas: Canvas, place: tuple[float, float]) -> list[Stamp]:
    """Waxy specks, on a ring (circinate) or in a heap; the largest ones near the middle of the heap."""
    rng, scale = canvas.rng, canvas.ground.scale
    ring, spread = rng.random() < 0.4, rng.uniform(18, 60) * scale
    colour = np.array([0.99, 0.84, 0.50]) + rng.normal(0, [0.01, 0.025, 0.05])
    stamps = []
    for _ in range(int(rng.integers(10, 38))):
        away = spread * (1 + 0.12 * rng.standard_normal() if ring else abs(rng.normal(0, 0.6)))
        turn = rng.uniform(0, 1.5 * np.pi if ring else 2 * np.pi)
        y, x = place[0] + away * np.sin(turn), place[1] + away * np.cos(turn)
        radius = max(float(np.clip(rng.lognormal(1.35, 0.5), 2, 15)) * scale, 0.8)
        if not canvas.fits(y, x, 2.5 * radius):
            continue
        stamp = blob(
            rng,
            centre=(y, x),
            radius=radius,
            shape=canvas.shape,
            aspect=rng.uniform(1, 1.7),
            angle=rng.uniform(0, np.pi),
            roughness=0.24,
            softness=max(1.8 * scale, 1.0),
        )
        canvas.paint("EX", stamp, _cover(colour, rng.uniform(0.6, 0.95)))
        stamps.append(stamp)
    return stamps


def _paint_soft_exudates(canvas: Canvas) -> None:
    rng, scale = canvas.rng, canvas.ground.scale
    for _ in range(int(rng.integers(3, 7))):
        radius = max(rng.uniform(16, 38) * scale, 1.5)
        place = canvas.spot(2.2 * radius, inner=0.2, outer=0.75)
        if place is None:
            continue
        fleece = blob(
            rng,
            centre=place,
            radius=radius,
            shape=canvas.shape,
            aspect=rng.uniform(1.1, 1.9),
            angle=rng.uniform(0, np.pi),
            roughness=0.12,
            softness=1.1 * radius,
        )
        fine, coarse = (smooth_noise(rng, fleece.opacity.shape, max(part * radius, 1.0)) for part in (0.2, 0.6))
        rise = fleece.opacity * fleece.opacity * (3 - 2 * fleece.opacity)
        tufted = rise * (1 + np.float32(0.12) * fine + np.float32(0.22) * coarse)
        stamp = Stamp(np.clip(tufted, 0, 1), fleece.y0, fleece.x0)
        canvas.paint("SE", stamp, _cover(np.array([0.97, 0.84, 0.72]), rng.uniform(0.45, 0.7)))
        canvas.claim(stamp)


PAINTERS: dict[str, Callable[[Canvas], None]] = {
    "SE": _paint_soft_exudates,
    "EX": _paint_exudates,
    "HE": _paint_haemorrhages,
    "MA": _paint_microaneurysms,
}
"""Class code -> painter, in the order of painting."""
