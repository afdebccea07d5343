"""Export of a trained model: input scaling, network and probabilities as one graph that loads without this package.

The input is values 0…255 of a normalised image, the output class probabilities. Batch, rows and columns are free; rows
and columns are multiples of a step that the network can halve five times. Where a format cannot express that, they are
those of a patch.
"""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from pipeline.config.manifest import Task
from pipeline.errors import ModelError
from pipeline.model.card import Card, read_card
from pipeline.model.ensemble import load_networks, members_of
from pipeline.model.network import CHANNELS, probabilities
from pipeline.model.refusals import DIVISOR
from pipeline.stores.documents import json_text, read_json
from pipeline.stores.flush import write_whole
from pipeline.stores.model_files import measures_file, thresholds_file

__all__ = [
    "INPUT",
    "OUTPUT",
    "TOLERANCE",
    "Exported",
    "check_probabilities",
    "facts_text",
    "graph_of",
    "of_one_size",
    "open_for_export",
    "pools_to_a_grid",
    "quiet",
    "write_torch",
]

INPUT, OUTPUT = "pixels", "probabilities"
"""Names of the tensors."""
TOLERANCE = 1e-4
"""Largest difference allowed between probabilities of an exported file and of the network."""
FACTS = "lesionmap.json"
"""Name of the facts inside a file of torch."""
LEFT_OUT = ("provenance", "files")
"""Parts of a card that describe how a file was made, not the model."""


class _Probabilities(nn.Module):
    """Network with the softmax or sigmoid of its task."""

    def __init__(self, network: nn.Module, *, task: Task) -> None:
        super().__init__()
        self.network, self.task = network, task

    def forward(self, pixels: Tensor) -> Tensor:
        """Probabilities ``(n, classes, h, w)`` float32 from float32 pixels ``(n, 3, h, w)``."""
        return probabilities(self.network(pixels), self.task)


@dataclass(frozen=True, slots=True, eq=False)
class Exported:
    """Model to export, with its facts."""

    name: str
    """Name of the folder."""
    network: nn.Module
    """Float32 pixels ``(n, 3, h, w)`` of 0…255 in, probabilities ``(n, classes, h, w)`` out."""
    card: Card
    """Card of the model, or of the first member of an ensemble; members agree in classes, task and normalisation."""
    step: int
    """Divisor of rows and columns."""
    facts: Mapping[str, Any]
    """Cards, figures, thresholds and warnings, as JSON values."""
    is_fixed: bool = False
    """Whether rows and columns are exactly one step, not any multiple of it."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in the order of the output; background is the remainder."""
        return self.card.codes

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings to read before trusting the model."""
        return tuple(self.facts["warnings"])

    def predict(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities of the network itself, in float32 on a CPU."""
        with torch.inference_mode():
            found: NDArray[np.float32] = self.network(torch.from_numpy(pixels)).numpy()
        return found


def open_for_export(folder: Path) -> Exported:
    """Model or ensemble of a folder ``model/{model}/`` with its facts.

    Raises
    ------
    ModelError
        Files are missing, changed or do not fit together.
    """
    cards = {each.name: read_card(each) for each in members_of(folder)}
    card = next(iter(cards.values()))
    network = load_networks(folder, device="cpu", codes=card.codes, channels=CHANNELS, task=card.task)
    step = DIVISOR * max(each.settings.downsample for each in cards.values())
    whole = _Probabilities(network, task=card.task).eval()
    return Exported(folder.resolve().name, whole, card, step, _facts(folder, cards, step=step))


def _facts(folder: Path, cards: Mapping[str, Card], *, step: int) -> dict[str, Any]:
    card = next(iter(cards.values()))
    measures = {fusion: read_json(path) for fusion, path in _by_fusion(folder, measures_file(folder, fusion="*"))}
    thresholds = {fusion: read_json(path) for fusion, path in _by_fusion(folder, thresholds_file(folder, fusion="*"))}
    said = [text for each in cards.values() for text in each.warnings]
    said += [text for each in measures.values() for text in each["warnings"]]
    return {
        "name": folder.resolve().name,
        "input": _input_words(f"multiples of {step}"),
        "output": f"{OUTPUT}: (n, {len(card.codes)}, h, w) float32 of 0…1, of `classes` in order, background left out",
        "classes": list(card.codes),
        "task": card.task,
        "patch": card.patch,
        "pixel_size_um": card.pixel_size_um,
        "normalisation": card.normalisation,
        "stain_target": card.stain_target,
        "warnings": list(dict.fromkeys(said)),
        "measures": {fusion: each["splits"] for fusion, each in measures.items()},
        "thresholds": {
            fusion: {code: found["threshold"] for code, found in each["classes"].items()}
            for fusion, each in thresholds.items()
        },
        "cards": {name: each.model_dump(mode="json", exclude=set(LEFT_OUT)) for name, each in cards.items()},
    }


