"""Page of all predictions of a folder: for each a picture, counts and files; it opens from disk."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.errors import ConfigurationError, printable
from pipeline.predict.places import PAGE
from pipeline.report.page.render import rendered
from pipeline.report.page.tables.cells import DASH, Cell, Table, number, text_cell
from pipeline.stores.documents import read_json
from pipeline.stores.flush import write_whole

__all__ = ["check_page", "write_predictions_page"]

HEAD = b'<p class="eyebrow">lesionmap</p><h1>Predictions</h1>'
"""Texts that only this page has."""
FILES = {"segmentation": {".geojson": "outlines"}, "report": {".png": "picture"}}


@dataclass(frozen=True, slots=True)
class _Shown:
    """One prediction: an image, a model and a fusion."""

    image_id: str
    facts: Mapping[str, Any]
    files: Mapping[str, str]
    """Text → link."""

    @property
    def name(self) -> str:
        return printable(self.facts["file"])

    @property
    def result(self) -> str:
        return f"{self.facts['model']} / {self.facts['fusion']}"

    @property
    def anchor(self) -> str:
        return f"{self.image_id}.{self.facts['model']}.{self.facts['fusion']}"

    @property
    def picture(self) -> str:
        return self.files["picture"]

    @property
    def links(self) -> list[tuple[str, str]]:
        return [(name, link) for name, link in self.files.items() if name != "picture"]

    @property
    def alt(self) -> str:
        parts = [f"{each['name']}: {_count(each)}" for each in self.facts["classes"]]
        return f"{self.name}. {', '.join(parts)}"


def _count(found: Mapping[str, Any]) -> str:
    return DASH if found["regions"] is None else str(found["regions"])


def _shown(path: Path, *, out: Path) -> _Shown:
    facts, image = read_json(path), path.parent.name
    end = f"{facts['model']}.{facts['fusion']}"
    files = {}
    for stage, suffixes in FILES.items():
        for suffix, text in suffixes.items():
            file = path.with_name(f"{stage}.{end}{suffix}")
            if file.is_file():
                files[text] = quote(file.relative_to(out).as_posix())
    return _Shown(image, facts, files)


def _classes(shown: Iterable[_Shown]) -> dict[str, str]:
    """Code → name of all classes, in their order."""
    return {each["code"]: each["name"] for one in shown for each in one.facts["classes"]}


def _cell(found: Mapping[str, Any] | None) -> Cell:
    if found is None:
        return Cell(DASH, hint="not a class of this model")
    return Cell(_count(found), note=f"p {number(found['largest_probability'], digits=2)}")


def _table(shown: Sequence[_Shown]) -> Table:
    names = _classes(shown)
    head = [text_cell("Image"), text_cell("Model / fusion")]
    head += [
        Cell(code, hint=f"{name}: regions, and the largest probability in the image") for code, name in names.items()
    ]
    rows = []
    for one in shown:
        found = {each["code"]: each for each in one.facts["classes"]}
        first = text_cell(one.name, strong=True, href=f"#{quote(one.anchor)}")
        rows.append((first, text_cell(one.result), *(_cell(found.get(code)) for code in names)))
    caption = "Regions of each class; below, the largest probability in the image"
    return Table(caption, tuple(head), tuple(rows))


def check_page(out: Path) -> None:
    """Refusal of a folder with another page, such as that of a run's results, which would be overwritten.

    Raises
    ------
    ConfigurationError
        There is such a page.
    """
    page = out / PAGE
    if page.exists() and not (page.is_file() and HEAD in page.read_bytes()):
        raise ConfigurationError(
            "The folder of the results has a page that is none of predictions.",
            where="--out",
            found=page,
            expected=f"a folder without {PAGE}, or one of former predictions",
            remedy="Give another folder: the page of the predictions would be written over it.",
        )


def write_predictions_page(out: Path, *, problems: Mapping[Path, str]) -> Path:
    """Page ``{out}/index.html`` of all predictions in a folder, including those of earlier calls, written.

    Parameters
    ----------
    out
        Folder of the results, ``{out}/{image}/``.
    problems
        File → message, for files that could not be predicted in this call.

    Returns
    -------
    Path
        The page.
    """
    shown = [
        _shown(path, out=out) for path in sorted(out.glob("*/report.*.json")) if path.with_suffix(".png").is_file()
    ]
    context = {
        "shown": shown,
        "images": len({each.image_id for each in shown}),
        "table": _table(shown) if shown else None,
        "problems": [(printable(path), text) for path, text in problems.items()],
    }
    page = out / PAGE
    write_whole(page, [rendered("predictions.html", context).encode()])
    return page
