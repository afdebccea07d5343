"""Default chain of a fundus photograph, blurred by a share of its field of view, against the same steps in OpenCV calls."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.fundus_chain import HEIGHT, WIDTH, in_strips, picture
from benchmarks.timing import Pair, paired
from pipeline.config import NormalizedConfig
from pipeline.geometry import Box
from pipeline.normalized.fundus.chain import blur_sigma
from pipeline.normalized.region import Region

DIAMETER, CELL = 3426, 5


def field() -> Region:
    """Field of view of an IDRiD image: a disc that the borders cut, in cells of 5 pixels."""
    y, x = np.mgrid[:HEIGHT:CELL, :WIDTH:CELL]
    disc = np.hypot(y - HEIGHT / 2, x - WIDTH / 2) < DIAMETER / 2
    return Region(np.asarray(disc, np.bool_), HEIGHT, WIDTH, (HEIGHT, WIDTH), CELL)


def bare(image: NDArray[np.uint8], config: NormalizedConfig, region: Region) -> NDArray[np.uint8]:
    """What a person writes with OpenCV: in 8 bit, where its blur is fastest."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    lab[:, :, 0] = cv2.createCLAHE(config.clahe.clip_limit, config.clahe.tiles[::-1]).apply(lab[:, :, 0])
    equalised = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    inside = region.without_rim().read(Box.of_shape(HEIGHT, WIDTH))
    mask, sigma = inside.astype(np.uint8) * 255, blur_sigma(config.gaussian, region)
    summed = cv2.GaussianBlur(cv2.bitwise_and(equalised, equalised, mask=mask), (0, 0), sigma)
    blurred = cv2.divide(summed, cv2.merge([cv2.GaussianBlur(mask, (0, 0), sigma)] * 3), scale=255)
    result = np.asarray(cv2.addWeighted(equalised, 4, blurred, -4, 128), np.uint8)
    result[~inside] = 128
    return result


def run(folder: Path) -> tuple[str, Pair, str]:
    """Check how near the pixels are, then time both."""
    del folder
    image, config, region = picture(), NormalizedConfig(), field()
    apart = np.abs(bare(image, config, region).astype(np.int64) - in_strips(image, config, region)).mean()
    pair = paired(lambda: in_strips(image, config, region), lambda: bare(image, config, region))
    megapixels = HEIGHT * WIDTH / 1e6
    note = f"{megapixels / pair.ours:.0f} Mpx/s against {megapixels / pair.peer:.0f}; {apart:.2f} grey levels apart"
    return "the same, blur of 1/60 of the field of view, normalised inside it / bare OpenCV, whole image", pair, note
