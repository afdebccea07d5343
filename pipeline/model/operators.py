"""Import of torchvision beside a CPU build of torch, made possible by declaring two operators that it requires.

No torchvision operator is called, but timm, torchmetrics, lightning and segmentation_models_pytorch import it. The
package index has only a build against CUDA. Beside a CPU build of torch its compiled library is not loaded, and its
import, hence that of the four, fails with ``operator torchvision::nms does not exist``. The declaration replaces that
library, so neither torchvision from another index nor the CUDA build of torch is needed. Where torchvision can be
imported directly, nothing is declared.

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
"""Keeps the declaration alive, which lasts as long as its object."""


def prepare_torchvision() -> None:
    """Preparation of the import of torchvision; nothing changes where it works already or is not installed."""
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
