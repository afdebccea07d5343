"""Places of a prediction: the result files of one new image, all in one folder and each named by the word of its stage."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGE", "Places"]

PAGE = "index.html"
"""Page of all predictions of a folder."""


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of the results of one image."""

    folder: Path
    """``{out}/{image}``."""

    @property
    def normalized(self) -> Path:
        """Normalised store."""
        return self.folder / "normalized.zarr"

    @property
    def stain(self) -> Path:
        """Stains of the image, where they are normalised."""
        return self.folder / "normalized.stain.json"

    @property
    def target(self) -> Path:
        """Stain target of the image."""
        return self.folder / "normalized.target.json"

    def of_result(self, stage: str, *, model: str, fusion: str, suffix: str) -> Path:
        """Result of a model and a fusion.

        Examples
        --------
        >>> Places(Path("out/eye")).of_result("probability", model="unet", fusion="mean", suffix=".zarr").as_posix()
        'out/eye/probability.unet.mean.zarr'
        """
        return self.folder / f"{stage}.{model}.{fusion}{suffix}"

    def tidy(self) -> None:
        """Removal of empty folders: that of unfinished results, and that of the image."""
        for folder in (self.folder / ".partial", self.folder):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
