"""Changed input files of images: noticed by size and date, confirmed by content, relative to the fact sheet."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.errors import MissingDataError
from pipeline.raw.datasets.entry import PART, ImageEntry
from pipeline.runtime.input_records import (
    FIRST,
    FileState,
    InputRecord,
    content_of,
    current_states,
    outdated,
    read_record,
    refresh,
    write_record,
)
from pipeline.stores.documents import read_json

__all__ = ["ImageInputs", "NamedFile", "model_of", "refresh_images"]


def _record_folder(results: Path, entry: str) -> Path:
    """Folder of the records of input files of one data set; hidden, because they hold dates."""
    return results / ".inputs" / entry


class ImageInputs:
    """Input files of an image, their record, and their fact sheet."""

    def __init__(self, entry: ImageEntry, *, results: Path, dataset: str) -> None:
        self.files = entry.files
        self.record = _record_folder(results, dataset) / "images" / f"{entry.image_id}.json"
        self._sheet = results / dataset / "raw" / f"{entry.image_id}.json"

    def content(self) -> str:
        """Line with the digest of the names and contents of the files as they are now."""
        return content_of(current_states(self.files, self.record))

    def reading(self) -> str:
        """Line that stays as it was when the fact sheet was made, unless the content of a file changed.

        Before the first reading no file is hashed; the job that reads them anyway does that.
        """
        record = self.known() if self.files else None
        if record is None:
            return FIRST
        now = self.content()
        if not record.made_of and now == record.said:
            return f"{now}, read anew"  # The file was another one for a moment, and the result belongs to neither.
        return record.said if now == record.made_of else now

    def known(self) -> InputRecord | None:
        """Record of the files; a lost one is restarted with the digests in the fact sheet."""
        record = read_record(self.record)
        if record is None and (states := _sheet_states(self._sheet)):
            record = InputRecord(states, content_of(states))
            write_record(record, self.record)
        return record

    def as_read(self) -> bool:
        """Quick match: whether all files have the names, sizes and dates from the making of the fact sheet."""
        record = read_record(self.record)
        if not self.files or record is None:
            return not self.files
        same = record.states.keys() == self.files.keys() and not outdated(self.files, record)
        return same and content_of(record.states) == record.made_of

    def must_hash(self) -> bool:
        """Test for the need of hashing: whether a size or date differs from the record; false before the first result."""
        record = self.known() if self.files else None
        return record is not None and bool(outdated(self.files, record))


def _sheet_states(path: Path) -> dict[str, FileState]:
    # A sheet has names and digests but no sizes and dates, so its states never match a file.
    try:
        sheet = read_json(path)
        names = {"image": sheet["file"]} | {
            what if what in ("label", "annotations") else f"mask {what}": name for what, name in sheet["masks"].items()
        }
        digests: Mapping[str, str] = sheet["provenance"]["inputs"]
        names |= {what: what.removeprefix(PART) for what in digests if what.startswith(PART)}
        return {what: FileState(names[what], -1, -1, digest) for what, digest in digests.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def refresh_images(entries: Iterable[ImageEntry], *, results: Path, dataset: str) -> None:
    """Refresh of the records of all images of a data set; only files whose size or date differs are hashed.

    Parameters
    ----------
    entries
        Its images.
    results
        Folder of all results.
    dataset
        Name of its results.
    """
    images = (ImageInputs(entry, results=results, dataset=dataset) for entry in entries)
    waiting = [(each.files, each.record) for each in images if each.must_hash()]
    refresh(waiting, name=dataset, workers=len(os.sched_getaffinity(0)))


def model_of(path: str, *, results: Path) -> tuple[str, str] | None:
    """Data set and model in whose folder ``{dataset}/model/{model}`` a file lies; None for any other file."""
    parts = Path(os.path.relpath(path, results)).parts
    return (parts[0], parts[2]) if len(parts) > 3 and parts[1] == "model" and parts[0] != os.pardir else None


class NamedFile:
    """File named by a key of the configuration, if any."""

    def __init__(self, path: str | None, *, key: str, results: Path, dataset: str) -> None:
        self._path, self._key = path, key
        self._record = _record_folder(results, dataset) / f"{key}.json"
        folder = os.path.abspath(results)
        self.result = path if path and Path(os.path.abspath(path)).is_relative_to(folder) else None
        """The path if it is a result of the workflow, which makes it and goes by its date."""

    def content(self) -> str:
        """Line with the digest of its name and content, for a user's file.

        Raises
        ------
        MissingDataError
            It is not there.
        """
        self.check()
        if self._path is None or self.result:
            return f"{self._key}: no file of a user"
        return content_of(current_states({"file": Path(self._path)}, self._record))

    def check(self) -> None:
        """Check that a user's file exists; its content is not read.

        Raises
        ------
        MissingDataError
            It is not there.
        """
        if self._path is not None and not self.result and not Path(self._path).is_file():
            raise MissingDataError(
                "A file that the configuration names is missing.",
                where=self._key,
                found=self._path,
                expected="a file that can be read",
                remedy="Check the path; it is relative to the working folder.",
            )
