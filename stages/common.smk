"""What every stage asks: the merged configuration, the images, and what a job's result depends on.

All rules have exactly two parameters: ``config``, one plain dict with all that the result depends on, and ``code``, a
digest of the library modules that the rule's script function imports. So a changed value or a changed module reruns
what it touches, and a changed format, comment, colour or title does not.
"""

import functools
import os
import re

import pandas as pd
from snakemake.exceptions import WorkflowError

from pipeline.errors import PipelineError
from pipeline.model.held_out import held_out, measured_split
from pipeline.stores.provenance import code_digest, function_imports
from pipeline.raw.datasets.listing import list_images
from pipeline.config.run import plan_run
from pipeline.raw.datasets.pictures import pictures_in
from pipeline.runtime.job_memory import Picture, job_mb
from pipeline.words import WORDS

STAGES = Path(workflow.basedir) / "stages"
# The code digest does not see templates, so they are inputs of the pages.
TEMPLATES = sorted((Path(workflow.basedir) / "pipeline" / "report" / "page" / "templates").iterdir())

try:
    RUN, _runs = plan_run(config, shipped_manifest=Path(workflow.basedir) / "datasets_manifest.yaml")
    DATASETS = {each.entry: each for each in _runs}
    IMAGES = {
        each.entry: {entry.image_id: entry for entry in list_images(each.record, dataset=each.name, root=each.root)}
        for each in _runs
    }
except PipelineError as error:
    raise WorkflowError(str(error)) from None


wildcard_constraints:
    dataset="[^/]+",
    image="[^/]+",
    sampling="[^/]+",
    model="[^/]+",
    fusion="none|max|mean|gaussian",
    word="|".join(WORDS),


def dataset_of(wildcards):
    return DATASETS[wildcards.dataset]


def entry_of(wildcards):
    return IMAGES[wildcards.dataset][wildcards.image]


@functools.cache
def _images_table(path, changed_at):
    return pd.read_parquet(path, columns=["image_id", "split", "fold"]).astype({"image_id": str, "split": str})


def images_table(dataset):
    """Split and fold of each image: which are usable and where they belong is known once they were all read."""
    table = checkpoints.raw_images.get(dataset=dataset).output[0]
    return _images_table(table, os.stat(table).st_mtime_ns)


def images_of(dataset, *splits):
    """Image ids of some splits."""
    table = images_table(dataset)
    return sorted(table.loc[table["split"].isin(splits), "image_id"])


def usable(dataset):
    return images_of(dataset, "train", "validation", "test", "predict")


def annotated(dataset):
    return images_of(dataset, "train", "validation", "test")


def splits_of(dataset):
    return DATASETS[dataset].config.probability.splits


def evaluated(dataset):
    return images_of(dataset, *splits_of(dataset))


def held_out_maps(wildcards):
    """Maps of images that their model did not learn from: what thresholds are fitted on.

    With members of several folds no image is new to the ensemble, so each member speaks for the images that it did
    not see.
    """
    config = DATASETS[wildcards.dataset].config.model
    model, folds = wildcards.model, config.folds(wildcards.model)
    sources = zip(config.members(model), folds) if len(set(folds)) > 1 else [(model, folds[0])]
    table = images_table(wildcards.dataset)
    return [
        f"<results>/{wildcards.dataset}/probability/{source}/{wildcards.fusion}/{image}.zarr"
        for source, fold in sources
        for image in held_out(table, fold=fold)
    ]


def training(dataset):
    return images_of(dataset, "train")


def held_out_images(wildcards):
    """Normalised images of those maps."""
    images = sorted({Path(path).stem for path in held_out_maps(wildcards)})
    return [f"<results>/{wildcards.dataset}/normalized/{image}.zarr" for image in images]


def measured(dataset, model):
    """Images that a model's scores are measured on: of the splits that are predicted, those that it did not see."""
    table, folds = images_table(dataset), folds_of(dataset, model)
    chosen = measured_split(table, folds=folds).isin({"validation", "test"} & set(splits_of(dataset)))
    return sorted(table.loc[chosen, "image_id"])


def each_measured(pattern):
    """An input function: the pattern for each image that the model is measured on."""

    def paths(wildcards):
        return expand(pattern, image=measured(wildcards.dataset, wildcards.model), **dict(wildcards.items()))

    return paths


def each_measured_fusion(pattern):
    """An input function: the same for every fusion."""

    def paths(wildcards):
        dataset, model = wildcards.dataset, wildcards.model
        return expand(
            pattern,
            fusion=fusions_of(dataset),
            image=measured(dataset, model),
            **dict(wildcards.items()),
        )

    return paths


def each_image(pattern, choose):
    """An input function: the pattern for each image that ``choose`` gives, other wildcards as they are."""

    def paths(wildcards):
        return expand(
            pattern,
            image=choose(wildcards.dataset),
            allow_missing=False,
            **dict(wildcards.items()),
        )

    return paths


