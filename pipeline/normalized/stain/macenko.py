"""Stain estimation by Macenko et al. (ISBI 2009, pages 1107–1110): the plane of a slide's optical densities.

The densities of tissue lie near a plane through the origin, spanned by the two leading eigenvectors of their
covariance. Seen in that plane, the pixels fill a wedge between the two stains, whose edges are robust extremes of the
angle. Colours and their counts represent the pixels, so covariance and percentiles are exact over the whole slide.

Angles are measured from the mean direction of the pixels, not from an eigenvector. So they neither depend on the signs
of eigenvectors nor wrap around.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import Background, optical_density
from pipeline.normalized.stain.basis import haematoxylin_first, unit_rows
from pipeline.normalized.stain.colour_table import ColourTable, percentile

__all__ = ["macenko_basis"]


def macenko_basis(
    table: ColourTable, *, background: Background, least_density: float, extreme_angle: float
) -> NDArray[np.float64] | None:
    """Stain vectors of all tissue pixels, by Macenko's method.

    Parameters
    ----------
    table
        Colours of the tissue.
    background
        Light through bare glass.
    least_density
        Pixels whose optical density, as the length of the vector, is below this are left out. Many programs apply the
        limit to every channel, which leaves out pale eosin, because red light passes it.
    extreme_angle
        Percentile of the angles for one stain; 100 minus it for the other.

    Returns
    -------
    NDArray or None
        ``(2, 3)``: haematoxylin, eosin; unit vectors, negative entries set to 0. None without a plane.
    """
    density = optical_density(table.colours, i0=background).astype(np.float64)
    dense = (density * density).sum(axis=1) > least_density * least_density
    density, counts = density[dense], table.counts[dense]
    if counts.size == 0:
        return None
    plane = _plane(density, counts)
    flat = density @ plane
    middle = (flat * counts[:, None]).sum(axis=0)
    middle = middle / max(float(np.hypot(*middle)), np.finfo(np.float64).tiny)
    across = np.array([-middle[1], middle[0]])
    angles = np.arctan2(flat @ across, flat @ middle)
    edges = [percentile(angles, counts, q) for q in (extreme_angle, 100 - extreme_angle)]
    vectors = unit_rows(np.stack([plane @ (np.cos(edge) * middle + np.sin(edge) * across) for edge in edges]))
    return None if vectors is None else haematoxylin_first(vectors)


def _plane(density: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    # (3, 2): the leading eigenvectors of the covariance, the second one with its largest entry above 0.
    pixels = counts.sum()
    centred = density - (density * counts[:, None]).sum(axis=0) / pixels
    covariance = np.array([[(centred[:, i] * centred[:, j] * counts).sum() for j in range(3)] for i in range(3)])
    _, vectors = np.linalg.eigh(covariance / pixels)
    return np.ascontiguousarray(vectors[:, [2, 1]])