def _input_words(sizes: str) -> str:
    said = f"{INPUT}: (n, {CHANNELS}, h, w) float32 of 0…255, RGB, normalised as `normalisation` says"
    return f"{said}; h and w are {sizes}"


def of_one_size(model: Exported) -> Exported:
    """Model for rows and columns of exactly its patch, for formats that cannot express its steps at every size."""
    side = model.card.patch
    words = _input_words(f"{side}, no other size, because the network pools to a fixed grid")
    return replace(model, step=side, is_fixed=True, facts={**model.facts, "input": words})


def pools_to_a_grid(network: nn.Module, *, side: int) -> bool:
    """Test for a network that pools its features to a fixed grid of several cells, as PSPNet and UPerNet do.

    It is run once on a patch of this side, because encoders may hold pools of their classifier that never run.
    """
    found: list[bool] = []
    pools = [each for each in network.modules() if isinstance(each, (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d))]
    hooks = [
        each.register_forward_hook(lambda pool, *_: found.append(pool.output_size not in (1, (1, 1)))) for each in pools
    ]
    try:
        if hooks:
            with torch.inference_mode():
                network(torch.zeros(1, CHANNELS, side, side))
    finally:
        for each in hooks:
            each.remove()
    return any(found)


def _by_fusion(folder: Path, pattern: Path) -> list[tuple[str, Path]]:
    return [(path.name.split(".")[1], path) for path in sorted(folder.glob(pattern.name))]


def facts_text(model: Exported) -> str:
    """JSON of the facts with its digest."""
    return json_text(model.facts)


@contextmanager
def quiet() -> Iterator[None]:
    """Context in which libraries do not warn about one another."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def graph_of(model: Exported) -> ExportedProgram:
    """Graph of torch.export with free batch, rows and columns unless fixed, without references to source files.

    Raises
    ------
    ModelError
        The steps of the network depend on its input in a way that a graph cannot express.
    """
    sizes: dict[int, Any] = {0: Dim("batch", min=1)}
    if not model.is_fixed:
        sizes |= {2: model.step * Dim("rows"), 3: model.step * Dim("columns")}
    height, width = (1, 1) if model.is_fixed else (2, 3)
    pixels = torch.zeros(2, CHANNELS, height * model.step, width * model.step)
    try:
        with quiet():
            graph = torch.export.export(model.network, (pixels,), dynamic_shapes=(sizes,), strict=False)
    except (RuntimeError, ValueError, torch._dynamo.exc.TorchDynamoException) as error:
        raise ModelError(
            "This network cannot be exported.",
            where=f"{model.card.settings.network} on {model.card.settings.encoder}",
            found=str(error).splitlines()[0],
            expected="a network that torch.export takes",
            remedy="Train another network or encoder, such as unet on tu-tf_efficientnet_lite0.",
        ) from error
    for node in graph.graph.nodes:  # They hold paths of this machine.
        node.meta.pop("stack_trace", None)
        node.meta.pop("nn_module_stack", None)
    return graph


def write_torch(model: Exported, output: Path, *, sample: NDArray[np.float32]) -> float:
    """File for ``torch.export.load(…).module()``, with the facts as its extra file ``lesionmap.json``.

    Returns
    -------
    float
        Largest difference of a probability of the sample ``(1, 3, h, w)`` from that of the network.

    Raises
    ------
    ModelError
        torch.export does not accept the network, or probabilities differ.
    """
    stream = BytesIO()
    with quiet():
        torch.export.save(graph_of(model), stream, extra_files={FACTS: facts_text(model)})
        loaded = torch.export.load(BytesIO(stream.getvalue())).module()
    with torch.inference_mode():
        found = loaded(torch.from_numpy(sample)).numpy()
    difference = check_probabilities(found, model.predict(sample), path=output)
    write_whole(output, [stream.getbuffer()])
    return difference


def check_probabilities(found: NDArray[np.float32], expected: NDArray[np.float32], *, path: Path) -> float:
    """Largest difference between the probabilities of an exported file and those of the network.

    Raises
    ------
    ModelError
        The difference exceeds the tolerance.
    """
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= TOLERANCE:
        raise ModelError(
            "The exported file gives other probabilities than the network.",
            where=path,
            found=f"a difference of {difference:.2g}",
            expected=f"at most {TOLERANCE:g}",
            remedy="Do not use the file. Try another format, or the versions of constraints.txt.",
        )
    return difference
