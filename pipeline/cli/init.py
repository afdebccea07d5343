"""Command ``init``: manifest and configuration for a folder of images, with reasons, and open lines for the user's facts."""

import argparse
import re
import shlex
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipeline.config.manifest import load_manifest
from pipeline.config.validation import OPEN
from pipeline.counts import number_of
from pipeline.errors import ConfigurationError, PipelineError
from pipeline.project import PROJECT, document
from pipeline.raw.datasets.files import visible_files
from pipeline.raw.datasets.listing import found_images
from pipeline.raw.inspection.classes import Described, described
from pipeline.raw.inspection.fingerprint import Fingerprint, Lesions, fingerprint, lesions_of
from pipeline.raw.inspection.layout import Layout, inspected_layout, patient_pattern
from pipeline.raw.inspection.manifest import manifest_text, unused_notes
from pipeline.raw.inspection.settings import settings_text, this_machine
from pipeline.raw.inspection.truth_notes import stray_note, truth_notes

__all__ = ["add_init"]

EXAMPLES = """examples:
  lesionmap init /data/my_eyes                    writes my_eyes.manifest.yaml and my_eyes.yaml here
  lesionmap init slides --name liver --to study   another name, another folder"""
MARKS = {
    "idrid": r"original images/",
    "digestpath2019": r"tissue-train[^/]*/",
    "ddr": r"(^|/)train/label/(ex|he|ma|se)/",
    "e_ophtha_ma": r"^annotation_ma/",
    "e_ophtha_ex": r"^annotation_ex/",
    "fgadr": r"(^|/)hemohedge_masks/",
    "glas": r"^(train|test[ab])_\d+_anno\.bmp$",
    "camelyon16": r"^annotations/(tumor|test)_\d+\.xml$",
    "camelyon16_masks": r"^masks/tumor_\d+_mask\.tif$",
    "camelyon17": r"^annotations/patient_\d+_node_\d+\.xml$",
}
"""Shipped data set → regular expression that matches some path of its release, in lower case."""
EXAMPLES_OF = {
    "idrid": f"{document('examples/idrid_quick.yaml')} on two CPU cores, {document('examples/idrid.yaml')} on a GPU",
    "digestpath2019": document("examples/digestpath.yaml"),
}


def _init(arguments: argparse.Namespace) -> int:
    root, console = Path(arguments.folder), Console(soft_wrap=True, highlight=False)
    if not root.is_dir():
        raise ConfigurationError(
            "There is no such folder.",
            where=root,
            found="a file" if root.exists() else "nothing",
            expected="a folder of images",
            remedy="Give the folder that holds the images and, if there is any, their truth.",
        )
    if (released := _released(root)) is not None:
        _say_released(console, released, root=root)
        return 0
    name = _name(arguments.name or root.resolve().name)
    manifest, settings = arguments.to / f"{name}.manifest.yaml", arguments.to / f"{name}.yaml"
    _check_new(manifest, settings, force=arguments.force)
    layout = inspected_layout(root)
    classes, found = described(layout), fingerprint(root, layout.files, slides=layout.kind == "slide")
    lesions = _lesions(root, classes)
    text = manifest_text(name, layout, found, root=root.resolve(), classes=classes)
    parameters = settings_text(
        name, found, lesions, manifest=str(manifest), machine=this_machine(), several=len(classes.classes) > 1
    )
    arguments.to.mkdir(parents=True, exist_ok=True)
    manifest.write_text(text, encoding="utf-8")
    settings.write_text(parameters, encoding="utf-8")
    _say(console, layout, classes, found, manifest=manifest, settings=settings, questions=_open(text))
    return 0


def _open(text: str) -> int:
    return sum(OPEN in line.partition(" # ")[0] for line in text.splitlines() if not line.startswith("#"))


def _name(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z_.-]+", "_", text).strip("_.-") or "my_data"


def _check_new(*paths: Path, force: bool) -> None:
    for path in paths:
        if path.exists() and not force:
            raise ConfigurationError(
                "The file exists.",
                where=path,
                found="a file that may hold your own changes",
                expected="a new file",
                remedy="Give another --name or --to, or --force to write it again.",
            )