def each_result(pattern):
    """An input function: the pattern for each model and fusion of the data set."""

    def paths(wildcards):
        dataset = wildcards.dataset
        return expand(
            pattern,
            dataset=dataset,
            model=models_of(dataset),
            fusion=fusions_of(dataset),
        )

    return paths


def each_result_image(pattern):
    """An input function: the pattern for each model, fusion and predicted image of the data set."""

    def paths(wildcards):
        dataset = wildcards.dataset
        images = evaluated(dataset)
        return expand(
            pattern,
            dataset=dataset,
            model=models_of(dataset),
            fusion=fusions_of(dataset),
            image=images,
        )

    return paths


def raw_files(wildcards):
    entry = entry_of(wildcards)
    return {
        "image": [entry.image] if entry.image else [],
        "masks": [path for _, path in entry.masks],
        "label": [entry.label] if entry.label else [],
        "annotations": [entry.annotations] if entry.annotations else [],
    }


def raw_facts(wildcards, *names):
    entry = entry_of(wildcards)
    facts = {
        "image_id": entry.image_id,
        "annotated": entry.annotated,
        "number": entry.number,
    }
    facts["codes"] = [code for code, _ in entry.masks]
    return facts | {name: getattr(entry, name) for name in names}


@functools.cache
def bare_record(dataset):
    """The facts of a data set that a result can depend on: no title, colour, licence or folder."""
    cosmetic = {
        "title": "",
        "source": "",
        "licence": "",
        "root": None,
        "group": None,
        "centre": None,
    }
    facts = DATASETS[dataset].record.model_dump(mode="json") | cosmetic
    layouts = [facts[name] for name in ("folder", "slide") if facts[name]]
    # Polygons name their class; anywhere else a class is known by its code.
    named = any(layout["annotations"] for layout in layouts)
    facts["classes"] = [
        each | {"name": each["name"] if named else each["code"], "colour": "red"} for each in facts["classes"]
    ]
    for layout in layouts:
        layout |= {"test": None}
    return facts


@functools.cache
def full_record(dataset):
    return DATASETS[dataset].record.model_dump(mode="json") | {"root": None}


@functools.cache
def shown_record(dataset):
    """The facts of a data set that masks and outlines show: names and colours of classes, but no title or licence."""
    classes = full_record(dataset)["classes"]
    return bare_record(dataset) | {"classes": classes}


@functools.cache
def stage_config(dataset, stage):
    return getattr(DATASETS[dataset].config, stage).model_dump(mode="json")


ESTIMATE_ONLY = ("target", "outside", "most_gain", "concentrations")
"""Keys of the stain block that an estimate does not depend on."""
FUNDUS_ONLY = ("clahe", "gaussian", "difference", "outside")


def is_stained(dataset):
    config = DATASETS[dataset].config.normalized
    return config.chain == "histology" and config.stain.method != "none"


@functools.cache
def normalisation(dataset):
    """What a normalised image depends on: the keys of its own chain, without the number of workers."""
    found = stage_config(dataset, "normalized")
    other = FUNDUS_ONLY if found["chain"] == "histology" else ("stain",)
    return {key: value for key, value in found.items() if key not in ("workers", *other)}


@functools.cache
def estimation(dataset):
    """What the stains of an image are estimated with."""
    found = stage_config(dataset, "normalized")
    stain = {key: value for key, value in found["stain"].items() if key not in ESTIMATE_ONLY}
    return {"chain": "histology", "rescale": found["rescale"], "stain": stain}


def stain_file(dataset, image):
    return f"<results>/{dataset}/normalized/{image}.stain.json"


def stains_of(dataset):
    """The estimate of every usable image, where stains are normalised."""
    return [stain_file(dataset, image) for image in usable(dataset)] if is_stained(dataset) else []


def target_of(dataset):
    return [f"<results>/{dataset}/normalized/target.json"] if is_stained(dataset) else []


def target_file(dataset):
    """The file that the target names, an input, so that a changed file normalises again."""
    target = DATASETS[dataset].config.normalized.stain.target
    return [] if target in ("reference", "median") else [target]


def target_settings(dataset):
    """What a target depends on: only one that is an image is estimated with the settings of this data set."""
    target = Path(DATASETS[dataset].config.normalized.stain.target)
    if target_file(dataset) and target.suffix.lower() != ".json":
        settings = estimation(dataset)
    else:
        settings = {"stain": {"method": estimation(dataset)["stain"]["method"]}}
    return {"target": target.name, "normalized": settings}


def median_of(dataset):
    """The estimates that a median target is made of: those of training images only."""
    median = DATASETS[dataset].config.normalized.stain.target == "median"
    return [stain_file(dataset, image) for image in images_of(dataset, "train")] if median else []


def model_settings(wildcards):
    return DATASETS[wildcards.dataset].config.model.models[wildcards.model]


