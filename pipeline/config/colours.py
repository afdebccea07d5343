"""Colours of classes: names and bytes."""

__all__ = ["COLOURS", "rgb"]

COLOURS = {
    "red": "#FF0000",
    "green": "#00B000",
    "blue": "#1E50FF",
    "yellow": "#FFD800",
    "magenta": "#FF00FF",
    "cyan": "#00D0E0",
    "orange": "#FF8000",
    "white": "#FFFFFF",
    "black": "#000000",
}
"""Names of colours, in shades that are distinguishable on fundus and H&E images."""


def rgb(colour: str) -> tuple[int, int, int]:
    """Colour as three bytes, from ``#RRGGBB`` or one of ``COLOURS``.

    Examples
    --------
    >>> rgb("#0A0B0C")
    (10, 11, 12)
    """
    text = COLOURS.get(colour, colour)
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
