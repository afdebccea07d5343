"""CLAHE, Gaussian and difference of a fundus photograph in strips, against the bare OpenCV calls on the whole image."""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from benchmarks.timing import Pair, paired
from pipeline.arrays.raster import Raster
from pipeline.config import Gaussian, NormalizedConfig
from pipeline.geometry import Box
from pipeline.normalized.blocks import work_blocks
from pipeline.normalized.fundus.chain import block_chain
from pipeline.normalized.region import Region
from pipeline.runtime.threads import each

HEIGHT, WIDTH = 2848, 4288
SIGMA = 10.0
EVERYWHERE = Region(np.ones((8, 8), np.bool_), HEIGHT, WIDTH)


def picture() -> NDArray[np.uint8]:
    """The retina of scikit-image at the size of an IDRiD image."""
    return np.asarray(cv2.resize(skimage.data.retina(), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def bare(image: NDArray[np.uint8], config: NormalizedConfig) -> NDArray[np.uint8]:
    """What a person writes with OpenCV."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(config.clahe.clip_limit, config.clahe.tiles[::-1]).apply(lab[:, :, 0])
    equalised = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    blurred = cv2.GaussianBlur(equalised, (0, 0), SIGMA)
    return np.asarray(cv2.addWeighted(equalised, 4, blurred, -4, 128), np.uint8)


def in_strips(image: NDArray[np.uint8], config: NormalizedConfig, region: Region = EVERYWHERE) -> NDArray[np.uint8]:
    """Our chain, strip by strip, in as many threads as OpenCV takes."""
    workers = cv2.getNumThreads()
    source = Raster((HEIGHT, WIDTH), lambda box: image[box.slices])
    enhanced = block_chain(source, region=region, config=config, workers=workers)
    result = np.empty_like(image)

    def work(box: Box) -> None:
        result[box.slices] = enhanced.read(box)

    each(work, work_blocks(HEIGHT, WIDTH, config=config), workers=workers)
    return result


def run(folder: Path) -> tuple[str, Pair, str]:
    """Check that both give the same pixels, then time them."""
    del folder
    image, config = picture(), NormalizedConfig(outside="keep", gaussian=Gaussian(sigma=SIGMA))
    different = int(np.count_nonzero(bare(image, config) != in_strips(image, config)))
    pair = paired(lambda: in_strips(image, config), lambda: bare(image, config))
    megapixels = HEIGHT * WIDTH / 1e6
    note = f"{megapixels / pair.ours:.0f} Mpx/s against {megapixels / pair.peer:.0f}; {different} values differ"
    return "CLAHE + Gaussian + difference, 4288×2848, strips, 2 threads each / bare OpenCV, whole image", pair, note
