"""Memory of a job: ``mem_mb`` of every rule of the workflow, from its configuration and the size of its image.

For stages normalized and probability, for training and for fact sheets it is computed; other rules use measured peaks.
All figures are MiB, upper bounds for images of real size, and include the Snakemake process around the job, because a
cluster counts it too. No pixel is read and no array library imported.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipeline.config import NormalizedConfig, Rescale, StageConfig
from pipeline.geometry import BLOCK
from pipeline.runtime.measured import JOBS, MARGIN, SNAKEMAKE, TORCH, activations_of
from pipeline.runtime.memory import INTERPRETER, MASK_PIECES, PIECES, normalized_bytes, probability_bytes
from pipeline.words import WORDS

__all__ = [
    "Picture",
    "fact_sheet_mb",
    "job_mb",
    "normalized_mb",
    "probability_mb",
    "rules_memory",
    "scaled_size",
    "stage_memory",
    "training_mb",
    "zoom_mb",
]

DECODED, DECODING, MASK = 3, 4, 1
"""Bytes per pixel of an image that is decoded whole, of its decoder, and of each of its masks."""
COUNTED = 2**26
"""Largest image, in pixels, whose whole masks are in memory to count the regions lost by downscaling."""
COUNTING, LABELLING = 2, 6
"""Bytes per pixel of each class during that count, and of the components of one."""
CLEANED_SIDE = 3 * 2048
"""Side of the tiles in which maps are cleaned for fitting thresholds."""
ORIGINAL = 12
"""Bytes per pixel and class of a block on the grid of the original."""
RESAMPLED = 2 * 3 * 2**23
"""A band of the original and its copy while a block is resampled."""
SHEET = 2 * 2**26
"""Pixels and truth of two blocks for a fact sheet."""
NARROW = 16.0
"""Standard deviation of a blur, in pixels, from which it is computed from cells."""
NUMBERS = (".json", "reference", "median")
"""Stain targets that are not images."""
ONE_FILE = 40_000_000
"""Pixels of the largest image whose levels in deep zoom are one file each."""
LEVELS, ENCODED = 4 / 3, 12
"""Bytes per pixel and layer over all its levels, and per pixel of an image during encoding."""
ZOOM_ROWS, STRIPS = 512, 16
"""Rows of a strip in deep zoom, and bytes per value of it: the strips of all levels and the sources of a layer."""
COPIES = 5
"""Weights, their gradients, two moments of AdamW, and those of the best epoch."""
LOADED = 2
"""Weights of a network and those in the file that it is loaded from."""
ENLARGED = 256.0
"""Bytes per pixel of the logits and of the loss's intermediate results, where a network sees a downsampled image."""
SMOOTHED = 3 * 2**27
"""A tile of maps with its halo while it is smoothed."""
CUT = ("segmentation_thresholds", "segmentation_image", "segmentation_hard_negatives")
"""Rules that smooth maps where configured."""
COMPUTED = (
    "raw_image",
    "normalized_stain",
    "normalized_image",
    "model_fit",
    "model_hardest",
    "probability_image",
    "report_worst",
    "report_zoom",
)
"""Rules whose memory is computed."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image before it is decoded, as described by its header."""

    height: int
    width: int
    whole: bool = True
    """Whether its file can only be decoded whole, as JPEG and PNG; TIFF and slides are decoded in pieces."""
    truth: int = 0
    """Classes that somebody looked for; 0 for an image without truth."""

    @property
    def pixels(self) -> int:
        """Pixels of the finest level."""
        return self.height * self.width

    @property
    def held(self) -> int:
        """Bytes of a file that is decoded whole: those kept throughout, and those during decoding."""
        return (DECODED + DECODING + MASK * self.truth) * self.pixels if self.whole else 0


def scaled_size(rescale: Rescale, picture: Picture) -> tuple[int, int]:
    """Height and width after rescaling.

    A field of view is about as wide as the shorter side of its image. Only its file knows the levels and micrometres of
    a slide; a view by them is at most as large as the file.
    """
    whole = min(picture.height, picture.width)
    factor = rescale.fov_diameter / whole if rescale.fov_diameter is not None else rescale.factor or 1.0
    return max(1, round(picture.height * factor)), max(1, round(picture.width * factor))


