"""Phantom of a number: a fundus photograph or an H&E image, by the layout of its data set."""

from pipeline.config.manifest import PhantomLayout
from pipeline.raw.phantom.fundus import fundus_phantom
from pipeline.raw.phantom.histology import histology_phantom
from pipeline.raw.phantom.shapes import Phantom

__all__ = ["phantom"]


def phantom(layout: PhantomLayout, *, number: int) -> Phantom:
    """Phantom of a number: a synthetic image with its truth."""
    make = fundus_phantom if layout.world == "fundus" else histology_phantom
    return make(number, size=layout.size, seed=layout.seed)
