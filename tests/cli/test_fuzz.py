"""Random manifests, configurations and command lines: ``check`` ends with an exit code and a message, never with a traceback.

A few examples each among the quick tests; the slow form goes on with fresh seeds for ``LESIONMAP_FUZZ_SECONDS`` each.
"""

import copy
import os
import time
from pathlib import Path

import hypothesis
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.config.yaml_file import load_yaml
from tests.cli.wrong import RECORD, RUN, write_folder

PROJECT = Path(__file__).parents[2]
SECONDS = float(os.environ.get("LESIONMAP_FUZZ_SECONDS", "300"))  # noqa: TID251
LONGEST = 12_000
"""Characters of all that is said on the error stream: five problems, each cut."""

NAMES = st.sampled_from(
    ["EX", "mine", "..", "a/b", "{image}", "*", "", " ", "raw", "unet", "guided", "\x00", "é", "x" * 300]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 5, 64, 2**31, 10**12, 10**30, 0.5, -0.5, 1e308, float("inf"), float("nan")]),
    NAMES,
    st.text(max_size=20),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)


def places(tree, before=()):
    """Paths of all values of a tree."""
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ():
        yield (*before, key)
        yield from places(value, (*before, key))


@st.composite
def changed(draw, tree):
    """A tree of which some values are replaced, taken away or added."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        if not (found := list(places(tree))):
            break
        *way, last = draw(st.sampled_from(found))
        inner = tree
        for key in way:
            inner = inner[key]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "replace":
                inner[last] = draw(VALUES)
            case "remove":
                del inner[last]
            case "add" if isinstance(inner, dict):
                inner[draw(NAMES)] = draw(VALUES)
    return tree


def configuration():
    """The shipped configuration for the small data set."""
    tree = load_yaml(PROJECT / "stages" / "config.yaml")
    return {key: value for key, value in tree.items() if key not in ("overrides", "recipes")} | RUN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    before = Path.cwd()
    os.chdir(folder)
    write_folder(folder)
    with pytest.MonkeyPatch.context() as patches:  # what would run the workflow, or serve until it is stopped
        patches.setattr("os.execve", stopped)
        patches.setattr("pipeline.view.server.serving", stopped)
        yield folder
    os.chdir(before)


def stopped(*arguments, **options):
    raise SystemExit(0)


def ends_in_order(capsys, *arguments):
    try:
        code = main(list(arguments))
    except SystemExit as ended:  # argparse
        code = ended.code
    said = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in said.err + said.out
    assert len(said.err) < LONGEST
    assert code == 0 or said.err or "left out" in said.out


HEALTH = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
CONTENTS = st.binary(max_size=200) | st.text(alphabet="{}[]:,&*!-#'\"|> \n\tab1", max_size=200).map(str.encode)
OPTIONS = ["--configfile", "--config", "--deep", "--format", "--port", "--output", "--model", "--name", "-n", "-j2"]
ARGUMENTS = st.one_of(
    st.sampled_from([*OPTIONS, "run.yaml", "masks", "mine.yaml", "datasets=[mine]", "--"]),
    st.builds(
        "{}={}".format,
        st.sampled_from(["raw", "seed", "index", "datasets", "roots", "results", "x"]),
        st.text(max_size=30),
    ),
    st.text(max_size=15),
).filter(lambda text: "\x00" not in text)  # which no program can be given
COMMANDS = st.sampled_from(
    ["check", "clean", "compare", "completion", "config", "export", "index", "init", "predict", "run", "verify", "view"]
)


def any_manifest(capsys, tree):
    Path("wrong.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True))
    ends_in_order(capsys, "check", "--configfile", "run.yaml", "--config", "manifest=wrong.yaml")


def any_configuration(capsys, tree):
    Path("wrong.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True))
    ends_in_order(capsys, "check", "--configfile", "wrong.yaml")


def any_file(capsys, content):
    Path("wrong.yaml").write_bytes(content)
    ends_in_order(capsys, "check", "--configfile", "run.yaml", "wrong.yaml")
    ends_in_order(capsys, "check", "--configfile", "run.yaml", "--config", "manifest=wrong.yaml")


def any_command_line(capsys, call):
    command, arguments = call
    ends_in_order(capsys, command, *(["--dry-run"] if command == "clean" else []), *arguments)


FUZZERS = {
    "manifest": (any_manifest, changed({"datasets": {"mine": RECORD}}), 5),
    "configuration": (any_configuration, changed(configuration()), 3),
    "file": (any_file, CONTENTS, 10),
    "command line": (any_command_line, st.tuples(COMMANDS, st.lists(ARGUMENTS, max_size=5)), 30),
}
"""What is called with what, and examples of the quick form."""


@pytest.mark.parametrize("name", FUZZERS)
def test_anything_is_read_or_refused(folder, capsys, name):
    call, values, examples = FUZZERS[name]
    run_fuzzer(call, values, capsys, examples=examples, seed=0)


@pytest.mark.parametrize("root", ["x" * 300, "x/" * 4000, "a\0b"])
def test_a_root_that_no_file_system_has_is_one_message(folder, capsys, root):
    any_manifest(capsys, {"datasets": {"mine": RECORD | {"root": root}}})
    any_command_line(capsys, ("predict", [root.replace("\0", ""), "--model", root.replace("\0", "")]))


@pytest.mark.slow  # minutes each
@pytest.mark.parametrize("name", FUZZERS)
def test_anything_is_read_or_refused_for_minutes(folder, capsys, name):
    call, values, _ = FUZZERS[name]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        run_fuzzer(call, values, capsys, examples=50, seed=int.from_bytes(os.urandom(4)))


def run_fuzzer(call, values, capsys, *, examples, seed):
    """Calls with random values; a failing one is made small and shown."""

    @hypothesis.seed(seed)
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=HEALTH)
    @given(value=values)
    def fuzz(value):
        call(capsys, value)

    fuzz()
