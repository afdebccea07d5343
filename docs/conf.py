"""Documentation site: Sphinx reads the pages of this folder; formulas become MathML and pictures are drawn, so that it opens without a network."""

import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from latex2mathml.converter import convert  # noqa: E402 after the path

from docs.contents import with_contents  # noqa: E402
from docs.pictures import draw_all  # noqa: E402

project = "lesionmap"
author = "The lesionmap developers"
copyright = author  # noqa: A001 Sphinx's name
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "**/.ipynb_checkpoints"]
html_theme = "furo"
html_title = "lesionmap"
html_copy_source = False
html_show_sphinx = False
nitpicky = True


def _inline(self: Any, node: Any) -> None:  # noqa: ANN401 writer and node of docutils
    self.body.append(convert(node.astext(), display="inline"))
    raise _skip()


def _block(self: Any, node: Any) -> None:  # noqa: ANN401
    self.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>')
    raise _skip()


def _skip() -> Exception:
    from docutils import nodes

    return nodes.SkipNode()


def _read(app: Any, docname: str, source: list[str]) -> None:  # noqa: ANN401, ARG001 arguments of Sphinx
    if docname == "index":
        source[0] = with_contents(source[0])


def setup(app: Any) -> None:  # noqa: ANN401 Sphinx' application
    """Contents, formulas as MathML, which browsers show by themselves, and the pictures."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("source-read", _read)
    app.connect("builder-inited", lambda _: draw_all(FOLDER / "_pictures"))