def _counting(picture: Picture, *, scaled: int) -> int:
    """Bytes while regions that vanish at the new size are counted, with whole masks of both sizes in memory."""
    if not picture.truth or picture.pixels > COUNTED:
        return 0
    return COUNTING * picture.truth * (picture.pixels + scaled) + LABELLING * picture.pixels


def _halo(config: NormalizedConfig) -> int:
    """Pixels around a block that the blur reads: a wide blur reads none; one set as a share of the field may be narrow."""
    sigma = config.gaussian.sigma
    widest = sigma if isinstance(sigma, float) else NARROW
    return math.ceil(3 * min(widest, NARROW)) + 1 if config.gaussian.apply else 0


def normalized_mb(config: NormalizedConfig, picture: Picture) -> int:
    """Memory of a job that normalises an image or estimates its stains, in MiB."""
    height, width = scaled_size(config.rescale, picture)
    rows, columns = min(config.strip_rows, height), min(config.strip_columns, width)
    workers = min(config.workers, math.ceil(height / rows) * math.ceil(width / columns))
    fundus = config.chain == "fundus"
    blocks = normalized_bytes(
        rows=rows,
        columns=columns,
        halo=_halo(config) if fundus else 0,
        classes=picture.truth,
        workers=workers,
        stained=not fundus,
        whole=picture.held,
    )
    if config.rescale == Rescale():
        return _mebibytes(INTERPRETER + blocks)
    counting = MASK_PIECES + picture.held + _counting(picture, scaled=height * width)
    return _mebibytes(INTERPRETER + max(blocks + workers * RESAMPLED, counting))


def fact_sheet_mb(picture: Picture) -> int:
    """Memory of a job that reads an image and its truth once, in MiB."""
    masks = MASK_PIECES if picture.truth else 0
    return _mebibytes(INTERPRETER + (picture.held or PIECES) + masks + SHEET)


def zoom_mb(config: StageConfig, picture: Picture, *, classes: int) -> int:
    """Memory of a job that writes images in deep zoom, in MiB: the levels of the layers of one pass, or strips of a large one."""
    height, width = scaled_size(config.normalized.rescale, picture)
    layers = max(4, 2 * classes + 1)  # Pixels with a spare byte; or truth, prediction and errors.
    levels = (LEVELS * layers + ENCODED) * min(height * width, ONE_FILE)
    strips = STRIPS * ZOOM_ROWS * width * layers
    return _mebibytes(MARGIN * (INTERPRETER + PIECES + picture.held + levels + strips))


def probability_mb(config: StageConfig, model: str, picture: Picture, *, classes: int) -> int:
    """Memory of an inference job on a normalised image with a model or an ensemble, in MiB.

    On a GPU the activations are in its own memory, and their share here is not needed.
    """
    settings, window = config.probability, config.window(model)
    members = [config.model.models[name] for name in config.model.members(model)]
    networks = [activations_of(each.network, each.encoder) for each in members]
    side = max(min(settings.storage.shard, max(picture.height, picture.width)), window)
    workers = min(settings.workers, math.ceil(picture.height / side) * math.ceil(picture.width / side))
    logits = settings.fuse == "logits"
    fused = probability_bytes(
        window=window,
        shard=side,
        classes=classes + logits,
        fusions=max(1, len({*settings.fusions} - {"none"})),
        batch=settings.batch_size,
        workers=workers,
        logits=logits,
    )
    forward = (
        settings.batch_size
        * window**2
        * max(
            each.predicting / member.downsample**2 + ENLARGED * (member.downsample > 1)
            for each, member in zip(networks, members, strict=True)
        )
    )
    return _mebibytes(TORCH + LOADED * sum(each.weights for each in networks) + fused + workers * forward)


def training_mb(config: StageConfig, model: str) -> int:
    """Memory of a job that trains a model, its reading processes included, in MiB."""
    settings = config.model.models[model]
    patch, network = config.index.samplings[settings.sampling].patch, activations_of(settings.network, settings.encoder)
    pixels = settings.batch_size * patch**2
    step = pixels * (network.training / settings.downsample**2 + ENLARGED * (settings.downsample > 1))
    process = TORCH + COPIES * network.weights + settings.readers * INTERPRETER
    parent = TORCH if settings.devices > 1 else 0
    return _mebibytes(parent + settings.devices * process + step)


