"""View of an image on the grid on which it is processed: a pyramid level of its file, resampled box by box."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pipeline.arrays.raster import Raster
from pipeline.config import Rescale
from pipeline.errors import ConfigurationError
from pipeline.geometry import Box
from pipeline.normalized.rescale import Rescaling
from pipeline.normalized.thumbnail import Thumbnail
from pipeline.raw.formats.source import ImageSource, Pixels

__all__ = ["View", "rescaling_of"]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """View of an image at the size at which it is processed. Any box can be read on its own."""

    source: ImageSource
    """The file."""
    rescaling: Rescaling
    """Rescaling from level 0 of the file to the grid of this view."""

    @property
    def level(self) -> int:
        """Level of the file that is read: the coarsest with no fewer pixels than the view."""
        fine = [
            at
            for at, (height, width) in enumerate(self.source.levels)
            if height >= self.rescaling.height and width >= self.rescaling.width
        ]
        return max(fine, default=0)

    @property
    def raster(self) -> Raster[Any]:
        """Raster of the pixels ``(h, w, 3)``, uint8 or uint16 as the file has them; the same for any partition."""
        stored: Raster[Any] = Raster(self.source.levels[self.level], partial(self.source.read, level=self.level))
        size = (self.rescaling.height, self.rescaling.width)
        if stored.shape == size:
            return stored
        from pipeline.arrays.resample import resampled_picture  # Compiled by numba, which is slow to import.

        return resampled_picture(stored, size)

    def read(self, box: Box) -> Pixels:
        """Pixels ``(h, w, 3)`` of a box."""
        return self.raster.read(box)


def rescaling_of(
    levels: Sequence[tuple[int, int]],
    *,
    rescale: Rescale,
    pixel_size_um: float | None,
    thumbnail: Callable[[], Thumbnail],
    name: str,
    said: str = "",
) -> Rescaling:
    """Rescaling that the configuration asks for.

    Parameters
    ----------
    levels
        ``(height, width)`` of each level of the file, finest first.
    rescale
        Requested rescaling.
    pixel_size_um
        Side of a pixel of level 0 in micrometres, where known.
    thumbnail
        Gives the thumbnail in which the field of view is found, where its diameter is requested. An image without a
        field of view counts as all field of view.
    name
        The image, for messages.
    said
        The file's statement of an impossible pixel size.

    Raises
    ------
    ConfigurationError
        The file lacks the level, or micrometres are requested and the pixel size is unknown.
    """
    height, width = levels[0]
    if rescale.level is not None:
        if rescale.level >= len(levels):
            found = ", ".join(f"{at}: {w}×{h}" for at, (h, w) in enumerate(levels))
            raise ConfigurationError(
                f"Image {name} does not have this level.",
                where="normalized.rescale.level",
                found=found,
                expected=f"a level {rescale.level}",
                remedy="Choose a level that all images have, or um_per_pixel.",
            )
        return Rescaling(levels[rescale.level][0] / height, height, width, *levels[rescale.level])
    if rescale.um_per_pixel is not None:
        if pixel_size_um is None:
            raise ConfigurationError(
                f"The pixel size of image {name} is unknown.",
                where="normalized.rescale.um_per_pixel",
                found=said or "a file that names no size",
                expected="micrometres per pixel",
                remedy="Give pixel_size_um of the data set in the manifest, or choose by level or factor.",
            )
        return Rescaling.of_factor(height, width, pixel_size_um / rescale.um_per_pixel)
    if rescale.fov_diameter is not None:
        # Only needed here, and slow to import: numba, and scipy.ndimage.
        from pipeline.normalized.roi import field_of_view, fov_diameter

        small = thumbnail()
        diameter = fov_diameter(field_of_view(small.pixels)) * small.cell_of(height, width)
        whole = float(min(height, width))
        return Rescaling.of_diameter(height, width, fov_diameter=diameter or whole, target=rescale.fov_diameter)
    return Rescaling.of_factor(height, width, rescale.factor or 1.0)
