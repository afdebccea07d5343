"""Parameters of data augmentation: a study's set by name, or a list of random changes in order of application."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag

from pipeline.config.values import Share, Strict

__all__ = [
    "AnyAugmentation",
    "Augmentation",
    "Blur",
    "BrightnessContrast",
    "Change",
    "Flips",
    "Gamma",
    "HueSaturation",
    "LowResolution",
    "Noise",
    "Scale",
    "StainChange",
    "Tint",
    "Turns",
]


class Augmentation(Strict):
    """A study's set of random changes of training patches, by name."""

    kind: Literal["fundus", "histology", "none"] = Field("fundus", description="Set of transforms.")
    probability: Share = Field(0.5, description="Probability of each transform.")
    brightness: Share = Field(0.15, description="Largest relative change of brightness and contrast.")
    scale: Share = Field(0.1, description="Fundus: largest relative change of size.")
    rotate: Annotated[float, Field(ge=0, le=180)] = Field(30.0, description="Largest rotation, degrees.")
    noise: Share = Field(0.03, description="Fundus: largest standard deviation of noise, as a share of the full range.")


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"{ends[0]:g} to {ends[1]:g} is no range: the smaller end comes first")
    return ends


_Gamma: TypeAlias = Annotated[float, Field(gt=0, le=100)]
_Sigma: TypeAlias = Annotated[float, Field(gt=0, le=64)]


class Scale(Strict):
    """Size: a larger or smaller box is read and resized to the side of the patch."""

    name: Literal["scale"] = Field("scale", description="Size.")
    probability: Share = Field(1.0, description="Probability.")
    range: Annotated[tuple[Annotated[float, Field(ge=0.25, le=4)], ...], AfterValidator(_rising)] = Field(
        (0.7, 1.4),
        min_length=2,
        max_length=2,
        description="Side of the box that is read, relative to that of the patch.",
    )


class Turns(Strict):
    """Quarter turns: none, one, two or three, equally likely."""

    name: Literal["turns"] = Field("turns", description="Quarter turns.")
    probability: Share = Field(1.0, description="Probability.")


class Flips(Strict):
    """Flips along either axis."""

    name: Literal["flips"] = Field("flips", description="Flips.")
    probability: Share = Field(0.5, description="Probability of each of the two flips.")


class Gamma(Strict):
    """Gamma curve, ``v^γ`` in the range 0…1."""

    name: Literal["gamma"] = Field("gamma", description="Gamma curve.")
    probability: Share = Field(0.5, description="Probability.")
    range: Annotated[tuple[_Gamma, _Gamma], AfterValidator(_rising)] = Field(
        (0.8, 1.25), description="Range of exponents, drawn uniformly in the logarithm."
    )


class BrightnessContrast(Strict):
    """Contrast around middle grey (128), then brightness."""

    name: Literal["brightness_contrast"] = Field("brightness_contrast", description="Brightness and contrast.")
    probability: Share = Field(0.5, description="Probability.")
    brightness: Share = Field(0.06, description="Largest shift, of the full range.")
    contrast: Share = Field(0.25, description="Largest relative change of the distance to middle grey.")


class Tint(Strict):
    """Independent shift of each channel."""

    name: Literal["tint"] = Field("tint", description="Shift of each channel.")
    probability: Share = Field(0.5, description="Probability.")
    most: Share = Field(0.03, description="Largest shift, of the full range.")


class HueSaturation(Strict):
    """Hue and saturation: colours rotated and stretched around the grey axis, at constant luma."""

    name: Literal["hue_saturation"] = Field("hue_saturation", description="Hue and saturation.")
    probability: Share = Field(0.5, description="Probability.")
    hue: Annotated[float, Field(ge=0, le=180)] = Field(
        10.0, description="Largest turn, degrees in the plane of I and Q."
    )
    saturation: Share = Field(0.2, description="Largest relative change of saturation.")


class Blur(Strict):
    """Gaussian blur."""

    name: Literal["blur"] = Field("blur", description="Gaussian blur.")
    probability: Share = Field(0.2, description="Probability.")
    sigma: Annotated[tuple[_Sigma, _Sigma], AfterValidator(_rising)] = Field(
        (0.3, 1.2), description="Standard deviation, pixels."
    )


class LowResolution(Strict):
    """Low resolution: downscaled by area averages, then upscaled to the former size by linear interpolation."""

    name: Literal["low_resolution"] = Field("low_resolution", description="Low resolution.")
    probability: Share = Field(0.2, description="Probability.")
    least: Annotated[float, Field(gt=0, le=1)] = Field(
        0.5, description="Smallest intermediate size, as a share of the side."
    )


class Noise(Strict):
    """Gaussian noise of each pixel and channel."""

    name: Literal["noise"] = Field("noise", description="Gaussian noise.")
    probability: Share = Field(0.2, description="Probability.")
    most: Share = Field(0.03, description="Largest standard deviation, as a share of the full range.")


class StainChange(Strict):
    """Independent stretch and shift of the concentrations of haematoxylin and eosin."""

    name: Literal["stain"] = Field("stain", description="Stain concentrations, H&E.")
    probability: Share = Field(0.5, description="Probability.")
    factor: Share = Field(0.2, description="Largest relative change of a concentration.")
    shift: Share = Field(0.05, description="Largest shift, as a share of the stain's 99th percentile.")


Change: TypeAlias = (
    Scale
    | Turns
    | Flips
    | Gamma
    | BrightnessContrast
    | Tint
    | HueSaturation
    | Blur
    | LowResolution
    | Noise
    | StainChange
)
"""A random change of a list."""


def _form(value: Any) -> str:  # noqa: ANN401 whatever is given is told apart before it is checked
    return "list" if isinstance(value, list | tuple) else "set"


def _one_scale(changes: tuple[Any, ...]) -> tuple[Any, ...]:
    if sum(isinstance(each, Scale) for each in changes) > 1:
        raise ValueError("scale is listed twice: a patch is read at one size")
    return changes


AnyAugmentation: TypeAlias = Annotated[
    Annotated[Augmentation, Tag("set")]
    | Annotated[tuple[Annotated[Change, Field(discriminator="name")], ...], AfterValidator(_one_scale), Tag("list")],
    Discriminator(_form),
]
"""A study's set by name, or a list of changes."""
