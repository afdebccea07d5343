"""Notes on the truth of an inspected folder: stray values, two ways to write one mask, empty files, unread files."""

from pipeline.counts import first_names, number_of
from pipeline.raw.inspection.classes import FoundClass

__all__ = ["stray_note", "truth_notes"]


def truth_notes(of: FoundClass) -> list[str]:
    """Sentences on the files of the truth of a class as a whole.

    Empty files are examined and hold no lesion: that is what the reader of truth takes them for.
    """
    found, notes = of.truth.contents, [*of.truth.notes]
    judged, beside = found.judged, found.beside
    files = number_of(judged.files, "file")
    if found.encodings:
        said = " and ".join(f"0 and {each.value} in {number_of(len(each.paths), 'file')}" for each in found.encodings)
        notes.append(
            f"One mask, written in {len(found.encodings)} ways: {said}, and no file has both. Any value above 0 is set. "
            "If they mean different things: label and values in place of masks."
        )
    if judged.empty == judged.files and judged.empty:
        notes.append(
            f"All {files} looked at are 0 everywhere: they hold no class, so nothing can be learned from them. "
            "Compare them with what they should show."
        )
    elif judged.empty:
        notes.append(
            f"{judged.empty} of {files} looked at hold no class: they are 0 everywhere. Their images count as examined and "
            "free of it. Take the files of images that nobody examined out of the folder."
        )
    every, labels = judged.files + beside.files + found.unread, of.values is not None
    if beside.files and not labels:
        some = number_of(beside.files, "file")
        notes.append(f"In one colour or lossy, and read as masks like the others: {some} of {every}.")
    unread = [(found.unread, found.problem), (beside.files if labels else 0, beside.no_labels)]
    return notes + [
        f"{number_of(count, 'file')} of {every} cannot be read, the first because of: {reason}."
        for count, reason in unread
        if count
    ]


def stray_note(found: FoundClass) -> str:
    """Sentences on the stray values of a class, and what becomes of them."""
    strays = found.truth.strays
    if strays is None:
        return ""
    kind = "thin rims of other values" if strays.rim else "few pixels of other values"
    said = f"{found.code}: beside {strays.main} there are {kind}: {strays.said()}."
    if strays.are_cut:
        return f"{said} A mask is cut in the middle. If one is a class of its own: label and values in place of masks."
    refused = first_names(strays.refused, most=3)
    if found.values is None:
        return f"{said} Refused because of them until they are mended, and their images left out: {refused}."
    return f"{said} As masks these would be refused, so what the values mean is asked: {refused}."
