"""HTML of a page from its template: undefined names are errors, and every text is escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib import colormaps
from matplotlib.colors import to_hex

from pipeline.report.pictures.overlays import HEAT_MAP
from pipeline.stores.atomic import file_in_progress

__all__ = ["render", "rendered"]


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipeline.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["ramp"] = [to_hex(colormaps[HEAT_MAP](at / 8)) for at in range(9)]
    return environment


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """HTML of a template of the folder ``templates``; ``context`` holds everything that it names."""
    return _environment().get_template(template).render(context)


def render(template: str, context: Mapping[str, Any], output: Path) -> None:
    """Page written from its template.

    Parameters
    ----------
    template
        Name of a file in ``templates``.
    context
        Everything that the template names.
    output
        The page.
    """
    text = rendered(template, context)
    with file_in_progress(output) as partial:
        partial.write_text(text, encoding="utf-8")
