"""Stain concentrations: how much haematoxylin and eosin a pixel holds, sparse and non-negative, in closed form.

Vahadane et al. (IEEE TMI 2016) take the concentrations that minimise ``½‖x − Wᵀa‖² + λ‖a‖₁`` with ``a ≥ 0``. For two
stains there are four candidates: both present (a 2×2 system), either one alone, none. Stain vectors have no negative
entries, hence no angle above 90° between them. So the rule is short: if the 2×2 system makes one stain negative, the
solution is the other alone, or zero if that is negative too.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays.optical_density import density_table
from pipeline.errors import GeometryError
from pipeline.normalized.stain.basis import StainBasis

__all__ = ["concentrations", "solution"]


def concentrations(rgb: NDArray[np.uint8], *, basis: StainBasis, sparsity: float) -> NDArray[np.float32]:
    """Stain concentrations of haematoxylin and eosin.

    Parameters
    ----------
    rgb
        ``(…, 3)``.
    basis
        Stain vectors and background of the slide.
    sparsity
        λ, at least 0; 0 gives non-negative least squares.

    Returns
    -------
    NDArray
        ``(2, …)``: haematoxylin and eosin, at least 0. Each is computed in double precision from its own pixel alone.

    Raises
    ------
    GeometryError
        The last axis does not hold three bytes.
    """
    if rgb.shape[-1:] != (3,) or rgb.dtype != np.uint8:
        raise GeometryError(
            "The image is not RGB.",
            where="normalized.stain.concentrations",
            found=f"{rgb.shape} {rgb.dtype}",
            expected="(…, 3) uint8",
            remedy="Give red, green and blue on the last axis.",
        )
    pixels = np.ascontiguousarray(rgb).reshape(-1, 3)
    found = np.empty((2, pixels.shape[0]), np.float32)
    _concentrate(pixels, density_table(basis.background), solution(basis, sparsity), found)
    return found.reshape(2, *rgb.shape[:-1])


def solution(basis: StainBasis, sparsity: float) -> NDArray[np.float64]:
    """Linear map from optical densities to candidate concentrations.

    Returns
    -------
    NDArray
        ``(4, 4)``. Rows: haematoxylin and eosin where both are present, haematoxylin alone, eosin alone. Columns:
        factors of the densities of red, green, blue, and the term subtracted from their sum.
    """
    vectors = np.asarray(basis.matrix)
    squares, common = (vectors * vectors).sum(axis=1), float((vectors[0] * vectors[1]).sum())
    inverse = np.array([[squares[1], -common], [-common, squares[0]]]) / (squares[0] * squares[1] - common * common)
    rows = np.empty((4, 4))
    for stain in range(2):
        rows[stain, :3] = inverse[stain, 0] * vectors[0] + inverse[stain, 1] * vectors[1]
        rows[stain, 3] = sparsity * (inverse[stain, 0] + inverse[stain, 1])
        rows[2 + stain, :3] = vectors[stain] / squares[stain]
        rows[2 + stain, 3] = sparsity / squares[stain]
    return rows


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _concentrate(
    pixels: NDArray[np.uint8], table: NDArray[np.float32], rows: NDArray[np.float64], found: NDArray[np.float32]
) -> None:
    both = np.empty(4)
    for i in range(pixels.shape[0]):
        red = np.float64(table[pixels[i, 0], 0])
        green = np.float64(table[pixels[i, 1], 1])
        blue = np.float64(table[pixels[i, 2], 2])
        for row in range(4):
            both[row] = rows[row, 0] * red + rows[row, 1] * green + rows[row, 2] * blue - rows[row, 3]
        haematoxylin = both[2] if both[1] < 0 else both[0]
        eosin = both[3] if both[0] < 0 else both[1]
        found[0, i] = max(haematoxylin, 0.0)
        found[1, i] = max(eosin, 0.0)