def _released(root: Path) -> str | None:
    """Name of the shipped data set whose release a folder holds."""
    records, paths = load_manifest(PROJECT / "datasets_manifest.yaml").datasets, visible_files(root)
    for name in [name for name, mark in MARKS.items() if any(re.search(mark, path.lower()) for path in paths)]:
        try:
            entries, _ = found_images(records[name], dataset=name, root=root)
            if any(entry.masks or entry.label or entry.annotations for entry in entries):
                return name
        except PipelineError:
            continue
    return None


def _say_released(console: Console, name: str, *, root: Path) -> None:
    folder = shlex.quote(f'roots={{"{name}": "{root.resolve()}"}}')
    console.print(f"This is the released layout of {name}, which needs no manifest. What will be done with it:")
    console.print(f"  lesionmap check --config datasets='[\"{name}\"]' {escape(folder)}")
    console.print(f"Parameters to start from: {EXAMPLES_OF.get(name, document('stages/config.yaml'))}")


def _lesions(root: Path, classes: Described) -> dict[str, Lesions]:
    from pipeline.raw.datasets.folder import expression

    found: dict[str, Lesions] = {}
    paths = visible_files(root)
    for each in classes.classes:
        if each.truth.contents.kind == "truth" and not each.anatomy:
            compiled = expression(each.truth.pattern)
            files = [path for path in paths if compiled.fullmatch(path)]
            lesions = lesions_of(root, files, values=each.values, numbered=each.truth.contents.numbered)
            if lesions is not None:
                found[each.code] = lesions
    return found


def _say(
    console: Console,
    layout: Layout,
    classes: Described,
    found: Fingerprint,
    *,
    manifest: Path,
    settings: Path,
    questions: int,
) -> None:
    console.print(f"{number_of(len(layout.files), 'image')} like {escape(layout.files[0])}")
    modality = f"modality {found.world}" if found.world else f"modality unknown, see {manifest}"
    console.print(f"  {modality}: {found.reason}", style=None if found.world else "yellow")
    for each in classes.classes:
        numbered = "values, each the number of an object and all one class, of"
        value = f" {numbered if len(each.values) > 1 else f'value {each.values[0]} of'}" if each.values else ""
        console.print(
            f"  {each.code}:{value} {escape(each.truth.pattern)}, for {each.truth.images} of {number_of(len(layout.names), 'image')}"
        )
        if note := stray_note(each):
            console.print(f"  {escape(note)}", style="yellow")
    for each in {each.truth.pattern: each for each in classes.classes}.values():
        for note in truth_notes(each):
            console.print(f"  {escape(each.truth.pattern)}: {escape(note)}", style="yellow")
    if not classes.classes:
        console.print(
            "  no truth was found: the images can be normalised and predicted, not learned from", style="yellow"
        )
    if "{group}" not in layout.images and patient_pattern(layout.names) is None:
        console.print(
            f"  no patient is known, so each image counts as one: if patients have several, {manifest} says how (group)",
            style="yellow",
        )
    for note in unused_notes(layout, classes):
        console.print(f"not used: {escape(note)}", style="yellow")
    console.print(f"\nWritten: {manifest} (facts) and {settings} (parameters), both with their reasons.")
    if questions:
        lines = number_of(questions, "open line")
        console.print(f"{manifest} has {lines} ({OPEN}) that only you can answer.", style="bold")
    file = shlex.quote(str(settings))
    console.print(
        f"Then:\n  lesionmap check --configfile {file}\n  lesionmap run -j{this_machine().cores} all --configfile {file}"
    )


def add_init(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to those of the parser."""
    init = commands.add_parser(
        "init",
        help="look at a folder of images, and write a manifest and a configuration for it",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    init.add_argument("folder", metavar="FOLDER", help="of images and truth; nothing is written into it")
    init.add_argument("--name", metavar="NAME", help="of the data set; that of the folder without it")
    init.add_argument(
        "--to", type=Path, default=Path(), metavar="FOLDER", help="of the two files; the working folder without it"
    )
    init.add_argument("--force", action="store_true", help="write over files that are there")
    init.set_defaults(run=_init)
