"""Export as a model of bioimage.io: ``rdf.yaml`` with ONNX weights, sample tensors and a README, checked offline.

The description follows format 0.5 of https://bioimage.io/spec. The user must add licence, authors and citation: without
them the validator warns but accepts the folder.
"""

import gc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.errors import ModelError
from pipeline.model.export import INPUT, OUTPUT, Exported, facts_text, quiet
from pipeline.model.export_onnx import OPSET, write_onnx
from pipeline.stores.provenance import file_digest

__all__ = ["check_description", "write_bioimageio"]

WEIGHTS, DESCRIPTION, README, FACTS = "weights.onnx", "rdf.yaml", "README.md", "lesionmap.json"
FORMAT = "0.5.4"
TAGS = ("2d", "rgb", "semantic-segmentation", "onnx", "lesionmap")
SHOWN = ("dice_pooled", "dice_everywhere_pooled", "iou_pooled", "ap_pooled")


def write_bioimageio(
    model: Exported, output: Path, *, sample: NDArray[np.float32], origin: str, licence: str | None = None
) -> float:
    """Folder that bioimage.io and its programs read; returns the largest difference of a probability on the sample.

    Parameters
    ----------
    model
        The model to export.
    output
        A folder that does not exist yet.
    sample
        Window ``(1, 3, h, w)`` of 0…255 that is stored with the model, unencrypted.
    origin
        Origin of the sample, in words.
    licence
        Identifier of SPDX, such as ``CC-BY-4.0``; left out where None is given.

    Raises
    ------
    ModelError
        The probabilities differ from the network's, or the validator refuses the description.
    """
    with TemporaryDirectory(dir=output.parent, prefix=".export") as place:
        folder = Path(place) / output.name
        folder.mkdir()
        difference = write_onnx(model, folder / WEIGHTS, sample=sample)
        np.save(folder / f"{INPUT}.npy", sample)
        np.save(folder / f"{OUTPUT}.npy", model.predict(sample))
        (folder / FACTS).write_text(facts_text(model), encoding="utf-8")
        (folder / README).write_text(_readme(model, origin=origin), encoding="utf-8")
        content = _description(model, folder, licence=licence)
        (folder / DESCRIPTION).write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
        check_description(folder / DESCRIPTION)
        os.replace(folder, output)
    return difference


def check_description(path: Path) -> None:
    """Check of ``rdf.yaml`` and the files that it names by the validator of bioimage.io, without a network.

    Raises
    ------
    ModelError
        The validator refuses; the text holds its findings.
    """
    with quiet():
        problems = _problems(path)
        gc.collect()  # The validator leaves files open.
    if problems:
        raise ModelError(
            "The validator of bioimage.io refuses the description.",
            where=path.name,
            found="; ".join(problems[:3]),
            expected=f"a model of format {FORMAT}",
            remedy="Export it as onnx, or with the version of bioimageio.spec that constraints.txt names.",
        )


def _problems(path: Path) -> list[str]:
    from bioimageio.spec import InvalidDescr, load_description

    found = load_description(path, perform_io_checks=True)
    errors = found.validation_summary.errors if isinstance(found, InvalidDescr) else []
    return [f"{each.loc}: {each.msg}" for each in errors]


def _description(model: Exported, folder: Path, *, licence: str | None) -> dict[str, Any]:
    sides = model.step if model.is_fixed else {"min": model.step, "step": model.step}
    size = dict.fromkeys("yx", sides)
    same = {axis: {"tensor_id": INPUT, "axis_id": axis} for axis in "yx"}
    title = re.sub(r"[^A-Za-z0-9_+\- ()]", "-", f"lesionmap {model.card.dataset} {model.name}")
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": title[:128],
        "description": f"Probabilities of {', '.join(model.codes)} in image patches of {model.card.dataset}",
        **({"license": licence} if licence else {}),
        "documentation": _file(folder / README),
        "attachments": [_file(folder / FACTS)],
        "tags": list(TAGS),
        "inputs": [
            {
                "id": INPUT,
                "description": "RGB, 0 to 255, normalised as README.md says",
                "axes": _axes(("r", "g", "b"), size),
                "test_tensor": _file(folder / f"{INPUT}.npy"),
                "data": {"type": "float32", "range": [0.0, 255.0]},
            }
        ],
        "outputs": [
            {
                "id": OUTPUT,
                "description": "Probability of each class; background is left out",
                "axes": _axes(model.codes, same),
                "test_tensor": _file(folder / f"{OUTPUT}.npy"),
                "data": {"type": "float32", "range": [0.0, 1.0]},
            }
        ],
        "weights": {"onnx": {**_file(folder / WEIGHTS), "opset_version": OPSET}},
    }


def _axes(channels: tuple[str, ...], sizes: Mapping[str, Any]) -> list[dict[str, Any]]:
    space = [{"type": "space", "id": axis, "size": size} for axis, size in sizes.items()]
    return [{"type": "batch"}, {"type": "channel", "channel_names": list(channels)}, *space]


def _file(path: Path) -> dict[str, str]:
    return {"source": path.name, "sha256": file_digest(path)}


def _readme(model: Exported, *, origin: str) -> str:
    card, facts = model.card, model.facts
    lines = [f"# {model.name}: probabilities of {', '.join(model.codes)}", ""]
    lines += [f"Input {facts['input']}.", "", f"Output {facts['output']}.", ""]
    lines += [f"Trained on patches of {card.patch} x {card.patch} pixels of data set {card.dataset}."]
    lines += [f"Sample tensors: {origin}.", "", "## Warnings", ""]
    lines += [f"- {text}" for text in model.warnings] or ["None were recorded."]
    lines += ["", "## Validation", "", *_figures(model), ""]
    lines += [f"Normalisation of the input and more facts: `{FACTS}`. Research software, no medical device.", ""]
    return "\n".join(lines)


def _figures(model: Exported) -> list[str]:
    """Table of the measures of a run; training scores for a model that was not measured."""
    measures = model.facts["measures"]
    if not measures:
        found = [f"- {name}: {value}" for name, value in sorted(model.card.metrics.items()) if value is not None]
        return ["Scores of the chosen epoch, on the patches that chose it:", "", *found]
    lines = [
        f"Pooled over the pixels of a split, beside the Dice of marking everything ({SHOWN[1]}).",
        "Validation images chose epoch and thresholds; test images chose nothing.",
        "",
        "| fusion | split | class | " + " | ".join(SHOWN) + " |",
        "|" + "---|" * (3 + len(SHOWN)),
    ]
    for fusion, splits in measures.items():
        for split, classes in splits.items():
            for code, found in classes.items():
                values = [found.get(each) for each in SHOWN]
                cells = [fusion, split, code, *("" if each is None else f"{each:.3f}" for each in values)]
                lines.append(f"| {' | '.join(cells)} |")
    return lines
