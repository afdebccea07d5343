"""H&E phantom: an image with known stains and known lesions.

Tissue is drawn as two concentration maps. The picture follows by the law of Beer and Lambert,
``I = I0 exp(-(h H + e E))``, with the stain basis of one of three centres. So basis, concentrations, background and
lesion mask are all known.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.raw.phantom.shapes import Floats, Phantom, smooth_noise, soft_step
from pipeline.raw.phantom.tissue import Maps, Stroma, draw_gland, jittered_grid, stamp_nuclei, stroma_fibres
from pipeline.seeds import stream

__all__ = ["CENTRES", "CODES", "NOISE", "Laboratory", "compose", "concentrations", "histology_phantom"]

CODES = ("LESION",)

NOISE = 1.0
"""Standard deviation of the camera's noise, in grey levels."""

_FULL_DETAIL = 1500


@dataclass(frozen=True, slots=True)
class Laboratory:
    """Stains and scanner of a centre."""

    basis: tuple[tuple[float, float, float], tuple[float, float, float]]
    """Optical density of haematoxylin and eosin in R, G, B; unit vectors."""
    strength: tuple[float, float]
    """How strongly each stain is taken up."""
    background: tuple[float, float, float]
    """Grey levels of bare glass."""


def _unit(red: float, green: float, blue: float) -> tuple[float, float, float]:
    norm = (red * red + green * green + blue * blue) ** 0.5
    return red / norm, green / norm, blue / norm


CENTRES = {
    "A": Laboratory((_unit(0.56, 0.72, 0.41), _unit(0.22, 0.80, 0.56)), (1.0, 1.0), (243.0, 241.0, 244.0)),
    "B": Laboratory((_unit(0.62, 0.72, 0.31), _unit(0.08, 0.95, 0.28)), (0.85, 0.75), (250.0, 247.0, 248.0)),
    "C": Laboratory((_unit(0.69, 0.67, 0.28), _unit(0.14, 0.76, 0.63)), (1.05, 0.9), (234.0, 235.0, 229.0)),
}
"""The three centres."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Layout of the tissue: signed distances in pixels, positive inside."""

    tissue: Floats
    lesion: Floats

    @property
    def mask(self) -> NDArray[np.bool_]:
        return np.asarray((self.lesion > 0) & (self.tissue > 0))


def _layout(rng: np.random.Generator, size: int, detail: float, foci: int) -> _Layout:
    """Lay a piece of tissue with holes on the glass, and the lesion in the tissue."""
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    shift, stretch = rng.uniform(-0.14, 0.14, 2), rng.uniform(0.92, 1.12, 2)
    y, x = (axis[:, None] - shift[0]) * stretch[0], (axis[None, :] - shift[1]) * stretch[1]
    away = (np.abs(y) ** 3 + np.abs(x) ** 3) ** np.float32(1 / 3)
    wavy = 0.11 * smooth_noise(rng, (size, size), size / 4) + 0.035 * smooth_noise(rng, (size, size), size / 16)
    tissue = (0.90 - away + wavy) * (size / 2)
    holes = (smooth_noise(rng, (size, size), 90 * detail) + 1.75) * (45 * detail)
    lesion = np.full((size, size), -1.0, dtype=np.float32)
    for _ in range(foci):
        turn, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.38)
        dy, dx = y - reach * np.sin(turn), (x - reach * np.cos(turn)) * rng.uniform(0.75, 1.3)
        rough = 0.10 * smooth_noise(rng, (size, size), size / 5) + 0.03 * smooth_noise(rng, (size, size), size / 20)
        lesion = np.maximum(lesion, rng.uniform(0.38, 0.54) - np.hypot(dy, dx) + rough)
    return _Layout(np.minimum(tissue, holes).astype(np.float32), (lesion * (size / 2)).astype(np.float32))


