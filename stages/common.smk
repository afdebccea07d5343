"""What every stage asks: the plan of the run, the images, and the parameters of a rule.

What a result depends on is said in ``pipeline/config/depends.py``, by a function for each rule; here only files are
read. Parameters are ``**recorded(…)`` of it: a line of text for each value, and a digest of the library modules that the
function in the stage script imports. A changed value or module reruns what it touches; a format, comment or title does not.
"""

import functools
import os
import re

from snakemake.exceptions import WorkflowError

from pipeline.config import depends
from pipeline.config.command_line import with_command_line
from pipeline.config.recorded import parameters
from pipeline.config.run import plan_run
from pipeline.config.yaml_file import check_yaml_files, load_yaml
from pipeline.errors import PipelineError
from pipeline.model.held_out import (
    false_positive_sources,
    learned_images,
    measured_images,
    measured_sources,
    threshold_sources,
)
from pipeline.model.refusals import refuse_models
from pipeline.raw.datasets.listing import images_of_run
from pipeline.raw.datasets.pictures import picture_of_job
from pipeline.runtime.job_memory import job_mb
from pipeline.stores.provenance import PACKAGE, function_digest
from pipeline.stores.tables import read_table
from pipeline.words import WORDS

STAGES = Path(workflow.basedir) / "stages"
# The code digest does not see templates, so they are inputs of the pages; relative, so that the project can be moved.
TEMPLATES = sorted(map(os.path.relpath, (PACKAGE / "report" / "page" / "templates").iterdir()))
# The script of charts, copied once beside each page that has any.
CHARTS = sorted(map(os.path.relpath, (PACKAGE / "report" / "page" / "charts").iterdir()))
STAGE_RESULTS = {}

try:
    check_yaml_files(workflow.configfiles)  # Snakemake reads them by itself, and keeps the last of two equal keys
    _own = with_command_line(workflow.config_settings.overwrite_config, workflow.config_settings.config_args or [])
    LAYERS = [("stages/config.yaml", load_yaml(STAGES / "config.yaml")), ("your configuration", _own)]
    _manifest, _files = STAGES.parent / "datasets_manifest.yaml", workflow.configfiles
    RUN, _runs = plan_run(*dict(LAYERS).values(), shipped_manifest=_manifest, files=_files)
    for run in _runs:
        refuse_models(run)
    DATASETS = {run.entry: run for run in _runs}
    IMAGES = {run.entry: {entry.image_id: entry for entry in images_of_run(run)} for run in _runs}
except PipelineError as error:
    raise WorkflowError(str(error)) from None

TRAINED = {name for run in DATASETS.values() for name in run.config.model.models}
ENSEMBLES = {name for run in DATASETS.values() for name in run.config.model.ensembles}


wildcard_constraints:
    dataset="[^/]+",
    image="[^/]+",
    sampling="[^/]+",
    model="[^/]+",
    fusion="none|max|mean|gaussian",
    word="|".join(WORDS),


run_of = lambda w: DATASETS[w.dataset]
entry_of = lambda w: IMAGES[w.dataset][w.image]
any_of = lambda names: "|".join(map(re.escape, sorted(names))) or "(?!)"  # nothing where there are none


@functools.cache
def _images_table(path, changed_at):
    try:
        return read_table(Path(path))[["image_id", "split", "fold"]].astype({"image_id": str, "split": str})
    except PipelineError as error:
        raise WorkflowError(str(error)) from None


def images_table(wildcards):
    """Split and fold of each image: which are usable and where they belong is known once they were all read."""
    table = checkpoints.raw_images.get(dataset=wildcards.dataset).output[0]
    return _images_table(table, os.stat(table).st_mtime_ns)


def images_of(*splits):
    """An input function: ids of the images of some splits."""
    return lambda w: sorted(images_table(w).loc[lambda table: table["split"].isin(splits), "image_id"])


usable = images_of("train", "validation", "test", "predict")
annotated = images_of("train", "validation", "test")
# No file, but images were read before, and if some are read again the job must be re-examined: with only an ancient
# sheet Snakemake would skip it, whatever else changed.
all_were_read = lambda w: usable(w)[:0]
learned = images_of("train", "validation")
training = images_of("train")
usable_entries = lambda w: {image: IMAGES[w.dataset][image] for image in usable(w)}
# Images with maps, and those whose stains give a median target.
evaluated = lambda w: images_of(*run_of(w).config.probability.splits)(w)
median_images = lambda w: training(w) if run_of(w).config.normalized.stain.target == "median" else []
stained = lambda w, names: names if depends.is_stained(run_of(w)) else []
models = lambda w: run_of(w).config.model.predictors
fusions = lambda w: run_of(w).config.probability.fusions
samplings = lambda w: sorted(run_of(w).config.index.samplings)
drawn_samplings = lambda w: run_of(w).config.samplings_when_done(w.word)
model_settings = lambda w: run_of(w).config.model.models[w.model]


def held_out(wildcards):
    """Models and images that they did not learn from: what thresholds are chosen on."""
    members = run_of(wildcards).config.model.held_out_by(wildcards.model)
    return threshold_sources(images_table(wildcards), name=wildcards.model, members=members)


def each(pattern, **choices):
    """An input function: the pattern with all that the choices give for the wildcards of the job."""

    def paths(wildcards):
        chosen = {name: choose(wildcards) for name, choose in choices.items()}
        return expand(pattern, **{**dict(wildcards.items()), **chosen})

    return paths


def recorded(values, *, script, function, slots=56):
    """The parameters of a rule; the function of the script is a name, or a function of the wildcards that gives it."""
    name = function if callable(function) else lambda w: function
    return parameters(values, code=lambda w: function_digest(STAGES / script, name(w)), slots=slots)


def memory_of(job):
    """A resource function: MiB of a job of this rule, a multiple where it is tried again. No parameter: it changes no value."""

    def mem_mb(wildcards, attempt):
        run, entries = run_of(wildcards), IMAGES[wildcards.dataset]
        table = Path(RUN.results) / wildcards.dataset / "raw" / "images.parquet"
        picture = picture_of_job(wildcards.get("image"), table=table, entries=entries, record=run.record)
        counts = {"classes": len(run.record.codes), "images": len(entries)}
        return attempt * job_mb(job, config=run.config, picture=picture, model=wildcards.get("model", ""), **counts)

    return mem_mb


def targets(word):
    """The results of a stage for every data set, and the word on whether any image had to be left out."""
    return expand("<results>/.complete/{dataset}/{word}", dataset=DATASETS, word=word)