def _mebibytes(size: float) -> int:
    return math.ceil((size + SNAKEMAKE) / 2**20)


def _measured_mb(rule: str, picture: Picture, *, config: StageConfig, classes: int, images: int) -> int:
    height, width = scaled_size(config.normalized.rescale, picture)
    strip = min(config.segmentation.storage.shard, height) * width * classes
    tile = min(height, CLEANED_SIDE) * min(width, CLEANED_SIDE)
    smoothings = (config.segmentation.smoothing, *config.segmentation.smoothing_of.values())
    smoothed = SMOOTHED if rule in CUT and any(each.method != "none" for each in smoothings) else 0
    return _mebibytes(JOBS[rule].bytes(strip=strip, images=images, tile=tile) + smoothed)


def job_mb(rule: str, *, config: StageConfig, picture: Picture, classes: int, images: int = 1, model: str = "") -> int:
    """Memory of one job, in MiB: the ``mem_mb`` of its rule.

    Parameters
    ----------
    rule
        Name of a rule of the workflow, such as ``normalized_image``.
    config
        Configuration of the data set.
    picture
        The original of the job's image; for rules on many images the largest.
    classes
        Classes of the data set.
    images
        Images that the job reads.
    model
        Name of the model or ensemble, where the rule has one.
    """
    match rule:
        case "report_metrics" if config.normalized.rescale != Rescale():
            # Plus truth at original size, and blocks of all classes: maps in float32 and float16, masks, truth.
            beside = MASK_PIECES + MASK * picture.truth * picture.pixels * picture.whole + ORIGINAL * classes * BLOCK**2
            measured = _measured_mb(rule, picture, config=config, classes=classes, images=images)
            return measured + math.ceil(beside / 2**20)
        case "raw_image":
            return fact_sheet_mb(picture)
        case "normalized_image":
            return normalized_mb(config.normalized, picture)
        case "normalized_stain":
            return normalized_mb(config.normalized, replace(picture, truth=0))
        case "normalized_target" if not config.normalized.stain.target.lower().endswith(NUMBERS):
            return normalized_mb(config.normalized, replace(picture, truth=0))
        case "report_zoom" | "report_worst":
            return zoom_mb(config, picture, classes=classes)
        case "model_fit" | "model_hardest":  # The second computes no gradient and needs less.
            return training_mb(config, model)
        case "probability_image":
            height, width = scaled_size(config.normalized.rescale, picture)
            return probability_mb(config, model, replace(picture, height=height, width=width), classes=classes)
    return _measured_mb(rule, picture, config=config, classes=classes, images=images)


def rules_memory(config: StageConfig, pictures: Iterable[Picture], *, classes: int) -> dict[str, int]:
    """Memory of the largest job of each rule of a data set, in MiB.

    Parameters
    ----------
    config
        Its configuration.
    pictures
        Its images; without any, nothing is known.
    classes
        Its classes.
    """
    known = sorted(pictures, key=lambda each: (each.pixels, each.truth))
    largest, images = {each.whole: each for each in known}.values(), len(known)
    trained = list(config.model.models)
    models = {"model_fit": trained, "model_hardest": trained, "probability_image": list(config.model.predictors)}
    return {
        rule: max(
            job_mb(rule, config=config, picture=each, classes=classes, images=images, model=model)
            for each in largest
            for model in models.get(rule, [""])
        )
        for rule in (COMPUTED + tuple(JOBS) if known else ())
        if models.get(rule, [""])
    }


def stage_memory(config: StageConfig, pictures: Iterable[Picture], *, classes: int) -> dict[str, int]:
    """Memory of the largest job of each stage, in MiB, stages in their order."""
    found = rules_memory(config, pictures, classes=classes)
    stages = {word: [size for rule, size in found.items() if rule.partition("_")[0] == word] for word in WORDS}
    return {word: max(sizes) for word, sizes in stages.items() if sizes}
