"""Parameters of stage probability: windows, fusions, batches."""

from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.config.values import Fusion, Side, Split, Storage, Strict, Workers

__all__ = ["DaskConfig", "ProbabilityConfig"]


class DaskConfig(Strict):
    """Scheduler that runs the blocks of an image."""

    scheduler: Annotated[str, Field(pattern=r"^(threads|(tcp|tls|ucx|ws|wss)://\S+)$")] = Field(
        "threads",
        description="threads: the job itself; tcp://host:port: the workers of that dask.distributed scheduler, "
        "which must see the results under the same paths.",
    )


class ProbabilityConfig(Strict):
    """Stage probability: sliding-window inference."""

    window: Side | None = Field(
        None, description="Side of the window; null for the patch side of the model's sampling."
    )
    small_images: Literal["reflect", "refuse"] = Field(
        "reflect",
        description="Treatment of an image smaller than the window: padding by reflection as in training, or an error.",
    )
    overlap: Annotated[float, Field(gt=0, le=0.99)] = Field(
        0.25, description="Overlap of windows for max, mean and gaussian."
    )
    fusions: tuple[Fusion, ...] = Field(("none", "max", "mean", "gaussian"), min_length=1, description="Maps to write.")
    splits: tuple[Split, ...] = Field(
        ("validation", "test", "predict"),
        min_length=1,
        description="Splits whose images get maps, masks and outlines. Only validation and test are ever "
        "measured; thresholds come from validation, even if it is not listed here.",
    )
    fuse: Literal["probabilities", "logits"] = Field(
        "probabilities", description="Values that are averaged where windows overlap; max is the same in both."
    )
    views: Literal["one", "flips", "flips_and_turns"] = Field(
        "one", description="Test-time augmentation: the mean over 1, 4 or 8 flips and turns of each window."
    )
    stored: Literal["float16", "uint8"] = Field(
        "float16", description="Type of the stored probabilities; uint8 has steps of 1/255 and half the size."
    )
    batch_size: Annotated[int, Field(ge=1, le=65536)] = Field(
        4, description="Windows per forward pass; halved where the memory of a GPU is too small."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Mixed precision (autocast); auto: bfloat16 where the device has instructions for it."
    )
    threads: Workers = Field(2, description="Torch threads on a CPU.")
    workers: Workers = Field(1, description="Threads of one job, and blocks in its memory at a time.")
    dask: DaskConfig = Field(DaskConfig(), description="Scheduler of the blocks.")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Device of the network; cuda: all GPUs.")
    skip_outside_roi: bool = Field(True, description="Skip windows without any pixel of the region of interest.")
    outside_roi: Literal["keep", "zero"] = Field(
        "keep", description="Probabilities outside field of view or tissue: kept, or 0. The fundus recipe sets 0."
    )
    storage: Storage = Field(
        Storage(),
        description="Chunks, shards, compression. The shard decides the order of summation: another shard size "
        "changes a map by rounding, at most one step of float16.",
    )

    def of_the_values(self) -> dict[str, Any]:
        """Plain values that the maps of an image depend on, without the choice of images and the scheduler."""
        return self.model_dump(mode="json", exclude={"splits", "workers", "dask"})
