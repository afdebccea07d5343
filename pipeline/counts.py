"""Counts in words: a number with its noun, singular or plural; the first of many names; the noun for regions."""

from collections.abc import Iterable, Sequence

__all__ = ["first_names", "number_of", "region_noun"]


def number_of(count: int, noun: str, plural: str = "") -> str:
    """Number and noun.

    Parameters
    ----------
    count
        How many.
    noun
        Singular.
    plural
        Where it does not end in s alone.

    Examples
    --------
    >>> number_of(1, "image"), number_of(1200, "image"), number_of(0, "class", "classes")
    ('1 image', '1,200 images', '0 classes')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def first_names(names: Sequence[str], *, most: int = 5) -> str:
    """First names of a list, at most ``most`` of them, and how many more there are.

    Examples
    --------
    >>> first_names(["a", "b"], most=2), first_names(["a", "b", "c"], most=2)
    ('a, b', 'a, b and 1 more')
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def region_noun(kinds: Iterable[str], *, modality: str) -> str:
    """Noun for the connected components of classes of the given kinds.

    ``lesion`` where all are lesions; ``region`` with anatomy, and in histology, where a gland or nucleus is none and a
    tumour is more than one.

    Examples
    --------
    >>> region_noun(["lesion"], modality="fundus"), region_noun(["lesion", "anatomy"], modality="fundus")
    ('lesion', 'region')
    >>> region_noun(["lesion"], modality="histology")
    'region'
    """
    return "lesion" if modality != "histology" and all(kind == "lesion" for kind in kinds) else "region"
