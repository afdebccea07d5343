"""Wrong calls: `check` and the configuration door of Snakemake say the same, in one message, without a traceback."""

import functools
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.cli import parse_config

from pipeline.cli import main
from pipeline.config.command_line import with_command_line
from pipeline.config.run import merge, plan_run
from pipeline.config.yaml_file import load_yaml
from pipeline.errors import PipelineError
from pipeline.model.refusals import refuse_models
from pipeline.raw.datasets.listing import images_of_run
from tests.cli.wrong import RECORD, RUN, write_folder

PROJECT = Path(__file__).parents[2]
SHIPPED = load_yaml(PROJECT / "stages" / "config.yaml")
DEEP = "{a: " * 400 + "1" + "}" * 400
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + at)}: &{chr(98 + at)} [{', '.join(['*' + chr(97 + at)] * 10)}]\n" for at in range(9)
)
BOMB = (
    "{a: &a [x, x, x, x, x, x, x, x, x, x]"
    + "".join(f", {chr(98 + at)}: &{chr(98 + at)} [{', '.join(['*' + chr(97 + at)] * 10)}]" for at in range(7))
    + "}"
)
DIGITS = "9" * 5000

VALUES = [
    ("seed=-1", "seed"),
    ("seed=x", "seed"),
    ("seed=1.5", "seed"),
    ("seed=[1]", "seed"),
    (f"seed={DIGITS}", "seed"),
    ("sede=1", "'seed'"),
    ("datasets=other", "Unknown data set"),
    ("datasets=5", "datasets"),
    ("datasets=[]", "datasets"),
    ("datasets=[other]", "Unknown data set"),
    ("datasets=[mine@no]", "Unknown recipe"),
    ("datasets=[mine@a@b]", "Unknown data set"),
    ("roots={other: x}", "Unknown data set"),
    ("roots={mine: nowhere}", "nowhere"),
    ("manifest=nowhere.yaml", "does not exist"),
    ("manifest=.", "folder"),
    ("manifest=5", "manifest"),
    ("results=[a]", "results"),
    ("results=", "results"),
    ("results=a{x}", "without any of"),
    ("results=<logs>", "without any of"),
    (f"results={'a' * 300}", "at most 255 bytes"),
    (f"roots={{mine: {'a/' * 3000}}}", "4095 in all"),
    (f"manifest={'é' * 200}", "at most 255 bytes"),
    ("model={models: {" + "ab" * 25 + ": {}}}", "twenty repeats"),
    ("index={samplings: {" + "".join(map(str, range(60))) + ": {strategy: grid}}}", "at most 100"),
    ("recipes={" + "a" * 20 + ": {}}", "twenty repeats"),
    ("raw={folds: x}", "raw.folds"),
    ("raw={folds: 1000}", "100"),
    ("raw={folds: 2.5}", "raw.folds"),
    ("raw={validation_share: 1}", "less than 1"),
    ("raw={validation_share: yes}", "raw.validation_share"),
    ("raw={fold: 5}", "'folds'"),
    ("raw=5", "raw"),
    ("raw=[1]", "raw"),
    ("normalized={rescale: {factor: 1000}}", "16"),
    ("normalized={rescale: {factor: 0}}", "greater"),
    ("normalized={rescale: {factor: nan}}", "finite"),
    ("normalized={rescale: {factor: 0.5, level: 1}}", "factor, level"),
    ("normalized={gaussian: {sigma: 1000000000}}", "10000"),
    ("normalized={gaussian: {apply: false}}", "difference.apply"),
    ("normalized={clahe: {tiles: [100000, 8]}}", "1024"),
    ("normalized={clahe: {tiles: [8]}}", "tiles"),
    ("normalized={chain: slides}", "histology"),
    ("normalized={workers: 1000000}", "1024"),
    ("normalized={storage: {shard: 1000}}", "power of two"),
    ("probability={overlap: 0.9999999}", "0.99"),
    ("probability={overlap: 0}", "greater"),
    ("probability={threads: 1000000}", "1024"),
    ("probability={fusions: []}", "fusions"),
    ("probability={fusions: [median]}", "median"),
    ("probability={dask: {scheduler: localhost}}", "scheduler"),
    ("probability={window: 10000000}", "65536"),
    ("probability={storage: {chunk: 8, shard: 8}}", "probability.storage.shard"),
    ("probability={window: 4096}", "smaller than the windows of 4096 pixels of unet"),
    ("index={samplings: {guided: {total: 100000000000}}}", "100000000"),
    ("index={samplings: {guided: {patch: 1000000}}}", "65536"),
    ("index={samplings: {guided: {strategy: gided}}}", "gided"),
    ("index={samplings: {guided: {shares: {MA: 1}}}}", "Unknown class"),
    ("index={samplings: {guided: {strategy: balanced}}}", "another kind of block"),
    ('index={samplings: {"a b": {strategy: grid}}}', "a b"),
    ("index={sampling: {}}", "'samplings'"),
    ("model={models: {unet: {fold: 3}}}", "raw.folds"),
    ("model={models: {unet: {epochs: 100000000}}}", "1000000"),
    ("model={models: {unet: {sampling: none_such}}}", "none_such"),
    ("model={models: {raw: {}}}", "raw"),
    ("model={ensembles: {all: [unet, unet]}}", "each once"),
    ("model={ensembles: {all: []}}", "needs members"),
    ("segmentation={threshold: 2}", "less than or equal to 1"),
    ("segmentation={minimum_areas: {MA: 5}}", "Unknown class"),
    ("report={bootstrap: 100000000}", "1000000"),
    ("overrides={other: {}}", "Unknown data set"),
    ("raw={folds: 1, folds: 2}", "twice"),
    ("raw={folds: &a [*a]}", "refers to itself"),
    (f"raw={BOMB}", "aliases"),
    (f"raw={DEEP}", "levels of nesting"),
    ("raw={folds: ", "no YAML"),
    ("model={models: {unet: {steps: 1e12}}}", "steps"),
    ("model={models: {unet: {steps: 1000000000000}}}", "100000000"),
    ("model={models: {unet: {patches_per_epoch: 100000000000}}}", "100000000"),
    ("model={models: {unet: {learning_rate: 1e30}}}", "100"),
    ("model={models: {unet: {accumulate: 1000000}}}", "65536"),
    ("normalized={strip_rows: 2147483648}", "131072"),
    ("normalized={rescale: {um_per_pixel: 1e-9}}", "0.01"),
    ("index={samplings: {guided: {jitter: 100000000000}}}", "65536"),
    ("index={samplings: {guided: {beta: 1e300}}}", "10"),
    ("report={images: 1000000000}", "100000"),
    ("index={samplings: {guided: {patch: 16}}}", "multiple of 32"),
    ("model={models: {unet: {downsample: 4}}}", "multiple of 128"),
    ("probability={window: 100}", "Use 96 or 128"),
    ("model={models: {unet: {loss: [{name: cross_entropy}]}}}", "does not fit the task"),
    ("model={models: {unet: {network: deeplabv3plus, batch_size: 1}}}", "single patches"),
    ("model={models: {unet: {devices: 16}}}", "too few patches to share"),
    ("model={models: {unet: {device: cpu, precision: float16}}}", "cannot train in float16"),
    ("recipes={x: {modl: {}}}", "modl"),
]
NETWORKS = [
    ("model={models: {unet: {encoder: tu-swin_tiny_patch4_window7_224}}}", "does not take patches"),
    ("model={models: {unet: {encoder: resnet999}}}", "no such encoder"),
    ("model={models: {unet: {network: unetplusplus, encoder: mit_b0}}}", "cannot be built"),
    ("model={models: {unet: {device: cuda}}}", "There is no GPU"),
    ("model={models: {unet: {precision: float16}}}", "cannot train in float16"),
    ("probability={device: cuda}", "There is no GPU"),
    ("probability={small_images: refuse, window: 64}", "smaller than the window"),
]
"""What takes torch or the images to see: `check` alone refuses it, the workflow's jobs do."""
FILES = [
    ("a: 1\na: 2", "twice"),
    ("raw: {folds: 1, folds: 2}", "twice"),
    (LAUGHS, "aliases"),
    (f"raw: {DEEP}", "levels of nesting"),
    ("raw: &a {folds: *a}", "refers to itself"),
    ("raw: !!python/object:os.system {}", "python/object"),
    ("raw: !mine 3", "!mine"),
    ("- 1", "no keys"),
    ("", "no keys"),
    ("a: [", "no YAML"),
    (f"seed: {DIGITS}", "digits"),
    ("seed: 2024-01-01", "plain type"),
    ("\n".join(f"k{at}: 1" for at in range(10_000)), "more such problems"),
    (b"seed: \xff\xfe", "utf-8"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path)
    return tmp_path


def checked(capsys, *arguments):
    """What the command says where it refuses."""
    code = main(["check", "--configfile", "run.yaml", *arguments])
    said = capsys.readouterr().err
    assert code == 1, said
    return said.rstrip("\n")


def planned(*given, files=("run.yaml",)):
    """What the door of the workflow says: files as Snakemake merges them, and its own reading of ``--config``."""
    try:
        arguments = parse_config(list(given))
        own = functools.reduce(merge, [*map(load_yaml, map(Path, files)), arguments])
        manifest = PROJECT / "datasets_manifest.yaml"
        _, runs = plan_run(SHIPPED, with_command_line(own, given), shipped_manifest=manifest, files=files)
        for run in runs:
            refuse_models(run)
            images_of_run(run)
    except PipelineError as problem:
        return str(problem)
    return ""


def is_one_message(said, word):
    assert word in said, said
    assert "Traceback" not in said
    assert len(said) < 3000
    assert said.count("to do:") <= 5


@pytest.mark.parametrize(("given", "word"), VALUES, ids=[given[:50] for given, _ in VALUES])
def test_a_wrong_value_is_refused_alike_by_check_and_by_the_workflow(folder, capsys, given, word):
    said = checked(capsys, "--config", given)
    is_one_message(said, word)
    assert planned(given) == said


@pytest.mark.parametrize(("given", "word"), NETWORKS, ids=[given[:50] for given, _ in NETWORKS])
def test_what_only_a_job_would_refuse_is_refused_by_check(folder, capsys, monkeypatch, given, word):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    is_one_message(checked(capsys, "--config", given), word)
    assert planned(given) == ""


def test_a_gpu_that_is_not_here_is_said_where_jobs_run_elsewhere(folder, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    given = ["model={models: {unet: {device: cuda}}}", "probability={device: cuda}"]
    assert main(["check", "--configfile", "run.yaml", "--elsewhere", "--config", *given]) == 0
    text = capsys.readouterr().out
    assert text.count("jobs run elsewhere") == 2
    assert "There is no GPU" in text


def test_a_history_is_refused_where_its_program_is_not_installed(folder, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.runtime.tracking.find_spec", lambda _: None)
    is_one_message(said := checked(capsys, "--config", "model={mlflow: mlruns}"), "MLflow is not installed")
    assert planned("model={mlflow: mlruns}") == said


def test_a_check_of_packaged_encoders_imports_no_torch(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("pipeline.model.network", "pipeline.model.buildable"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert main(["check", "--configfile", "run.yaml"]) == 0
    with pytest.raises(ImportError):  # this one would need it
        main(["check", "--configfile", "run.yaml", "--config", NETWORKS[0][0]])


def test_weights_whose_card_names_another_encoder_are_refused_alike(folder, capsys, monkeypatch):
    (folder / "weights.pt").touch()
    card = SimpleNamespace(settings=SimpleNamespace(encoder="resnet34"))
    monkeypatch.setattr("pipeline.model.card.read_card", lambda _: card)
    given = "model={models: {unet: {encoder: resnet18, encoder_weights: weights.pt}}}"
    is_one_message(said := checked(capsys, "--config", given), "resnet34, by the card.json beside it")
    assert planned(given) == said


@pytest.mark.parametrize(("text", "word"), FILES, ids=range(len(FILES)))
@pytest.mark.parametrize("kind", ["configuration", "manifest"])
def test_a_wrong_file_is_refused_alike(folder, capsys, kind, text, word):
    (folder / "wrong.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    if kind == "manifest":
        is_one_message(said := checked(capsys, "--config", "manifest=wrong.yaml"), word)
        assert planned("manifest=wrong.yaml") == said
    else:
        is_one_message(said := checked(capsys, "--configfile", "run.yaml", "wrong.yaml"), word)
        assert planned(files=("run.yaml", "wrong.yaml")) == said


def test_a_folder_a_loop_of_links_and_a_pipe_are_no_files(folder, capsys):
    (folder / "round.yaml").symlink_to(folder / "round.yaml")
    os.mkfifo(folder / "pipe.yaml")
    for name, word in (("masks", "a folder"), ("round.yaml", "where"), ("pipe.yaml", "no regular file")):
        is_one_message(checked(capsys, "--config", f"manifest={name}"), word)
        assert planned(f"manifest={name}")


@pytest.mark.parametrize("name", ["mine.yaml", "facts/mine.yaml"])
def test_a_manifest_beside_its_configuration_is_said_with_the_line_to_write(tmp_path, monkeypatch, capsys, name):
    """Its name is relative to the working folder; following the advice, the call goes on."""
    study = tmp_path / "my study"
    (study / "facts").mkdir(parents=True)
    write_folder(study)
    (study / "mine.yaml").rename(study / name)
    (study / "run.yaml").write_text(yaml.safe_dump(RUN | {"manifest": name}))
    (tmp_path / "later.yaml").write_text("seed: 3")
    monkeypatch.chdir(tmp_path)
    files = ["my study/run.yaml", "later.yaml"]
    assert main(["check", "--configfile", *files]) == 1
    said = capsys.readouterr().err.rstrip("\n")
    is_one_message(said, "where:    my study/run.yaml: manifest")
    assert f"no {name} in the working folder, {tmp_path}" in said
    assert said == planned(files=files) == planned(files=[tmp_path / each for each in files])
    advice = said.rpartition("Write in my study/run.yaml: ")[2]
    (study / "run.yaml").write_text(yaml.safe_dump(RUN | yaml.safe_load(advice) | {"roots": {"mine": "my study"}}))
    assert main(["check", "--configfile", *files]) == 0


def test_a_manifest_of_the_command_line_is_said_to_be_one(folder, monkeypatch, capsys):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert main(["check", "--configfile", "../run.yaml", "--config", "manifest=here/mine.yaml"]) == 1
    said = capsys.readouterr().err
    assert "--config: manifest" in said
    assert said.endswith("Write: --config manifest=../mine.yaml\n")
    assert main(["check", "--configfile", "../run.yaml", "--config", "manifest=../mine.yaml"]) == 0


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("raw={folds: 5, splits_csv: null}", 5),
        ('raw={"folds": "5"}', 5),
        ("raw={folds: 5, validation_share: 0.25}", 5),
    ],
)
def test_numbers_truth_values_and_null_are_taken_for_what_they_are_by_both(folder, capsys, given, value):
    assert main(["check", "--configfile", "run.yaml", "--config", given, "report={images: 2}"]) == 0
    assert planned(given, "report={images: 2}") == ""
    assert with_command_line({}, [given])["raw"]["folds"] == value


@pytest.mark.parametrize(
    ("given", "place", "value"),
    [
        ("datasets=mine", ("datasets",), ["mine"]),
        ("probability={fusions: mean}", ("probability", "fusions"), ["mean"]),
        ("model={predict: unet}", ("model", "predict"), ["unet"]),
        ("overrides={mine: {probability: {splits: test}}}", ("overrides", "mine", "probability", "splits"), ["test"]),
        ("results=here", ("results",), "here"),
        ("roots={mine: .}", ("roots", "mine"), "."),
    ],
)
def test_a_single_text_stands_for_a_list_where_one_is_wanted_in_both(folder, capsys, given, place, value):
    assert main(["check", "--configfile", "run.yaml", "--config", given]) == 0, capsys.readouterr().err
    assert planned(given) == ""
    assert functools.reduce(lambda tree, key: tree[key], place, with_command_line({}, [given])) == value


def test_markup_in_a_title_is_text(folder, capsys):
    record = RECORD | {"title": "[/red] [bold]Mine[/bold] [link=x]\\"}
    (folder / "mine.yaml").write_text(yaml.safe_dump({"datasets": {"mine": record}}))
    assert main(["check", "--configfile", "run.yaml"]) == 0
    assert "[bold]Mine[/bold]" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("given", ["raw={folds: x}", "manifest=nowhere.yaml"])
def test_the_commands_themselves_say_the_same(folder, given):
    common = ["--configfile", "run.yaml", "--config", given]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}  # noqa: TID251
    options = {"cwd": folder, "env": env, "capture_output": True, "text": True, "check": False}
    check = subprocess.run([sys.executable, "-m", "pipeline.cli", "check", *common], **options)
    snakefile = ["-n", "-s", str(PROJECT / "Snakefile")]
    workflow = subprocess.run([sys.executable, "-m", "snakemake", *snakefile, *common], **options)
    assert (check.returncode, workflow.returncode) == (1, 1)
    said = workflow.stdout + workflow.stderr
    assert all(line.strip() in said for line in check.stderr.splitlines())
    assert "Traceback" not in check.stderr + said