def _draw_lesion(maps: Maps, layout: _Layout, stroma: Stroma) -> None:
    """Crowded, pleomorphic cells in fused irregular glands, torn by bands of dense stroma."""
    rng, detail, shape = maps.rng, maps.detail, maps.shape
    band = np.abs(smooth_noise(rng, shape, 95 * detail)) - np.float32(0.10)
    slits = smooth_noise(rng, shape, 42 * detail) - np.float32(0.86)
    inside = soft_step(layout.lesion, 3.0)
    mottle = smooth_noise(rng, shape, 9 * detail)
    maps.replace(inside, haematoxylin=0.20 + 0.05 * mottle, eosin=0.50 + 0.09 * mottle)
    maps.replace(inside * soft_step(-band, 0.06), haematoxylin=0.05, eosin=1.2 * stroma.eosin)
    debris = np.clip(smooth_noise(rng, shape, max(5 * detail, 1.0)) - 0.8, 0, 1)
    open_slits = soft_step(np.minimum(slits, band - np.float32(0.05)), 0.08)
    maps.replace(inside * open_slits, haematoxylin=0.25 * debris, eosin=0.03 + 0.4 * debris)
    points = jittered_grid(rng, shape, 15 * detail)
    y, x = points.T
    cells = points[(layout.lesion[y, x] > 0) & (band[y, x] > 0) & (slits[y, x] < -0.06) & (rng.random(len(y)) < 0.9)]
    dark = rng.random(len(cells)) < 0.14
    for name, chosen in (("atypical", cells[~dark]), ("hyperchromatic", cells[dark])):
        stamp_nuclei(maps, name, chosen, rng.uniform(0, np.pi, len(chosen)))


def _draw_glands(maps: Maps, layout: _Layout) -> NDArray[np.bool_]:
    """Draw regular glands outside the lesion; the pixels around their middles are returned."""
    rng, detail = maps.rng, maps.detail
    glands = np.zeros(maps.shape, dtype=np.uint8)
    for y, x in jittered_grid(rng, maps.shape, 122 * detail).tolist():
        if layout.lesion[y, x] < -55 * detail and layout.tissue[y, x] > 45 * detail and rng.random() < 0.92:
            draw_gland(maps, (y, x))
            cv2.circle(glands, (x, y), round(48 * detail), 1, -1)
    return glands > 0


def _draw_stroma_cells(maps: Maps, layout: _Layout, stroma: Stroma, glands: NDArray[np.bool_]) -> None:
    """Scattered spindle cells along the fibres, lymphocytes in swarms, red blood cells here and there."""
    rng, detail, shape = maps.rng, maps.detail, maps.shape
    points = jittered_grid(rng, shape, 14 * detail)
    y, x = points.T
    bare = (layout.tissue[y, x] > 4 * detail) & (layout.lesion[y, x] < 0) & ~glands[y, x]
    swarm = np.clip(0.20 + 0.28 * smooth_noise(rng, shape, 150 * detail)[y, x], 0.03, 0.7)
    draw = rng.random(len(points))
    round_cells, spindles = points[bare & (draw < swarm)], points[bare & (draw > 0.80)]
    stamp_nuclei(maps, "lymphocyte", round_cells, rng.uniform(0, np.pi, len(round_cells)))
    along = stroma.direction[spindles[:, 0], spindles[:, 1]].astype(np.float64)
    stamp_nuclei(maps, "spindle", spindles, along + rng.normal(0, 0.2, len(spindles)))
    red = np.zeros(shape, dtype=np.uint8)
    for cell_y, cell_x in points[bare & (draw > swarm) & (draw < swarm + 0.012)].tolist():
        for dy, dx in np.rint(rng.normal(0, 9 * detail, (int(rng.integers(4, 16)), 2))).astype(int).tolist():
            cv2.circle(red, (cell_x + dx, cell_y + dy), max(round(3.6 * detail), 1), 255, -1, cv2.LINE_AA)
    maps.replace(red.astype(np.float32) / np.float32(255), haematoxylin=0.02, eosin=0.95)


def _strength(number: int, seed: int) -> NDArray[np.float32]:
    """Strength with which the slide took up the two stains: that of its centre, a little varied."""
    rng = stream(seed, "phantom", "histology", "strength", number)
    return (np.array(CENTRES[_centre(number)].strength) * rng.uniform(0.9, 1.1, 2)).astype(np.float32)


def _centre(number: int) -> str:
    return "ABC"[number % 3]


def _thickness(rng: np.random.Generator, size: int) -> Floats:
    """Thickness of the section ``(y, x, 1)``: uneven by a few percent."""
    return (1 + np.float32(0.07) * smooth_noise(rng, (size, size), size / 4))[..., None]


