"""Measured memory: activations of the shipped networks, and peaks of jobs whose memory is not computed.

Activations: ``python -m benchmarks.networks_memory``. Peaks: the line "Memory held at most" that ends the log of every
job (``grep -rh "held at most" results/.logs``), of a run on the samples, on the 12 images of IDRiD (4288 × 2848) with
``normalized.rescale.factor`` 1 and 2.
"""

from dataclasses import dataclass

__all__ = ["JOBS", "MARGIN", "SNAKEMAKE", "TORCH", "Activations", "Peak", "activations_of"]

MEBIBYTE = 2**20
MARGIN = 1.25
"""Factor on the measured peaks of jobs, and on the activations of a training step."""
CREEP = 2.0
"""Factor on the activations of inference: kept memory gets fragmented, and after some dozen batches a job held up to
1.7 times the activations of the first three."""
SNAKEMAKE = 160 * MEBIBYTE
"""The process of Snakemake around a job."""
TORCH = 560 * MEBIBYTE
"""Python with torch, lightning and the content of ``INTERPRETER``, before any weights."""


@dataclass(frozen=True, slots=True)
class Activations:
    """Memory of a network on a CPU, margins included."""

    predicting: float
    """Bytes per pixel of a batch of windows."""
    training: float
    """Bytes per pixel of a batch of patches."""
    weights: int
    """Bytes of its weights."""


_NETWORKS = {
    ("unet", "efficientnet-b0"): (537, 3261, 23),
    ("unet", "tu-tf_efficientnet_lite0"): (535, 2936, 19),
    ("unet", "resnet34"): (770, 1856, 93),
    ("unet", "resnet50"): (936, 3140, 124),
    ("unetplusplus", "efficientnet-b0"): (927, 4064, 25),
    ("unetplusplus", "tu-tf_efficientnet_lite0"): (667, 3542, 20),
    ("unetplusplus", "resnet34"): (1430, 4050, 99),
    ("unetplusplus", "resnet50"): (1931, 7795, 186),
    ("deeplabv3plus", "efficientnet-b0"): (825, 3292, 18),
    ("deeplabv3plus", "tu-tf_efficientnet_lite0"): (638, 2986, 14),
    ("deeplabv3plus", "resnet34"): (650, 1513, 85),
    ("deeplabv3plus", "resnet50"): (1070, 2939, 101),
}
"""Network and encoder → bytes per pixel in inference and training in float32, and MiB of weights."""


def activations_of(network: str, encoder: str) -> Activations:
    """Memory of a network; if not measured, the most of this network, or else of any, with another encoder."""
    known = [sizes for (name, _), sizes in _NETWORKS.items() if name == network] or list(_NETWORKS.values())
    most = tuple(max(each) for each in zip(*known, strict=True))
    predicting, training, weights = _NETWORKS.get((network, encoder), most)
    return Activations(CREEP * predicting, MARGIN * training, weights * MEBIBYTE)


@dataclass(frozen=True, slots=True)
class Peak:
    """Measured peak of a job, as a function of the largest image of its data set."""

    fixed: int
    """MiB independent of the image, interpreter included."""
    strip: float = 0
    """Bytes per pixel and class of a strip as wide as the image and as high as a shard."""
    image: float = 0
    """MiB for each image of the data set."""
    tile: float = 0
    """Bytes per pixel of a tile in which the map of one class is cleaned."""

    def bytes(self, *, strip: int, images: int, tile: int = 0) -> float:
        """The peak with its margin, in bytes, for the given pixels and classes of a strip, number of images, and tile."""
        return MARGIN * (self.strip * strip + self.tile * tile + (self.fixed + self.image * images) * MEBIBYTE)


JOBS = {
    "raw_images": Peak(230, image=0.1),
    "normalized_target": Peak(230, image=0.1),
    "index_candidates": Peak(310),
    "index_sampling": Peak(465, image=0.5),
    "model_ensemble": Peak(400),
    "model_hardest_of_members": Peak(400),
    "segmentation_thresholds": Peak(235, tile=30),
    # It includes the outlines of 50 000 regions, 4.5 kB each. Noisy maps give more: half a million per image.
    "segmentation_image": Peak(475, strip=7.5),
    "segmentation_lesions": Peak(300, image=1),
    "segmentation_hard_negatives": Peak(475, strip=7.5),
    "report_metrics": Peak(265, image=0.1),
    "report_borders": Peak(450, image=0.1),
    "report_page": Peak(770, image=0.5),
}
"""Rule → peak, in the order of the stages. On IDRiD, 12 Mpx and 5 classes, a strip has 44 million values."""
