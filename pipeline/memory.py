"""How many bytes will a stage need at most? Arithmetic over sizes, so that a job can be refused or sized beforehand.

What grows with an image is named by its arguments; what does not appear in them does not matter. The interpreter with
its libraries (``INTERPRETER``) and the activations of a network, which only the network knows, come on top.
"""

from pipeline.errors import ConfigurationError, explain

__all__ = ["INTERPRETER", "normalized_bytes", "probability_bytes"]

INTERPRETER = 400 * 2**20
"""Python with NumPy, Zarr, Dask, numba and OpenCV, before any pixel; torch adds about as much again."""

_FLOAT = 4
_CHANNELS = 3

WRITING = 7
"""Bytes a value while a block is written: its copy in even size (4) and its halved rows and levels (3). Before that,
the same place holds the values as float16, encoded, and joined to a shard (2 each)."""
STRIP = 12
"""Bytes a pixel of a strip and its halo while it is enhanced: 9 measured (the equalised strip, its blur, the result)
and 3 for what OpenCV takes for itself."""


def probability_bytes(*, window: int, shard: int, classes: int, fusions: int, batch: int, workers: int) -> int:
    """Peak of stage probability, whatever the size of the image.

    Parameters
    ----------
    window
        Side of a window in pixels.
    shard
        Side of a block in pixels.
    classes
        Maps of the network.
    fusions
        Fusions of one pass.
    batch
        Windows of a forward pass.
    workers
        Blocks in memory at a time.

    Returns
    -------
    int
        Bytes, without interpreter and activations.
    """
    _positive(window=window, shard=shard, classes=classes, fusions=fusions, batch=batch, workers=workers)
    reach, core = (shard + window - 1) ** 2, shard**2
    sums = _FLOAT * classes * fusions * reach
    computing = _CHANNELS * reach + batch * window**2 * (_CHANNELS + _FLOAT * classes)
    lending = _FLOAT * classes * shard * (window - 1)
    finishing = lending + _FLOAT * core + WRITING * classes * core
    return workers * (sums + max(computing, finishing))


def normalized_bytes(
    *, height: int, width: int, source_height: int, source_width: int, classes: int, strip_rows: int, halo: int
) -> int:
    """Peak of stage normalized for a format that can only be decoded whole.

    Parameters
    ----------
    height, width
        Pixels of the normalised image.
    source_height, source_width
        Pixels of the file.
    classes
        Planes of truth; 0 where there are none.
    strip_rows
        Rows that are enhanced at a time.
    halo
        Rows above and below that the blur needs.

    Returns
    -------
    int
        Bytes, without interpreter.
    """
    _positive(height=height, width=width, source_height=source_height, source_width=source_width, rows=strip_rows)
    source, whole = source_height * source_width, height * width
    pictures = _CHANNELS * (source + whole)
    enhancing = STRIP * min(strip_rows + 2 * halo, height) * width
    annotating = classes * (source + 2 * whole) + (2 * source if classes else 0)
    return pictures + max(enhancing, annotating)


def _positive(**sizes: int) -> None:
    wrong = {name: size for name, size in sizes.items() if size < 1}
    if wrong:
        raise ConfigurationError(
            explain("A size is not positive.", where="memory", found=wrong, expected="whole numbers of at least 1",
                    remedy="Correct the sizes.")
        )  # fmt: skip