def _tissue(number: int, size: int, seed: int) -> tuple[Floats, _Layout]:
    """Concentrations ``(2, y, x)`` and layout of an image."""
    rng = stream(seed, "phantom", "histology", number)
    detail = float(np.clip(size / _FULL_DETAIL, 0.35, 1.0))
    layout = _layout(rng, size, detail, 0 if number % 4 == 3 else int(rng.integers(1, 3)))
    stroma = stroma_fibres(rng, (size, size), detail)
    maps = Maps(np.full((size, size), 0.04, dtype=np.float32), stroma.eosin.copy(), rng, detail)
    glands = _draw_glands(maps, layout)
    _draw_stroma_cells(maps, layout, stroma, glands)
    if layout.mask.any():
        _draw_lesion(maps, layout, stroma)
    glass = 1 - soft_step(layout.tissue, 3.0)
    maps.replace(glass, haematoxylin=0.0, eosin=0.0)
    maps.eosin *= 1 + 0.12 * smooth_noise(rng, maps.shape, 2.5) + 0.10 * smooth_noise(rng, maps.shape, 7 * detail)
    both = np.stack([maps.haematoxylin, maps.eosin], axis=-1) * _thickness(rng, size)
    # Focus is part of the section here: blurred amounts keep the law of Beer and Lambert exact.
    both = cv2.GaussianBlur(both, (0, 0), 0.75) * _strength(number, seed)
    return np.ascontiguousarray(np.clip(both, 0, None).transpose(2, 0, 1), dtype=np.float32), layout


def concentrations(number: int, *, size: int, seed: int) -> Floats:
    """Stain concentrations (haematoxylin, eosin) ``(2, y, x)`` from which the image of that number is composed."""
    return _tissue(number, size, seed)[0]


def compose(amounts: Floats, laboratory: Laboratory) -> Floats:
    """Grey levels ``(y, x, 3)``, not rounded, of light that passes through amounts ``(2, y, x)`` of two stains."""
    basis = np.array(laboratory.basis, dtype=np.float32)
    density = amounts[0][..., None] * basis[0] + amounts[1][..., None] * basis[1]
    return np.asarray(np.exp(-density) * np.array(laboratory.background, dtype=np.float32), dtype=np.float32)


def histology_phantom(number: int, *, size: int, seed: int) -> Phantom:
    """H&E image with known stains and an exact lesion mask.

    Parameters
    ----------
    number
        Which image, from 0 on. Every image is made on its own, whatever others are made.
    size
        Rows and columns. Below 1500 cells shrink with the image down to about a third; above, there is more tissue.
    seed
        Seed of the run.

    Returns
    -------
    Phantom
        Mask ``LESION``: the region that is drawn with the architecture of the lesion. Numbers 3, 7, 11, … have none.
        The centre is A, B or C for ``number % 3``; numbers 2 and 5 of six come from one patient. Facts hold the basis,
        the background and the largest concentrations. Camera noise of ``NOISE`` grey levels is added before rounding.
    """
    amounts, layout = _tissue(number, size, seed)
    centre, person = _centre(number), number - 3 if number % 6 == 5 else number
    laboratory, mask = CENTRES[centre], layout.mask
    noise = stream(seed, "phantom", "histology", "noise", number).standard_normal((size, size, 3), dtype=np.float32)
    image = np.clip(np.rint(compose(amounts, laboratory) + np.float32(NOISE) * noise), 0, 255).astype(np.uint8)
    facts: dict[str, object] = {
        "centre": centre,
        "stain_basis": [[float(value) for value in row] for row in laboratory.basis],
        "background": [float(value) for value in laboratory.background],
        "strength": [float(value) for value in _strength(number, seed)],
        "maximal_concentrations": [float(value) for value in amounts.max(axis=(1, 2))],
        "concentrations_p99": [float(value) for value in np.percentile(amounts[:, layout.tissue > 0], 99, axis=1)],
        "lesions": {"LESION": int(cv2.connectedComponents(mask.astype(np.uint8))[0]) - 1},
        "noise": NOISE,
    }
    return Phantom(image, {"LESION": mask}, f"histology-patient-{person:03d}", centre, facts)
