"""Command ``config show``: parameters of a data set after recipes and overrides, with their sources."""

import argparse
import json
from typing import Any

from rich.console import Console
from rich.markup import escape

from pipeline.cli.check import layers, planned
from pipeline.config.sources import DEFAULT, sourced_values

__all__ = ["add_config"]

EXAMPLES = """examples:
  lesionmap config show fundus_sample
  lesionmap config show idrid@clahe_only --configfile mine.yaml
  lesionmap config show idrid --config 'raw={folds: 5}' | grep -v 'stages/config.yaml$'"""


def _show(arguments: argparse.Namespace) -> int:
    _, (run, *_) = planned(arguments, datasets=[arguments.dataset])
    found = sourced_values(run, layers(arguments))
    width = max(len(_line(key, value)) for key, value, _ in found if len(_line(key, value)) < 80)
    console = Console(soft_wrap=True, highlight=False)
    for key, value, source in found:
        style = "dim" if source == DEFAULT else None
        console.print(escape(f"{_line(key, value):<{width}}  # {source}"), style=style)
    return 0


def _line(key: str, value: Any) -> str:  # noqa: ANN401 any plain value
    return f"{key}: {json.dumps(value)}"


def add_config(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    config = commands.add_parser(
        "config",
        help="the parameters of a data set, and where each comes from",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = config.add_subparsers(dest="action", required=True)
    show = actions.add_parser(
        "show",
        help="every parameter after recipes and overrides, with its source",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument("dataset", metavar="DATASET", help="name, or name@recipe")
    show.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    show.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="as for snakemake")
    show.set_defaults(run=_show)
