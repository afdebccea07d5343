"""Blocks of shell in README, CONTRIBUTING and docs parse, and every command of them exists."""

import importlib
import re
import shlex
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from pipeline.cli import _parser
from pipeline.config.command_line import key_values
from pipeline.config.run import RunConfig, merge
from pipeline.config.yaml_file import load_yaml

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
BLOCKS = re.findall(r"```(?:sh|shell|bash|console)\n(.*?)```", TEXT, re.DOTALL)


def here(words: list[str]) -> list[str]:
    """Command without variables and, of one that ``ssh`` starts on another machine, without the way there."""
    plain = [word for word in words if not re.match(r"[A-Z_]+=|&$", word)]
    return plain[plain.index("lesionmap") :] if plain[0] == "ssh" else plain


COMMANDS = [
    here(shlex.split(line, comments=True))
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if shlex.split(line, comments=True)
]
WORKFLOW = [PROJECT / "Snakefile", *sorted((PROJECT / "stages").glob("*.smk"))]
RULES = {
    rule for path in WORKFLOW for rule in re.findall(r"^(?:rule|checkpoint) (\w+):", path.read_text(), re.MULTILINE)
}


WRITTEN = {f"{Path(command[2]).name}.yaml" for command in COMMANDS if command[:2] == ["lesionmap", "init"]}
"""Configurations that a command of the text writes: tests of that command read them."""


def commands_of(program: str) -> list[list[str]]:
    """Arguments of every call of a program."""
    found = [command[1:] for command in COMMANDS if command[0] == program]
    assert found, program
    return found


def configuration(files: Sequence[str | Path], pairs: dict) -> RunConfig:
    """Configuration of a run; a file that is not in the project is shown in a block of YAML that begins with its name."""
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    for file in (each for each in files if str(each) not in WRITTEN):
        shown = re.search(rf"```yaml\n# {re.escape(str(file))}\n(.*?)```", TEXT, re.DOTALL)
        tree = merge(tree, yaml.safe_load(shown[1]) if shown else load_yaml(PROJECT / file))
    return RunConfig.model_validate(merge(tree, pairs))


CALLS = commands_of("lesionmap")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0][:40])
def test_bash_parses_each_block(block: str) -> None:
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_programs_are_those_that_are_tested_here() -> None:
    assert {command[0] for command in COMMANDS} == {"make", "pip", "lesionmap", "snakemake", "dask", "napari"}


def test_napari_opens_a_store_of_a_stage() -> None:
    # It is not installed here; tests of the site see to it that the block says it needs a desktop.
    for option, plugin, path in commands_of("napari"):
        assert (option, plugin) == ("--plugin", "napari-ome-zarr")
        assert re.fullmatch(r"results/\w+/(normalized|probability/\w+/\w+|segmentation/\w+/\w+)/\w+\.zarr", path)


def test_make_knows_each_target() -> None:
    targets = {target for command in commands_of("make") for target in command}
    known = set(re.findall(r"^([\w-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert targets <= known
    subprocess.run(["make", "-n", *sorted(targets)], cwd=PROJECT, check=True, capture_output=True)


def test_pip_installs_the_wheel_of_this_version() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    assert commands_of("pip") == [["install", f"lesionmap-{version}-py3-none-any.whl"]]
    assert yaml.safe_load((PROJECT / "CITATION.cff").read_text())["version"] == version


@pytest.mark.parametrize("arguments", [each for each in CALLS if each[0] != "run"], ids=" ".join)
def test_lesionmap_takes_each_call(arguments: list[str]) -> None:
    found, others = _parser().parse_known_args(arguments)
    if found.command == "run":
        importlib.import_module("snakemake.cli").get_argument_parser().parse_args(others)
    else:
        assert not others
    if found.command == "check":
        configuration(found.configfile, key_values(found.config, option="--config"))


@pytest.mark.parametrize(
    "arguments", [*commands_of("snakemake"), *(each[1:] for each in CALLS if each[0] == "run")], ids=" ".join
)
def test_snakemake_takes_each_call_of_rules_and_parameters_that_exist(arguments: list[str]) -> None:
    cli = pytest.importorskip("snakemake.cli")
    found = cli.get_argument_parser().parse_args(arguments)
    assert set(found.targets) <= RULES
    assert found.targets
    configuration(found.configfile or [], cli.parse_config(found.config))


@pytest.mark.parametrize("arguments", commands_of("dask"), ids=" ".join)
def test_dask_has_each_command(arguments: list[str]) -> None:
    import click
    from distributed.cli import dask_scheduler, dask_worker

    known: dict[str, click.Command] = {"scheduler": dask_scheduler.main, "worker": dask_worker.main}
    known[arguments[0]].make_context(arguments[0], arguments[1:])
