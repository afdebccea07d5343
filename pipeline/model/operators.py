"""How can torchvision be imported beside a torch that it was not built for? Two schemas are declared for it.

torchvision from the package index is built against CUDA. Beside a CPU build of torch its compiled operators cannot be
loaded, and its import stops where it describes the shape of one of them. timm, torchmetrics and with them
segmentation_models_pytorch and lightning import torchvision; none of its operators is ever called here.
"""

import importlib
import sys

import torch

__all__ = ["prepare_torchvision"]

SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
OPERATORS = ("nms", "qnms")

_declared: list[torch.library.Library] = []
"""Keeps the declaration alive: it ends with its object."""


def prepare_torchvision() -> None:
    """Make ``import torchvision`` work, or leave all as it is where it works already or is not installed."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _forget_half_imported()
        _declare()
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


def _declare() -> None:
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for operator in OPERATORS:
        library.define(operator + SCHEMA)  # type: ignore[no-untyped-call]
    _declared.append(library)