def encoder_file(wildcards):
    """The file of pretrained weights, where the model names one: an input, so that a changed file retrains."""
    weights = model_settings(wildcards).encoder_weights
    return [] if weights in ("none", "imagenet") else weights


def portable_settings(wildcards):
    """A model's settings without the folder of a weights file, which would tell of one machine only, and without who reads."""
    settings = model_settings(wildcards).model_dump(mode="json", exclude={"readers"})
    return settings | {"encoder_weights": Path(settings["encoder_weights"]).name}


def sampling_of(wildcards):
    config = DATASETS[wildcards.dataset].config
    return config.index.samplings[model_settings(wildcards).sampling]


@functools.cache
def cleaning(dataset):
    """What masks are made with: the block without what the list of hard negatives alone depends on."""
    found = stage_config(dataset, "segmentation")
    return {key: value for key, value in found.items() if key != "hard_negative_margin"}


def hard_negatives_of(wildcards):
    """The list of hard negatives that a sampling names: an input, so that a changed file draws again."""
    sampling = DATASETS[wildcards.dataset].config.index.samplings[wildcards.sampling]
    table = sampling.hard_negatives.table if sampling.strategy != "grid" else None
    return [table] if table else []


def portable_sampling(wildcards):
    """A sampling without the folder of its list of hard negatives, which would tell of one machine only."""
    sampling = stage_config(wildcards.dataset, "index")["samplings"][wildcards.sampling]
    hard = sampling.get("hard_negatives")
    return (
        sampling | {"hard_negatives": hard | {"table": Path(hard["table"]).name}}
        if hard and hard["table"]
        else sampling
    )


def models_of(dataset):
    """Names of all that predicts: models and ensembles."""
    return list(DATASETS[dataset].config.model.predictors)


def members_of(wildcards):
    """Folders of the members of an ensemble."""
    members = DATASETS[wildcards.dataset].config.model.members(wildcards.model)
    return expand("<results>/{dataset}/model/{member}", dataset=wildcards.dataset, member=members)


def folds_of(dataset, model):
    return list(DATASETS[dataset].config.model.folds(model))


def any_of(names):
    """A pattern of these names; of nothing where there are none."""
    return "|".join(map(re.escape, sorted(names))) or "(?!)"


TRAINED = {name for each in DATASETS.values() for name in each.config.model.models}
ENSEMBLES = {name for each in DATASETS.values() for name in each.config.model.ensembles}
if TRAINED & ENSEMBLES:
    raise WorkflowError(
        f"model.ensembles: {', '.join(sorted(TRAINED & ENSEMBLES))} is a model of another data set; choose another name"
    )


@functools.cache
def inference(dataset):
    """What the maps of an image depend on: not which other images get maps."""
    return DATASETS[dataset].config.probability.of_the_values() | {"fusions": sorted(fusions_of(dataset))}


def fusions_of(dataset):
    return list(DATASETS[dataset].config.probability.fusions)


@functools.cache
def _pictures(path, changed_at, classes):
    columns = ["image_id", "file", "height", "width", "annotated", "rejected"]
    return pictures_in(pd.read_parquet(path, columns=columns), classes=classes)


@functools.cache
def _header(dataset, image):
    # Decoders take long to import: only jobs before the table of images come here.
    from pipeline.raw.datasets.headers import picture_of

    return picture_of(IMAGES[dataset][image], record=DATASETS[dataset].record) or Picture(1, 1)


def picture_of_job(dataset, image):
    """Size of a job's image, or of the largest of its data set: from the table of images, before it from headers."""
    table = Path(RUN.results) / dataset / "raw" / "images.parquet"
    classes = len(DATASETS[dataset].record.codes)
    known = _pictures(str(table), table.stat().st_mtime_ns, classes) if table.is_file() else {}
    if image is not None:
        return known.get(image) or _header(dataset, image)
    return max(known.values() or (_header(dataset, each) for each in IMAGES[dataset]), key=lambda each: each.pixels)


def memory_of(job):
    """A resource function: MiB of a job of this rule, a multiple where it is tried again. No parameter: it changes no value."""

    def mem_mb(wildcards, attempt):
        dataset = wildcards.dataset
        return attempt * job_mb(
            job,
            config=DATASETS[dataset].config,
            picture=picture_of_job(dataset, wildcards.get("image")),
            classes=len(DATASETS[dataset].record.codes),
            images=len(IMAGES[dataset]),
            model=wildcards.get("model", ""),
        )

    return mem_mb


def seed_of(dataset):
    return DATASETS[dataset].config.seed


@functools.cache
def code_of(script, rule):
    """Digest of the library modules behind one rule: those that its function in the stage script imports."""
    return code_digest(*function_imports(STAGES / script)[rule])


STAGE_RESULTS = {}


def targets(word):
    """The results of a stage for every data set, and the word on whether any image had to be left out."""
    return expand("<results>/.complete/{dataset}/{word}", dataset=DATASETS, word=word)
