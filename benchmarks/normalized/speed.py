"""Speed of normalisation, its distance from the reference, repeatability and memory: ratios to StainTools in one run."""

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray

from benchmarks.normalized import ours
from benchmarks.normalized.peers import Image
from benchmarks.normalized.process import measured
from benchmarks.normalized.spread import target_image
from pipeline.arrays.optical_density import optical_density
from pipeline.normalized.stain.basis import angle, gains
from pipeline.normalized.stain.record import REFERENCE, Estimate
from pipeline.seeds import stream

__all__ = ["large_image", "section"]

HEIGHT, WIDTH = 4099, 4249
OURS_RUNS, PEER_RUNS, PROCESSES = 5, 2, 10
MEGAPIXELS = HEIGHT * WIDTH / 1e6


def large_image() -> Image:
    """The target image side by side with its mirrors, with uneven light and noise, so that its colours vary."""
    tile = target_image()
    tile = np.concatenate([tile, tile[:, ::-1]], axis=1)
    tile = np.concatenate([tile, tile[::-1]])
    repeats = -(-HEIGHT // tile.shape[0]), -(-WIDTH // tile.shape[1]), 1
    image = np.tile(tile, repeats)[:HEIGHT, :WIDTH].astype(np.float32)
    rng = stream(0, "benchmark", "large")
    light = cv2.resize(
        rng.uniform(0.97, 1.0, (8, 8)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    image *= light[:, :, None]
    image += rng.standard_normal(image.shape, dtype=np.float32)
    return np.asarray(np.clip(np.rint(image, out=image), 0, 255), np.uint8)


def _seconds(call: Callable[[], object], runs: int) -> float:
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """StainTools, fitted to the target image."""

    normaliser: object

    @classmethod
    def fitted(cls) -> "Peer | None":
        """None where it is absent."""
        try:
            from staintools.stain_normalizer import StainNormalizer
        except ImportError:
            return None
        normaliser = StainNormalizer("vahadane")
        normaliser.fit(target_image())
        return cls(normaliser)

    def vectors(self, image: Image) -> NDArray[np.float64]:
        """Its stain vectors; it writes into its input."""
        return np.asarray(self.normaliser.extractor.get_stain_matrix(image.copy()))  # type: ignore[attr-defined]

    def whole(self, image: Image) -> Callable[[], object]:
        """Its transform."""
        copy = image.copy()
        return lambda: self.normaliser.transform(copy)  # type: ignore[attr-defined]

    def given(self, image: Image, matrix: NDArray[np.float64], scale: NDArray[np.float64]) -> Callable[[], object]:
        """What its transform does once vectors and percentiles are known."""
        from staintools.miscellaneous.get_concentrations import get_concentrations

        copy, aim = image.copy(), self.normaliser.stain_matrix_target  # type: ignore[attr-defined]

        def call() -> object:
            amounts = get_concentrations(copy, matrix)
            amounts *= scale
            return (255 * np.exp(-1 * np.dot(amounts, aim))).reshape(copy.shape).astype(np.uint8)

        return call


def _largest_difference(image: Image, mapped: Image, found: Estimate) -> str:
    """Grey levels between ours and double precision through `spams.lasso`, strip by strip."""
    import spams

    basis, target, config = found.basis, REFERENCE.basis, ours.settings().stain
    assert basis is not None
    assert target is not None
    mix = np.asarray(target.matrix) * gains(basis.maxima, target.maxima, most=config.most_gain)[:, None]
    vectors, largest, differing = np.asfortranarray(np.asarray(basis.matrix).T), 0, 0
    for y in range(0, image.shape[0], 512):
        density = optical_density(image[y : y + 512], i0=basis.background).astype(np.float64).reshape(-1, 3)
        amounts = spams.lasso(
            np.asfortranarray(density.T), D=vectors, mode=2, lambda1=config.sparsity, pos=True
        ).toarray()
        grey = np.clip(np.floor(255 * np.exp(-(amounts.T @ mix)) + 0.5), 0, 255)
        strip = np.moveaxis(mapped[:, y : y + 512], 0, 2).reshape(-1, 3)
        away = np.abs(strip - grey)
        largest, differing = max(largest, int(away.max())), differing + int(np.count_nonzero(away))
    return f"{largest} grey level(s); {differing} of {mapped.size} values differ"


def _line(what: str, own: float, peer: float | None, aim: float, note: str) -> str:
    """A row of the table; what falls short is said."""
    if peer is None:
        return f"| {what} | {own:.3f} | absent | – | ≥ {aim:g} | {note} |"
    ratio = peer / own
    verdict = f"≥ {aim:g}" if ratio >= aim else f"≥ {aim:g}: **short**"
    return f"| {what} | {own:.3f} | {peer:.2f} | {ratio:.1f} | {verdict} | {note} |"


def _in_memory(image: Image, peer: Peer | None) -> tuple[list[str], list[str]]:
    config = ours.settings()
    found = ours.estimated(image, config)
    mapped = ours.mapped(image, found, REFERENCE, config)
    given = _seconds(lambda: ours.mapped(image, found, REFERENCE, config), OURS_RUNS)
    basis = _seconds(lambda: ours.estimated(image, config), OURS_RUNS)
    whole = _seconds(lambda: ours.mapped(image, ours.estimated(image, config), REFERENCE, config), OURS_RUNS)
    theirs: tuple[float | None, float | None] = (None, None)
    notes = []
    if peer:
        first, second = peer.vectors(image), peer.vectors(image)
        apart = max(angle(*pair) for pair in zip(first, second, strict=True))
        notes.append(f"StainTools' vectors of the same image, two runs: {apart:.2g}° apart.")
        theirs = (
            _seconds(peer.given(image, first, np.ones((1, 2))), PEER_RUNS),
            _seconds(peer.whole(image), PEER_RUNS),
        )
    rows = [
        _line(
            "pixels to pixels, bases and percentiles given", given, theirs[0], 100, f"{MEGAPIXELS / given:.0f} Mpx/s"
        ),
        _line("pixels to pixels with estimation", whole, theirs[1], 25, f"{MEGAPIXELS / whole:.0f} Mpx/s"),
    ]
    short = "" if basis <= 0.5 else ": **short**"
    table_of = f"{found.tissue_pixels / 1e6:.1f} million tissue pixels, used: {found.used}"
    notes.insert(0, f"Basis and exact percentiles: {basis:.3f} s (aim 0.5 s{short}); {table_of}.")
    notes.insert(
        1, f"Largest difference from `spams.lasso` in double precision: {_largest_difference(image, mapped, found)}."
    )
    return rows, notes


def _repeated(image: Image, folder: Path) -> str:
    path = folder / "large.npy"
    np.save(path, image)
    # One and two workers in turn: neither may change a bit.
    found = {measured("digest", path, folder, runs=1 + at % 2)["digest"] for at in range(PROCESSES)}
    verdict = "identical" if len(found) == 1 else f"**{len(found)} different**"
    return f"Estimate in {PROCESSES} processes, with 1 and 2 workers in turn: {verdict}."


def _files(image: Image, folder: Path) -> tuple[list[str], list[str]]:
    tiled, photograph, picture = folder / "large.tif", folder / "large.jpg", folder / "large.png"
    tifffile.imwrite(tiled, image, tile=(256, 256), compression="jpeg", photometric="rgb")
    for path in (photograph, picture):
        cv2.imwrite(str(path), image[:, :, ::-1])
    rows, notes = [], []
    for name, path in (("tiled JPEG TIFF", tiled), ("JPEG", photograph), ("PNG", picture)):
        own, peer = measured("ours", path, folder, runs=OURS_RUNS), measured("staintools", path, folder, runs=1)
        seconds, theirs = float(own["seconds"]), peer.get("seconds")
        note = f"{MEGAPIXELS / seconds:.0f} Mpx/s, of which the estimate {float(own['estimate']):.2f} s"
        rows.append(_line(f"{name} → OME-Zarr / PNG", seconds, float(theirs) if theirs else None, 20, note))
        memory = f"Peak memory, {name}: ours {float(own['peak']):.0f} MB (after imports {float(own['imports']):.0f})"
        beside = f"{float(peer['peak']):.0f} MB ({float(peer['imports']):.0f})" if theirs else "absent"
        notes.append(f"{memory}, StainTools {beside}.")
    return rows, notes


def section() -> str:
    """The Markdown section."""
    image, peer = large_image(), Peer.fitted()
    rows, notes = _in_memory(image, peer)
    print(*rows, *notes, sep="\n")
    with tempfile.TemporaryDirectory() as name:
        repeated = _repeated(image, Path(name))
        more, memory = _files(image, Path(name))
    print(repeated, *more, *memory, sep="\n")
    head = (
        f"{WIDTH}×{HEIGHT} pixels ({MEGAPIXELS:.1f} Mpx) made of tiatoolbox_target.png, Vahadane's method, ours in "
        f"{ours.WORKERS} threads and the median of {OURS_RUNS} runs after a warm-up, StainTools with all cores and the median "
        f"of {PEER_RUNS} runs (files: 1). Given bases: StainTools' own concentrations, scaling and recomposition. Files: decode, "
        "estimate, map, write; ours with two passes over the file and the pyramid, each side in a process of its own. A PNG "
        "can only be inflated whole and by one thread, and each of our two passes does it: about half of that time."
    )
    table = ["| what | ours, s | StainTools, s | ratio | aim | note |", "|---|---|---|---|---|---|", *rows, *more]
    return "\n".join([head, "", *table, "", *(f"- {note}" for note in (*notes, repeated, *memory))])
