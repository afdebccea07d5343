"""Peak memory of stages normalized and probability, computed from sizes before anything runs.

The arguments name everything that affects the peak. The interpreter with its libraries (``INTERPRETER``) and the
activations of a network come on top: `pipeline.runtime.job_memory` adds them.
"""

from pipeline.errors import ConfigurationError

__all__ = ["INTERPRETER", "normalized_bytes", "probability_bytes"]

INTERPRETER = 400 * 2**20
"""Python with NumPy, Zarr, Dask, numba and OpenCV, before any pixel; torch adds about as much again."""

_FLOAT = 4
_CHANNELS = 3

WRITING = 7
"""Bytes per value while a block is written: its copy in even size (4) and its halved rows and levels (3). Before, the
same memory holds the values as float16, encoded, and joined to a shard (2 each)."""
ENHANCING = 19
"""Bytes per pixel of a block and its halo while a fundus photograph is enhanced and written: decoded, equalised,
blurred, the result, its planes, and the encoder's memory."""
STAINING = 12
"""The same for mapping stains."""
ANNOTATING = 3
"""Bytes per pixel and class while truth is written."""
COLOUR_COUNTS = 10 * 2**24
"""The counts of all 24-bit colours (8 each), flags of those that occur (1), and their table (up to 1)."""
THUMBNAIL = 6 * 2**24
"""A strip for making a thumbnail."""
PIECES = 128 * 2**20
"""Decoded tiles and strips of a file that are kept for their neighbours."""
MASK_PIECES = 64 * 2**20
"""The same for all masks of an image."""


def probability_bytes(
    *, window: int, shard: int, classes: int, fusions: int, batch: int, workers: int, logits: bool = False
) -> int:
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
    logits
        Whether logits are fused; they become probabilities in a copy.

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
    finishing = lending + _FLOAT * core + (WRITING + (_FLOAT if logits else 0)) * classes * core
    return workers * (sums + max(computing, finishing))


def normalized_bytes(
    *, rows: int, columns: int, halo: int, classes: int, workers: int, stained: bool, whole: int = 0
) -> int:
    """Peak of stage normalized, whatever the size of the image, unless its file can only be decoded whole.

    Parameters
    ----------
    rows, columns
        Pixels of a block.
    halo
        Pixels around it that the blur needs.
    classes
        Number of truth planes.
    workers
        Blocks in memory at a time.
    stained
        Whether stains are estimated and mapped, instead of contrast enhancement.
    whole
        Bytes of decoded image and masks in formats that can only be decoded whole; 0 for tiled and striped files, of
        which only pieces are kept.

    Returns
    -------
    int
        Bytes, without interpreter.
    """
    _positive(rows=rows, columns=columns, workers=workers)
    pixels, haloed = rows * columns, (rows + 2 * halo) * (columns + 2 * halo)
    block = max(STAINING * pixels if stained else ENHANCING * haloed, ANNOTATING * classes * pixels)
    pieces = (whole or PIECES) + (MASK_PIECES if classes else 0)
    return pieces + max(THUMBNAIL, (COLOUR_COUNTS if stained else 0) + workers * block)


def _positive(**sizes: int) -> None:
    wrong = {name: size for name, size in sizes.items() if size < 1}
    if wrong:
        raise ConfigurationError(
            "A size is not positive.",
            where="memory",
            found=wrong,
            expected="whole numbers of at least 1",
            remedy="Correct the sizes.",
        )
