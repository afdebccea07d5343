"""Stain estimation by Vahadane et al. (IEEE TMI 2016, 35(8):1962–1971): sparse non-negative dictionary learning.

Optical densities of a sample of tissue pixels are factorised into two non-negative unit vectors and sparse non-negative
amounts: ``min ½‖x − Wᵀa‖² + λ‖a‖₁`` over pixels, by online dictionary learning (Mairal et al., JMLR 2010) in SPAMS. By
default SPAMS stops after a second of wall time and starts from random pixels. Here the number of mini-batches, the
initialisation and the single thread are fixed, so the same sample gives the same bytes.

Two choices matter more than they seem. First, λ pulls the vectors towards the bulk of the pixels, hence towards each
other. On phantoms with known stains λ = 0.1 leaves haematoxylin 6° and eosin 4° inside the true vectors; λ = 0.02
leaves 4.5° and 2.6°. Second, a small λ hardly moves a vector that starts outside the pixels. One that starts inside is
moved at once by the unexplained residual. So if λ is below 0.1, the first half of the mini-batches uses 0.1 and the
second the configured λ. The result equals that of thousands of mini-batches from another start.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays.optical_density import Background, optical_density
from pipeline.normalized.stain.basis import REFERENCE_BASIS, haematoxylin_first, unit_rows

__all__ = ["vahadane_basis"]

_BATCH = 512
_FIRST_SPARSITY = 0.1


def vahadane_basis(
    colours: NDArray[np.uint8], *, background: Background, sparsity: float, iterations: int
) -> NDArray[np.float64] | None:
    """Stain vectors of a sample of tissue, by sparse dictionary learning.

    Parameters
    ----------
    colours
        ``(n, 3)``, in random order, because mini-batches are taken in sequence. Best without pixels of very low
        density, whose direction is noise.
    background
        Light through bare glass.
    sparsity
        λ of the dictionary, at least 0.
    iterations
        Mini-batches of 512 pixels.

    Returns
    -------
    NDArray or None
        ``(2, 3)``: haematoxylin, eosin; unit vectors without negative entries. None without any pixels to learn from.
    """
    density = optical_density(colours, i0=background).astype(np.float64)
    if density.shape[0] == 0:
        return None
    pixels, vectors = np.asfortranarray(density.T), np.asarray(REFERENCE_BASIS.matrix)
    inside = iterations // 2 if sparsity < _FIRST_SPARSITY else 0
    for batches, penalty in ((inside, _FIRST_SPARSITY), (iterations - inside, sparsity)):
        learned = _learn(pixels, vectors, sparsity=penalty, batches=batches)
        if learned is None:
            return None
        vectors = learned
    return haematoxylin_first(vectors)


def _learn(
    pixels: NDArray[np.float64], vectors: NDArray[np.float64], *, sparsity: float, batches: int
) -> NDArray[np.float64] | None:
    # SPAMS is slow to import, and only this function needs it.
    import spams

    if batches == 0:
        return vectors
    dictionary = spams.trainDL(
        pixels,
        D=np.asfortranarray(vectors.T),
        lambda1=sparsity,
        mode=2,
        modeD=0,
        posAlpha=True,
        posD=True,
        iter=batches,
        batchsize=_BATCH,
        numThreads=1,
        verbose=False,
    )
    return unit_rows(np.ascontiguousarray(dictionary.T))
