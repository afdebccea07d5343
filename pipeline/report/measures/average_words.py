"""Words for the named averages: over which classes a mean is taken, or the class where it is of a single one."""

from pipeline.config.manifest import DatasetRecord
from pipeline.report.measures.summary import COMPARED, OVER_CLASSES, OVER_LESIONS

__all__ = ["OF", "average_words", "compared_columns", "named_measure"]

MEAN, OF = "mean over ", "of "
"""Start of the words for an average of several classes, and for that of one."""
OF_ONE = {"mIoU": "IoU", "mIoU without background": "IoU"}
"""Names of a mean over classes → of the measure of a single class."""


def average_words(average: str, record: DatasetRecord) -> str:
    """Words for a named average of a data set.

    ``of Gland`` where it is of one class, ``mean over lesion classes`` where anatomy is left out, else the name of the
    average.
    """
    codes = {OVER_LESIONS: record.lesion_codes, OVER_CLASSES: record.codes}.get(average, ())
    if len(codes) == 1:
        return OF + next(each.name for each in record.classes if each.code == codes[0])
    if average != OVER_LESIONS:
        return average
    return f"{MEAN}lesion classes" if _both_kinds(record) else OVER_CLASSES


def named_measure(measure: str, words: str, *, short: bool = False) -> str:
    """Measure with the words for its average.

    Examples
    --------
    >>> named_measure("Dice", "of Gland"), named_measure("Dice", "mean over lesion classes", short=True)
    ('Dice of Gland', 'Dice, lesion classes')
    """
    if words.startswith(OF):
        return f"{OF_ONE.get(measure, measure)} {words}"
    return f"{measure}, {words.removeprefix(MEAN) if short else words}"


def compared_columns(record: DatasetRecord) -> tuple[tuple[str, str, str], ...]:
    """Columns that compare results: head, average, measure.

    Without lesions or without anatomy all columns are over all classes, and those that repeat another one are left out.
    """
    both, none = _both_kinds(record), all(each.kind == "anatomy" for each in record.classes)
    named = {OVER_LESIONS: ", lesion classes", OVER_CLASSES: ", all classes"}
    found = []
    for text, average, measure in COMPARED:
        name, _, over = text.partition(", ")
        name = OF_ONE.get(name, name) if len(record.classes) == 1 else name
        if both:
            found.append((f"{name}{named[average]}" if over else name, average, measure))
        elif (average, measure) != (OVER_CLASSES, "dice_pooled"):
            # Without lesions their mean has no value.
            found.append((name, OVER_CLASSES if none and average == OVER_LESIONS else average, measure))
    return tuple(found)


def _both_kinds(record: DatasetRecord) -> bool:
    return len({each.kind for each in record.classes}) > 1
