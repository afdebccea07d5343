"""The truth of a small image whole, for tests."""

from pipeline.geometry import Box
from pipeline.raw.truth import open_truth

__all__ = ["whole_truth"]


def whole_truth(entry, *, record, height, width, origin=(0, 0)):
    """The truth ``(class, h, w)`` of an annotated image."""
    with open_truth(entry, record=record, height=height, width=width, origin=origin) as truth:
        return truth.on(height, width).read(Box.of_shape(height, width))
