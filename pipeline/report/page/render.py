"""HTML of a page from its template: nothing undefined goes through, and every text is escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import colormaps

from pipeline.report.pictures.overlays import HEAT_MAP
from pipeline.stores.atomic import file_in_progress

__all__ = ["render"]


def _environment() -> Environment:
    ramp = [
        "#{:02x}{:02x}{:02x}".format(*(round(255 * part) for part in colormaps[HEAT_MAP](at / 8)[:3]))
        for at in range(9)
    ]
    environment = Environment(
        loader=PackageLoader("pipeline.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["ramp"] = ramp
    return environment


def render(template: str, context: Mapping[str, Any], output: Path) -> None:
    """Write a page.

    Parameters
    ----------
    template
        Name of a file in ``templates``.
    context
        Everything that the template names.
    output
        The page.
    """
    text = _environment().get_template(template).render(context)
    with file_in_progress(output) as partial:
        partial.write_text(text, encoding="utf-8")
