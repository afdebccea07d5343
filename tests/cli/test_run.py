"""Commands that stand before others: the workflow after a check, and a script that completes them."""

import os
import subprocess

import pytest
import yaml

from pipeline.cli import main
from pipeline.cli.run import snakemake_call, with_counts_only, with_jobs
from pipeline.project import PROJECT


@pytest.fixture
def called(monkeypatch, tmp_path):
    """Arguments of the workflow, each time it is called."""
    calls = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execve", lambda path, arguments, environment: calls.append(arguments))
    return calls


def test_run_hands_its_arguments_to_snakemake_as_they_are(called):
    given = ["-j8", "all", "--config", "seed=1", "--keep-going", "-n"]
    main(["run", *given])
    (arguments,) = called
    assert arguments[1:4] == ["-m", "snakemake", "-s"]
    assert arguments[4].endswith("Snakefile")
    assert arguments[-len(given) :] == given


@pytest.mark.parametrize("given", [["all"], ["-n", "raw"], ["--config", "seed=1"], ["--configfile", "c.yaml"], []])
def test_without_a_number_of_jobs_there_are_as_many_as_processors_and_it_is_said(called, capsys, monkeypatch, given):
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    jobs = f"-j{len(os.sched_getaffinity(0))}"
    assert with_jobs(given) == [jobs, *given]
    if "c.yaml" not in given:
        main(["run", *given])
        assert called[0][-len(given) - 1 :] == [jobs, *given]
        assert f"No -j was given: {jobs}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        ["-j8"],
        ["-nj", "8"],
        ["--cores=all"],
        ["-c", "2"],
        ["--jobs", "3"],
        ["--workflow-profile", "slurm"],
        ["--profile=x"],
    ],
)
def test_a_number_of_jobs_or_a_profile_that_is_given_counts(given):
    assert with_jobs(["all", *given]) == ["all", *given]


@pytest.mark.parametrize("given", [["-n"], ["--dry-run"], ["--dryrun", "all"], ["-nj", "8"], ["-Fn"]])
def test_a_dry_run_counts_jobs_and_lists_them_only_where_that_is_asked(given):
    cli = pytest.importorskip("snakemake.cli")
    from snakemake.settings.enums import Quietness

    assert with_counts_only(given) == ["--quiet=rules", *given]
    assert cli.parse_args(with_counts_only(given))[1].quiet == {Quietness.RULES}
    for asked in (["-p"], ["--printshellcmds"], ["-q"], ["--quiet", "all"], ["--quiet=host"], ["--verbose"]):
        assert with_counts_only([*given, *asked]) == [*given, *asked]


@pytest.mark.parametrize("given", [["all"], ["-np"], ["-j8", "report"], ["--notemp"], ["--config", "seed=1"]])
def test_other_runs_are_as_talkative_as_snakemake(given):
    assert with_counts_only(given) == given


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_profiles_are_those_of_the_project_in_any_folder(tmp_path, monkeypatch, profile):
    cli = pytest.importorskip("snakemake.cli")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "default").mkdir()  # what Snakemake looks for first
    # Without its plugin Snakemake refuses the executor of a cluster.
    given = [] if profile == "default" else ["--workflow-profile", profile, "--executor", "local"]
    _, found = cli.parse_args(snakemake_call(["-n", *given])[3:])
    settings = yaml.safe_load((PROJECT / "profiles" / profile / "profile.yaml").read_text())
    assert found.keep_going is settings["keep-going"]
    assert found.nolock is settings["nolock"]
    assert found.latency_wait == settings.get("latency-wait", 5)


@pytest.mark.parametrize(
    "content", [b"a: [", b"seed: \xff\xfe", b"raw: &a {folds: *a}", b"raw: {fold: 5}", "folder", "none"]
)
def test_a_wrong_file_is_one_message_and_nothing_is_run(called, capsys, tmp_path, content):
    if content == "folder":
        (tmp_path / "mine.yaml").mkdir()
    elif content != "none":
        (tmp_path / "mine.yaml").write_bytes(content)
    assert main(["run", "-n", "all", "--configfile", "mine.yaml"]) == 1
    said = capsys.readouterr().err
    assert said.count("to do:") == 1
    assert not called


def test_other_commands_refuse_arguments_that_they_do_not_know(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--depe"])
    assert "unrecognized arguments: --depe" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_names_every_command(capsys, shell):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in ("check", "run", "predict", "--configfile", "--deep", "compare"))


def test_completion_completes_in_bash(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    ask = f"{script}\nCOMP_WORDS=(lesionmap pre); COMP_CWORD=1; _shtab_lesionmap; echo ${{COMPREPLY[@]}}"
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["predict"]
