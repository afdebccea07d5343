"""Screenshots of napari's window with a normalised image, its truth and a prediction; needs a desktop or `xvfb-run`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # Absent where the quick tests collect this file.
    import napari
    from napari.layers import Layer

SIZE = (1400, 950)
DRAWN_MS = 5000
"""Time in which tiles are loaded and drawn."""


def opened(viewer: "napari.Viewer", store: Path, *, name: str, shows: Callable[[str], bool]) -> "list[Layer]":
    """Layers of a store as the plugin opens them, with those visible that ``shows`` names."""
    layers = viewer.open(str(store), plugin="napari-ome-zarr")
    for layer in layers:
        layer.name = f"{name}: {layer.name}"
        layer.visible = shows(layer.name)
    return list(layers)


def screenshot(results: Path, image: str, *, result: str, output: Path) -> None:
    """PNG of the window: image, truth and the segmentation of ``result``, which is ``model/fusion``.

    Parameters
    ----------
    results
        Folder of a data set's results.
    image
        Image id.
    result
        Model and fusion.
    output
        Folder of ``{image}.image.png``, ``{image}.truth.png`` and ``{image}.prediction.png``.
    """
    import napari
    from qtpy.QtTest import QTest

    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZE)
    layers = opened(
        viewer, results / "normalized" / f"{image}.zarr", name="image", shows=lambda name: "labels/" not in name
    )
    truth = [layer for layer in layers if layer.name.endswith("truth")]
    prediction = opened(
        viewer, results / "segmentation" / result / f"{image}.zarr", name="prediction", shows=lambda _: False
    )
    viewer.scale_bar.visible = True
    viewer.reset_view()
    output.mkdir(parents=True, exist_ok=True)
    for name, shown in {"image": [], "truth": truth, "prediction": prediction}.items():
        for layer in [*truth, *prediction]:
            layer.visible = layer in shown
        QTest.qWait(DRAWN_MS)
        viewer.screenshot(str(output / f"{image}.{name}.png"), canvas_only=False, flash=False)
    viewer.close()


def main() -> None:
    """Command ``python tests/viewers/napari_window.py RESULTS IMAGE MODEL/FUSION FOLDER``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="folder of a data set's results")
    parser.add_argument("image", help="image id")
    parser.add_argument("result", help="model/fusion")
    parser.add_argument("output", type=Path, help="folder of the pictures")
    arguments = parser.parse_args()
    screenshot(arguments.results, arguments.image, result=arguments.result, output=arguments.output)


if __name__ == "__main__":
    main()
