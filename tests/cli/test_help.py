"""Help of the commands: each has examples, and its arguments take them."""

import argparse
import re
import shlex

import pytest

from pipeline.cli import _parser


def commands(parser: argparse.ArgumentParser):
    """Parsers of all commands and of their own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield each
                yield from commands(each)


EVERY = list(commands(_parser()))


@pytest.mark.parametrize("command", EVERY, ids=[each.prog for each in EVERY])
def test_the_help_of_a_command_has_examples_that_its_arguments_take(command):
    assert "examples:\n" in command.format_help()
    examples = re.findall(r"^  (lesionmap .*)$", command.epilog, re.MULTILINE)
    assert examples
    for example in examples:
        _, *arguments = shlex.split(re.split(r" {2,}| \| | > ", example)[0])
        _, others = _parser().parse_known_args(arguments)
        assert not others or arguments[0] == "run"
