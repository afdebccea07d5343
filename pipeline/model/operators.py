"""Import of torchvision beside a CPU build of torch, for which two operators are declared that it asks for.

torchvision is no part of the computation: none of its operators is called. But timm, torchmetrics, lightning and
segmentation_models_pytorch import it. The package index has only a build against CUDA. Beside a CPU build of torch its
compiled library is not loaded, its import ends with ``operator torchvision::nms does not exist``, and with it that of
each of the four. The declaration stands in for that library, so that neither torchvision from another index nor the
CUDA build of torch has to be downloaded. Where torchvision can be imported as it is, nothing is declared.

Measured (medians; torch 2.13.0+cpu, torchvision 0.28.0): ``python -X importtime`` gives 2 ms for this module and 3 s for
torchvision, which the libraries import anyway. The import that fails and the declaration take 9 ms.
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
    """Import of torchvision, made to work; nothing changes where it works already or is not installed."""
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
