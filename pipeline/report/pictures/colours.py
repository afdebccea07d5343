"""Colours of a page and of classes, as codes for HTML and for charts."""

from collections.abc import Mapping

from pipeline.config.manifest import DatasetRecord

__all__ = ["THEMES", "class_colours", "colour_code"]

THEMES: Mapping[str, Mapping[str, str]] = {
    "light": {"ink": "#1f2933", "faint": "#d5dbe3", "pale": "#9db4cc", "middle": "#4f86c6", "deep": "#123a6b"},
    "dark": {"ink": "#d9e1ea", "faint": "#39444f", "pale": "#44597a", "middle": "#6ea3df", "deep": "#cfe3fb"},
}
"""Theme of the page → colours of its charts by name: text, lines of the grid, and three shades of what comes in threes."""


def colour_code(rgb: tuple[int, int, int]) -> str:
    """Colour code of three bytes.

    Examples
    --------
    >>> colour_code((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def class_colours(record: DatasetRecord) -> dict[str, str]:
    """Colour code of each class, by its code."""
    return {each.code: colour_code(each.rgb) for each in record.classes}
