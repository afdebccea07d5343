"""Export to ONNX: one file of graph and weights, compared with the network by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.model.export import (
    INPUT,
    OUTPUT,
    Exported,
    check_probabilities,
    facts_text,
    graph_of,
    of_one_size,
    pools_to_a_grid,
    quiet,
)
from pipeline.stores.flush import write_whole

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["OPSET", "for_onnx", "run_onnx", "write_onnx"]

OPSET = 18
"""Version of the operator set, supported by ONNX Runtime since 1.14."""
FACTS = "lesionmap"
"""Key of the facts in the metadata of the file."""


def for_onnx(model: Exported) -> Exported:
    """Model as ONNX can hold it: of one size where it pools to a grid, for the exporter writes the cells as constants."""
    return of_one_size(model) if pools_to_a_grid(model.network, side=model.card.patch) else model


def write_onnx(model: Exported, output: Path, *, sample: NDArray[np.float32]) -> float:
    """ONNX file with the facts in its metadata under ``lesionmap``, and classes and warnings in plain words.

    Returns
    -------
    float
        Largest difference of a probability of the sample ``(1, 3, h, w)``, by ONNX Runtime, from that of the network.

    Raises
    ------
    ModelError
        torch.export does not accept the network, or probabilities differ.
    """
    import onnx

    content = _converted(model)
    _forget_places(content)
    _name_sizes(content, free=("batch",) if model.is_fixed else ("batch", "rows", "columns"))
    notes = {FACTS: facts_text(model), "classes": ",".join(model.codes), "warnings": "\n".join(model.warnings)}
    onnx.helper.set_model_props(content, notes)
    onnx.checker.check_model(content)
    found = content.SerializeToString(deterministic=True)
    difference = check_probabilities(run_onnx(found, sample), model.predict(sample), path=output)
    write_whole(output, [found])
    return difference


def _converted(model: Exported) -> "ModelProto":
    graph = graph_of(model)
    try:
        with quiet():
            made = torch.onnx.export(
                graph, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, opset_version=OPSET, verbose=False
            )
    except (torch.onnx.OnnxExporterError, RuntimeError) as error:
        raise ModelError(
            "This network cannot be written as ONNX.",
            where=f"{model.card.settings.network} on {model.card.settings.encoder}",
            found=str(error.__cause__ or error).strip().splitlines()[0],
            expected="a network whose operators ONNX has",
            remedy="Export it as torch, or train another network, such as unet.",
        ) from error
    assert made is not None
    return made.model_proto


def _forget_places(content: "ModelProto") -> None:
    """Removal of the exporter's notes, which hold lines of source files with paths of this machine."""
    graph = content.graph
    parts: list[Any] = [content, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]
    for each in parts:
        del each.metadata_props[:]
    del graph.value_info[:]


def _name_sizes(content: "ModelProto", *, free: Sequence[str]) -> None:
    """Readable names for the free axes; the facts state the multiple."""
    for tensor in (*content.graph.input, *content.graph.output):
        for axis, name in zip((0, 2, 3), free, strict=False):
            tensor.type.tensor_type.shape.dim[axis].dim_param = name


def run_onnx(content: bytes, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities ``(n, classes, h, w)`` computed by ONNX Runtime on a CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run([OUTPUT], {INPUT: pixels})[0]
    return found
