"""Configuration: one strict, frozen model per stage, the manifest, and the plan of a run.

An unknown key, a wrong type or an impossible combination is a ``ConfigurationError``. A model holds only values: it is
dumped to a plain dict for provenance and validated again inside a job. The schema takes its texts from the fields.

arms           arms of experiments, expanded into models, fusions and variants of a data set
augmentation   random changes for stage model: a study's set, or a list
colours        names and bytes of colours
command_line   KEY=VALUE arguments
depends        values that each rule's results depend on
depends_experiments   values that the page of experiments depends on
experiments    named comparisons of arms
index          strategies, patches, quotas of stage index
layers         precedence of shipped values, user values, recipes and overrides
layouts        patterns of files, tables of facts and phantoms in the manifest
loss_term      one term of a loss
manifest       facts of the data sets
manifest_file  manifest file of a run: where it lies, and who named it
model          networks, losses, training of stage model
normalized     chains and sizes of stage normalized
probability    windows, fusions, batches of stage probability
raw            splits and folds of stage raw
recorded       lines of text for these values, which Snakemake compares
records        facts of a data set that results depend on
reference      page of every key, from the schemas
report         pictures and bootstrap of stage report
run            plan of a run: merged parameters of each data set
segmentation   thresholds and regions of stage segmentation
shown          model and fusion that are shown first
single_texts   single texts of a command line, for lists of texts
sources        sources of each parameter of a data set
stages         parameters of one data set for all stages
validation     validation of plain values, and messages about them
yaml_file      strict reading of YAML files and command-line values
values         kinds of numbers and names, storage of arrays
"""

from pipeline.config.augmentation import AnyAugmentation, Augmentation, Change
from pipeline.config.index import (
    BalancedSampling,
    DrawnSampling,
    GridSampling,
    GuidedSampling,
    HardNegatives,
    IndexConfig,
    Sampling,
)
from pipeline.config.loss_term import LossTerm
from pipeline.config.model import BUILT_IN_WEIGHTS, ModelConfig, ModelSettings
from pipeline.config.normalized import Clahe, Difference, Gaussian, NormalizedConfig, Rescale, Stain
from pipeline.config.probability import DaskConfig, ProbabilityConfig
from pipeline.config.raw import RawConfig
from pipeline.config.report import ReportConfig
from pipeline.config.segmentation import SegmentationConfig, Smoothing
from pipeline.config.stages import StageConfig
from pipeline.config.values import Count, Fusion, SafeName, Share, Split, Storage, Strict

__all__ = [
    "BUILT_IN_WEIGHTS",
    "AnyAugmentation",
    "Augmentation",
    "BalancedSampling",
    "Change",
    "Clahe",
    "Count",
    "DaskConfig",
    "Difference",
    "DrawnSampling",
    "Fusion",
    "Gaussian",
    "GridSampling",
    "GuidedSampling",
    "HardNegatives",
    "IndexConfig",
    "LossTerm",
    "ModelConfig",
    "ModelSettings",
    "NormalizedConfig",
    "ProbabilityConfig",
    "RawConfig",
    "ReportConfig",
    "Rescale",
    "SafeName",
    "Sampling",
    "SegmentationConfig",
    "Share",
    "Smoothing",
    "Split",
    "StageConfig",
    "Stain",
    "Storage",
    "Strict",
]
