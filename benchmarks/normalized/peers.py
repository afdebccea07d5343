"""Peers of stain normalisation: what they find, and what they make of an image. Each is imported where it is asked for; see `benchmarks/peers.txt`.

Vectors and concentrations come from each peer's own way of reading optical density; all vectors are compared at unit
length. TIAToolbox pulls in too much to be installed here, so its Vahadane is written out with the scikit-learn call and
the parameters that it uses.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
Vectors: TypeAlias = NDArray[np.float64]
Extractor: TypeAlias = Callable[[Image], tuple[Vectors, Vectors]]
"""From an image to unit vectors ``(2, 3)`` and concentrations ``(2, y, x)``."""
Transformer: TypeAlias = Callable[[Image], Image]


def _shaped(amounts: NDArray[Any], matrix: NDArray[Any], image: Image) -> tuple[Vectors, Vectors]:
    norms = np.linalg.norm(matrix, axis=1)
    return matrix / norms[:, None], (amounts * norms[:, None]).reshape(2, *image.shape[:2])


def _staintools(method: str) -> Extractor:
    from staintools.miscellaneous.get_concentrations import get_concentrations
    from staintools.stain_normalizer import StainNormalizer

    extractor = StainNormalizer(method).extractor

    def extract(image: Image) -> tuple[Vectors, Vectors]:
        matrix = extractor.get_stain_matrix(image.copy())
        return _shaped(get_concentrations(image.copy(), matrix).T, matrix, image)

    return extract


def _torchstain() -> Extractor:
    from torchstain.base.normalizers import MacenkoNormalizer

    normaliser = MacenkoNormalizer(backend="numpy")

    def extract(image: Image) -> tuple[Vectors, Vectors]:
        normaliser.fit(image)
        matrix = np.asarray(normaliser.HERef).T
        density = -np.log((image.reshape(-1, 3).astype(float) + 1) / 240)
        return _shaped(np.linalg.lstsq(matrix.T, density.T, rcond=None)[0], matrix, image)

    return extract


def _tiatoolbox() -> Extractor:
    from sklearn.decomposition import DictionaryLearning
    from staintools.tissue_masks.luminosity_threshold_tissue_locator import LuminosityThresholdTissueLocator

    def extract(image: Image) -> tuple[Vectors, Vectors]:
        density = np.maximum(-np.log(np.maximum(image, 1).reshape(-1, 3) / 255), 1e-6)
        tissue = density[LuminosityThresholdTissueLocator.get_tissue_mask(image).ravel()]
        learner = DictionaryLearning(
            n_components=2,
            alpha=0.1,
            transform_alpha=0.1,
            fit_algorithm="lars",
            transform_algorithm="lasso_lars",
            positive_dict=True,
            max_iter=3,
            random_state=0,
            verbose=False,
        )
        # TIAToolbox passes pixels as features, so the vectors are in the codes.
        codes = learner.fit_transform(tissue.T)
        matrix = codes.T if codes[0, 0] > codes[0, 1] else codes.T[::-1]
        return _shaped(np.linalg.lstsq(matrix.T, density.T, rcond=None)[0], matrix, image)

    return extract


def _staintools_transform(method: str, target: Image) -> Transformer:
    from staintools.reinhard_color_normalizer import ReinhardColorNormalizer
    from staintools.stain_normalizer import StainNormalizer

    normaliser = ReinhardColorNormalizer() if method == "reinhard" else StainNormalizer(method)
    normaliser.fit(target.copy())

    def transform(image: Image) -> Image:
        # StainTools writes into its input.
        return np.asarray(normaliser.transform(image.copy()), np.uint8)

    return transform


def _torchstain_transform(method: str, target: Image) -> Transformer:
    from torchstain.base.normalizers import MacenkoNormalizer, ReinhardNormalizer

    normaliser = (MacenkoNormalizer if method == "macenko" else ReinhardNormalizer)(backend="numpy")
    normaliser.fit(target.copy())

    def transform(image: Image) -> Image:
        result = normaliser.normalize(image.copy())
        return np.asarray(result[0] if method == "macenko" else result, np.uint8)

    return transform


EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    "StainTools Vahadane": lambda: _staintools("vahadane"),
    "StainTools Macenko": lambda: _staintools("macenko"),
    "torchstain Macenko": _torchstain,
    "TIAToolbox's Vahadane (scikit-learn)": _tiatoolbox,
}
"""Makers of what finds vectors and concentrations; a maker raises ImportError where the peer is absent."""

TRANSFORMERS: dict[str, Callable[[Image], Transformer]] = {
    "StainTools Vahadane": lambda target: _staintools_transform("vahadane", target),
    "StainTools Macenko": lambda target: _staintools_transform("macenko", target),
    "StainTools Reinhard": lambda target: _staintools_transform("reinhard", target),
    "torchstain Macenko": lambda target: _torchstain_transform("macenko", target),
    "torchstain Reinhard": lambda target: _torchstain_transform("reinhard", target),
}
"""Makers of what brings an image to the look of a target image."""
