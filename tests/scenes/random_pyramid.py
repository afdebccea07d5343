"""Store of random values in two levels, an image or a map, as the stages lay one out."""

from pathlib import Path

from pipeline.config import Storage
from pipeline.seeds import stream
from pipeline.stores import create_pyramid, seal, write_box


def stored(
    folder: Path,
    *,
    stage: str = "probability/unet/mean",
    shape: tuple[int, int, int] = (2, 700, 530),
    dtype: str = "float16",
    um: float | None = None,
    channels: tuple[str, ...] = (),
) -> Path:
    """The store ``{folder}/{stage}/a.zarr``: channels ``C0``, ``C1``, … or as named; float16 in 0…1 or bytes."""
    path = folder / stage / "a.zarr"
    shapes = [shape[1:], (-(-shape[1] // 2), -(-shape[2] // 2))]
    group = create_pyramid(
        path,
        channels=channels or [f"C{at}" for at in range(shape[0])],
        shapes=shapes,
        dtype=dtype,
        storage=Storage(chunk=128, shard=256),
        provenance={},
        pixel_size_um=um,
    )
    random = stream(0, "test")
    for at, size in enumerate(shapes):
        values = random.random((shape[0], *size)) if dtype == "float16" else random.integers(0, 256, (shape[0], *size))
        write_box(group[str(at)], values.astype(dtype), y0=0, x0=0)
    seal(path)
    return path
