"""Stage names (the seven words), split names and class codes, safe names, and paths of unfinished results.

A word names the library folder, the pair of stage files, the results folder and the tests folder of a stage.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

__all__ = [
    "BACKGROUND",
    "EVALUATED_SPLITS",
    "LEARNED_SPLITS",
    "SPLITS",
    "TRUTH_SPLITS",
    "WORDS",
    "Split",
    "by_priority",
    "distinct_ids",
    "lesions",
    "named_by_word",
    "partial_path",
    "safe_id",
    "safe_name",
]

WORDS: tuple[str, ...] = ("raw", "normalized", "index", "model", "probability", "segmentation", "report")
"""The stages in the order of the data flow."""

Split: TypeAlias = Literal["train", "validation", "test", "predict"]
SPLITS: tuple[Split, ...] = get_args(Split)
"""The splits: what an image is for."""
TRUTH_SPLITS: tuple[Split, ...] = ("train", "validation", "test")
"""Splits whose images have truth."""
LEARNED_SPLITS: tuple[Split, ...] = ("train", "validation")
"""Splits that models may train on: only the first with the split ``validation``, both with folds."""
EVALUATED_SPLITS: tuple[Split, ...] = ("validation", "test")
"""Splits that are measured: training images would flatter a model, and the other splits have no truth."""

BACKGROUND = "background"
"""Code for no class: background pixels, which count as a class of their own, and patches drawn without truth."""

LONGEST_ID = 200
"""Most characters of an image id. With the suffixes of results it stays below the file system limit of 255."""
_PERIODIC = re.compile(r"(?P<period>.+?)(?P=period){19}$")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """Safe name of a data set, recipe, model or sampling, returned unchanged; checked because it becomes a folder.

    Raises
    ------
    ValueError
        The name is one of the seven words, or has characters that could break a path or a shell command.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name in WORDS:
        raise ValueError(
            f"name {name!r} must be letters, digits, '.', '_', '-', begin with a letter or digit, and be none "
            f"of {', '.join(WORDS)}"
        )
    return name


def safe_id(name: str) -> str:
    """Safe id of an image: its name with an underscore for each character that could break a path or a shell command.

    Three kinds of names get eight hexadecimal digits of their SHA-256 at the end: those with non-ASCII characters,
    because names that differ only in these would share an id; those that end in twenty or more repeats, which Snakemake
    takes for endless recursion; those of more than ``LONGEST_ID`` characters, which are cut. The id of an accented
    letter is the same, whether it is stored as one character or as two.

    Examples
    --------
    >>> safe_id("18-09926B_2019-05-08 23_29_50-lv1")
    '18-09926B_2019-05-08_23_29_50-lv1'
    >>> safe_id("左眼"), safe_id("右眼")
    ('_-6baf64d2', '_-aca4615a')
    """
    plain = _UNSAFE.sub("_", name).lstrip(".-") or "_"
    if name.isascii() and len(plain) <= LONGEST_ID and not _PERIODIC.search(plain):
        return plain
    return _id_with_digest(name)


def _id_with_digest(name: str) -> str:
    composed = unicodedata.normalize("NFC", name)
    digest = hashlib.sha256(composed.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    plain = _UNSAFE.sub("_", composed).lstrip(".-") or "_"
    return f"{plain[: LONGEST_ID - len(digest) - 1]}-{digest}"


def distinct_ids(names: Iterable[str]) -> dict[str, str]:
    """Safe ids of distinct names, name → id. Names whose ids would be equal, ignoring case, get digests.

    Examples
    --------
    >>> distinct_ids(["a 1", "b"])
    {'a 1': 'a_1', 'b': 'b'}
    >>> distinct_ids(["a 1", "a_1"])
    {'a 1': 'a_1-042a5f2e', 'a_1': 'a_1-1426674c'}
    """
    ids = {name: safe_id(name) for name in names}
    found = Counter(each.lower() for each in ids.values())
    return {name: each if found[each.lower()] == 1 else _id_with_digest(name) for name, each in ids.items()}


def lesions(kinds: Mapping[str, str]) -> tuple[str, ...]:
    """Codes of the lesion classes in the order of ``code → kind``; of all classes where there is only anatomy."""
    return tuple(code for code, kind in kinds.items() if kind == "lesion") or tuple(kinds)


def by_priority(codes: tuple[str, ...], priority: tuple[str, ...]) -> tuple[str, ...]:
    """Class codes by overlap priority, the winner first; in their listed order where no priority is given."""
    return priority or codes


def named_by_word(path: Path) -> bool:
    """Test for a result of one image outside any data set: its name begins with a stage's word, its folder's does not.

    Examples
    --------
    >>> named_by_word(Path("predictions/eye/probability.unet.gaussian.zarr")), named_by_word(Path("raw/a.json"))
    (True, False)
    """
    return path.name.partition(".")[0] in WORDS


def partial_path(output: Path) -> Path:
    """Path of the unfinished form of a result: ``results/.partial/{dataset}/{word}/…``.

    Snakemake deletes the declared outputs of a killed job; files here survive. They are on the same file system, so the
    final rename is atomic. The innermost of the seven words in the path marks where ``results`` ends, because no data
    set, model, sampling or fusion may have such a name. For a result that is named by its word ``.partial`` lies in its
    own folder, whatever the folders above are called.

    Examples
    --------
    >>> partial_path(Path("out/idrid/normalized/a.zarr")).as_posix()
    'out/.partial/idrid/normalized/a.zarr'
    >>> partial_path(Path("raw/eyes/predictions/a/normalized.zarr")).as_posix()
    'raw/eyes/predictions/a/.partial/normalized.zarr'
    >>> partial_path(Path("out/index.html")).as_posix()
    'out/.partial/index.html'
    """
    folders = output.parent.parts
    places = [at for at, part in enumerate(folders) if part in WORDS]
    if not places or places[-1] < 1 or named_by_word(output):
        return output.parent / ".partial" / output.name
    root = places[-1] - 1
    return Path(*folders[:root], ".partial", *folders[root:], output.name)
