"""Stage names (the seven words), names of splits and classes, safe names, and paths of unfinished results.

Whoever knows a word knows the library folder, the stage pair, the results and the tests.
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
"""Splits that models learn from: one of them by the split ``validation``, both of them by folds."""
EVALUATED_SPLITS: tuple[Split, ...] = ("validation", "test")
"""Splits that are measured: training images would flatter, others have no truth."""

BACKGROUND = "background"
"""Code of what belongs to no class: pixels that count as a class of their own, patches drawn without any truth."""

LONGEST_ID = 200
"""Characters of an image id. With the suffixes of results it stays below the 255 that file systems take."""
_PERIODIC = re.compile(r"(?P<period>.+?)(?P=period){19}$")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """Safe name, unchanged: of a data set, recipe, model or sampling, checked because it becomes a folder.

    Raises
    ------
    ValueError
        Characters that a path or a shell could trip over, or one of the seven words.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) or name in WORDS:
        raise ValueError(
            f"name {name!r} must be letters, digits, '.', '_', '-', begin with a letter or digit, and be none "
            f"of {', '.join(WORDS)}"
        )
    return name


def safe_id(name: str) -> str:
    """Safe id of an image: its name, with everything that a path or a shell could trip over made an underscore.

    Names with other than ASCII characters end in eight hexadecimal digits of their SHA-256, because what differs in
    them alone would become one id. So do names that end in twenty or more repeats, which Snakemake takes for a rule
    that never ends, and names of more than ``LONGEST_ID`` characters, which are cut. One letter with an accent may be
    stored as one character or as two: the id is the same.

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
    """Safe ids of names that differ, name → id: those whose ids would be one, but for upper and lower case, get digests.

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
    """Codes of the lesion classes, of code → kind, in its order; of all where there is only anatomy."""
    return tuple(code for code, kind in kinds.items() if kind == "lesion") or tuple(kinds)


def by_priority(codes: tuple[str, ...], priority: tuple[str, ...]) -> tuple[str, ...]:
    """Class codes by overlap priority, the winner first: as listed where no priority is given."""
    return priority or codes


def named_by_word(path: Path) -> bool:
    """Name of a result of one image that belongs to no data set: it begins with the word of its stage, as its folder does not.

    Examples
    --------
    >>> named_by_word(Path("predictions/eye/probability.unet.gaussian.zarr")), named_by_word(Path("raw/a.json"))
    (True, False)
    """
    return path.name.partition(".")[0] in WORDS


def partial_path(output: Path) -> Path:
    """Path of the unfinished form of a result: ``results/.partial/{dataset}/{word}/…``.

    Snakemake deletes the declared outputs of a killed job. What lies here survives that, and on the same file system,
    so the rename at the end is atomic. The innermost word of the path tells where ``results`` ends, because no data
    set, model, sampling or fusion may bear one of the seven words. Of a result that is named by its word it lies beside,
    whatever the folders above are called.

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
