"""Error classes: everything that this package raises on purpose, in one tree.

PipelineError
├── ConfigurationError   (ValueError)         a parameter value that makes no sense
├── ManifestError        (ValueError)         a fact about a data set that cannot be true
├── MissingDataError     (FileNotFoundError)  a folder or file that a data set needs
├── ImageRejected        (ValueError)         one image that cannot be used; the rest goes on
├── GeometryError        (ValueError)         boxes, grids or windows that do not fit
├── StoreError           (OSError)            a Zarr store or Parquet file that is not what it should be
│   ├── UnalignedWrite   (ValueError)         a write that would share a shard with another
│   └── DiskFull                              no room for what is written
├── SamplingError        (ValueError)         a patch index that cannot be drawn
└── ModelError           (ValueError)         a network that does not fit its data or its weights
"""

__all__ = [
    "ConfigurationError",
    "DiskFull",
    "GeometryError",
    "ImageRejected",
    "ManifestError",
    "MissingDataError",
    "ModelError",
    "PipelineError",
    "SamplingError",
    "StoreError",
    "UnalignedWrite",
    "printable",
]

CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def printable(name: object) -> str:
    r"""File name for messages: control characters and bytes that are not UTF-8 are escaped.

    Examples
    --------
    >>> printable("a\nb")
    'a\\x0ab'
    """
    return str(name).translate(CONTROL).encode("utf-8", "backslashreplace").decode()


class PipelineError(Exception):
    """Error raised on purpose. Its text says what is wrong, where, what was found and expected, and what to do.

    Parameters
    ----------
    what
        One sentence; given alone or with all four other parts.
    where
        The file, key, table or function.
    found, expected
        What is there, and what should be.
    remedy
        What to do about it.

    Examples
    --------
    >>> print(PipelineError("Unknown key.", where="model.losss", found="losss", expected="loss", remedy="Rename it."))
    Unknown key.
      where:    model.losss
      found:    losss
      expected: loss
      to do:    Rename it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        found: object = None,
        expected: object = None,
        remedy: str | None = None,
    ) -> None:
        place = None if where is None else printable(where)
        rows = (("where", place), ("found", found), ("expected", expected), ("to do", remedy))
        super().__init__("\n".join([what, *(f"  {name + ':':<9} {text}" for name, text in rows if text is not None)]))


class ConfigurationError(PipelineError, ValueError):
    """A configuration key, value or combination that is not allowed."""


class ManifestError(PipelineError, ValueError):
    """A statement of the data set manifest that is wrong or contradicts the files."""


class MissingDataError(PipelineError, FileNotFoundError):
    """A root folder or a file that the manifest promises and that is not there."""


class ImageRejected(PipelineError, ValueError):
    """An image that cannot be used. It is recorded and left out; the other images go on."""


class GeometryError(PipelineError, ValueError):
    """A box, grid or window that does not fit."""


class StoreError(PipelineError, OSError):
    """A Zarr store or Parquet file that is missing, incomplete or of another shape than expected."""


class UnalignedWrite(StoreError, ValueError):
    """A write whose edges do not fall on shard borders: two such writes at once would lose data."""


class DiskFull(StoreError):
    """A disk or quota without room for what is being written."""


class SamplingError(PipelineError, ValueError):
    """A patch index that cannot be drawn as configured."""


class ModelError(PipelineError, ValueError):
    """A network, its weights or its inputs that do not fit together."""
