"""lesionmap: folders of large medical images -> patch datasets, models, lesion maps, a report.
    snakemake -j8 all              everything, on the built-in samples
    snakemake -j8 normalized       up to a stage: raw normalized index model probability segmentation report
Parameters: stages/config.yaml. Facts about data sets: datasets_manifest.yaml."""

from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


configfile: str(Path(workflow.basedir) / "stages" / "config.yaml")


pathvars:
    results=str(config["results"]).rstrip("/"),
    logs=str(Path(str(config["results"])) / ".logs"),
    benchmarks=str(Path(str(config["results"])) / ".benchmarks"),


include: "stages/common.smk"
include: "stages/input_files.smk"
include: "stages/0_raw.smk"
include: "stages/1_normalized.smk"
include: "stages/2_index.smk"
include: "stages/3_model.smk"
include: "stages/4_probability.smk"
include: "stages/5_segmentation.smk"
include: "stages/6_report.smk"
include: "stages/experiments.smk"
include: "stages/run_lock.smk"


rule all:
    default_target: True
    input:
        targets("report"),
        "<results>/index.html",
    localrule: True
