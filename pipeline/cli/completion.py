"""Command ``completion``: a script that completes commands, options and file names in a shell."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

__all__ = ["add_completion"]

PATHS = {"FILE", "FOLDER", "INDEX"}
"""Names of path arguments, beside those of the type."""
EXAMPLES = """examples:
  eval "$(lesionmap completion bash)"       in ~/.bashrc
  lesionmap completion zsh > "${fpath[1]}/_lesionmap" """


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:  # Argparse has no public access to its own arguments.
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _actions(each)


def _complete(arguments: argparse.Namespace) -> int:
    for action in _actions(arguments.parser):
        if action.metavar in PATHS or action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(arguments.parser, shell=arguments.shell))
    return 0


def add_completion(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    completion = commands.add_parser(
        "completion",
        help="print a script for the completion of a shell",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=("bash", "zsh"), help="the shell")
    completion.set_defaults(run=_complete)
