"""Test-time augmentation: a network sees a window flipped and in quarter turns, and its outputs are averaged.

A view is an optional left-right flip followed by quarter turns. Each output is turned back before averaging, so that
the mean is taken pixel by pixel.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["VIEWS", "mean_of_views"]

View: TypeAlias = tuple[int, bool]
"""Quarter turns, and whether the window is flipped before."""

VIEWS: dict[str, tuple[View, ...]] = {
    "one": ((0, False),),
    "flips": ((0, False), (0, True), (2, True), (2, False)),
    "flips_and_turns": tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4)),
}
"""As given, flipped left to right, top to bottom, and both; or all eight symmetries of a square."""


def _seen(windows: "Tensor", view: View) -> "Tensor":
    turns, mirrored = view
    return (windows.flip(-1) if mirrored else windows).rot90(turns, (-2, -1))


def _back(answer: "Tensor", view: View) -> "Tensor":
    turns, mirrored = view
    upright = answer.rot90(-turns, (-2, -1))
    return upright.flip(-1) if mirrored else upright


def mean_of_views(network: "Callable[[Tensor], Tensor]", windows: "Tensor", *, views: tuple[View, ...]) -> "Tensor":
    """Mean of a network's outputs for some views of square windows, each turned back.

    Parameters
    ----------
    network
        Maps ``(n, 3, window, window)`` to ``(n, map, window, window)``; called once for each view.
    windows
        ``(n, 3, window, window)``.
    views
        One of ``VIEWS``; the sum is taken in this order.
    """
    total = _back(network(_seen(windows, views[0])), views[0])
    for view in views[1:]:
        total = total + _back(network(_seen(windows, view)), view)
    return total / len(views) if len(views) > 1 else total
