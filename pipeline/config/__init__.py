"""What may a run be told? One strict, frozen model per stage; the texts of the fields are the texts of the schema.

An unknown key, a wrong type or an impossible combination is a ``ConfigurationError`` (see ``resolve.py``). A model
holds values only: it is dumped to a plain dict for provenance and validated again inside a job.
"""

from pipeline.config.index import (
    BalancedSampling,
    DrawnSampling,
    GridSampling,
    GuidedSampling,
    HardNegatives,
    IndexConfig,
    Sampling,
)
from pipeline.config.model import Augmentation, LossTerm, ModelConfig, ModelSettings
from pipeline.config.normalized import Clahe, Difference, Gaussian, NormalizedConfig, Rescale, Stain
from pipeline.config.probability import DaskConfig, ProbabilityConfig
from pipeline.config.raw import RawConfig
from pipeline.config.report import ReportConfig
from pipeline.config.segmentation import SegmentationConfig
from pipeline.config.stages import StageConfig
from pipeline.config.values import Count, Fusion, Positive, SafeName, Share, Split, Storage, Strict

__all__ = [
    "Augmentation",
    "BalancedSampling",
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
    "Positive",
    "ProbabilityConfig",
    "RawConfig",
    "ReportConfig",
    "Rescale",
    "SafeName",
    "Sampling",
    "SegmentationConfig",
    "Share",
    "Split",
    "StageConfig",
    "Stain",
    "Storage",
    "Strict",
]
