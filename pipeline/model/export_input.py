"""Sample to compare an exported model on: the middle of an image, or ramps of grey values."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import StoreError
from pipeline.model.export import Exported
from pipeline.stores.image_store import open_normalized

__all__ = ["sample_window"]


def sample_window(model: Exported, store: Path | None) -> NDArray[np.float32]:
    """Window ``(1, 3, h, w)`` float32 of 0…255 to compare probabilities on.

    Parameters
    ----------
    model
        Its patch sets the largest side.
    store
        ``normalized/{image}.zarr``, whose middle is taken; with None three ramps of grey values.

    Raises
    ------
    StoreError
        The image is smaller than the network's smallest window.
    """
    side = model.card.patch
    if store is None:
        ramp = np.linspace(0, 255, side, dtype=np.float32)
        rows, columns = np.meshgrid(ramp, ramp, indexing="ij")
        return np.stack([rows, columns, (rows + columns) / 2])[None]
    image = open_normalized(store).image
    height, width = (min(side, each) // model.step * model.step for each in image.shape)
    if not height or not width:
        raise StoreError(
            "The image is too small for a sample.",
            where=store,
            found=f"{image.shape} pixels",
            expected=f"at least {model.step} a side",
            remedy="Give a larger image.",
        )
    y0, x0 = (image.height - height) // 2, (image.width - width) // 2
    box = type(image.box)(y0, x0, y0 + height, x0 + width)
    return image.read(box)[None].astype(np.float32)
