"""Label metadata of OME-Zarr: scale, colours and names by which a viewer knows what a label means."""

from typing import Any

from pipeline.config.manifest import DatasetRecord

__all__ = ["label_attributes"]

OME_VERSION = "0.5"


def label_attributes(name: str, *, levels: int, record: DatasetRecord, pixel_size_um: float | None) -> dict[str, Any]:
    """OME-Zarr metadata of a label multiscale ``(y, x)`` at the root of a store, with ``image-label``.

    References
    ----------
    .. [1] OME-Zarr 0.5, sections multiscales and image-label. https://ngff.openmicroscopy.org/0.5/
    """
    unit = {"unit": "micrometer"} if pixel_size_um else {}
    base = pixel_size_um or 1.0
    datasets = [
        {"path": str(at), "coordinateTransformations": [{"type": "scale", "scale": [base * 2**at] * 2}]}
        for at in range(levels)
    ]
    axes = [{"name": axis, "type": "space", **unit} for axis in ("y", "x")]
    numbered = list(enumerate(record.classes, start=1))
    return {
        "version": OME_VERSION,
        "multiscales": [{"name": name, "axes": axes, "datasets": datasets}],
        "image-label": {
            "version": OME_VERSION,
            "colors": [{"label-value": number, "rgba": [*each.rgb, 255]} for number, each in numbered],
            "properties": [{"label-value": number, "code": each.code, "name": each.name} for number, each in numbered],
        },
    }
