"""Model and fusion shown first where there are several: report, pages of images, `view`, `predict`, `compare`.

The rule needs no figures, because pages of images and `predict` cannot wait for measured results: the first ensemble,
else the first model of the configuration; Gaussian fusion, else the first of the configuration. The report also names
the result with the best validation score.
"""

from collections.abc import Collection, Sequence

__all__ = ["USUAL", "first_fusion", "first_model"]

USUAL = "gaussian"
"""Fusion that comes first, and the default of `predict`."""


def first_fusion(fusions: Sequence[str]) -> str:
    """Fusion that is shown first, of at least one.

    Examples
    --------
    >>> first_fusion(["none", "max", "gaussian"]), first_fusion(["none", "max"])
    ('gaussian', 'none')
    """
    return USUAL if USUAL in fusions else fusions[0]


def first_model(names: Sequence[str], *, ensembles: Collection[str]) -> str:
    """Model that is shown first, of at least one name of models and ensembles.

    Examples
    --------
    >>> first_model(["unet", "deeplab"], ensembles=()), first_model(["unet", "all"], ensembles={"all"})
    ('unet', 'all')
    """
    return next((name for name in names if name in ensembles), names[0])
