"""Released data sets that patterns describe: folders made to the published layouts, their truth, and what the commands say."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from pipeline.cli import main
from pipeline.config.manifest import load_manifest
from pipeline.raw.datasets.left_over import left_over
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.facts import fact_sheet

RECORDS = load_manifest(Path(__file__).parents[3] / "datasets_manifest.yaml").datasets
HEIGHT, WIDTH = 40, 50


def picture(path: Path, *, colour: bool = True, box: int = 0, value: int = 255) -> None:
    """Picture of one colour, or a mask with a square of ``box`` pixels a side."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((HEIGHT, WIDTH, 3), 150, np.uint8) if colour else np.zeros((HEIGHT, WIDTH), np.uint8)
    if not colour:
        pixels[5 : 5 + box, 5 : 5 + box] = value
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, photometric="rgb" if colour else "minisblack", tile=(32, 32))
    else:
        Image.fromarray(pixels).save(path)


def ddr(root: Path) -> None:
    root = root / "lesion_segmentation"
    for name, split, folder in (("1", "train", "label"), ("2", "valid", "segmentation label"), ("3", "test", "label")):
        picture(root / split / "image" / f"007-{name}-100.jpg")
        for at, code in enumerate(("EX", "HE", "MA", "SE")):
            picture(root / split / folder / code / f"007-{name}-100.tif", colour=False, box=at)
    picture(root.parent / "DR_grading" / "train" / "007-9-100.jpg")


def e_ophtha(root: Path, code: str, ending: str) -> None:
    for name in ("C1", "C2"):
        picture(root / code / "E0000404" / f"{name}.JPG")
        picture(root / f"Annotation_{code}" / "E0000404" / f"{name}{ending}.png", colour=False, box=3)
    picture(root / "healthy" / "E0000405" / "C1.jpg")


def fgadr(root: Path) -> None:
    folders = ("Microaneurysms", "Hemohedge", "HardExudate", "SoftExudate", "IRMA", "Neovascularization")
    for at, name in enumerate(("0000_1", "0001_2")):
        picture(root / "Seg-set" / "Original_Images" / f"{name}.png")
        for box, folder in enumerate(folders[: 6 - 2 * at], start=1):
            picture(root / "Seg-set" / f"{folder}_Masks" / f"{name}.png", colour=False, box=box)
    (root / "Seg-set" / "DR_Seg_Grading_Label.csv").write_text("0000_1.png,1\n0001_2.png,2\n")


def glas(root: Path) -> None:
    for name in ("train_1", "train_2", "testA_1", "testB_1"):
        picture(root / f"{name}.bmp")
        glands = np.zeros((HEIGHT, WIDTH), np.uint8)
        glands[:4, :4], glands[10:13, 10:13] = 1, 37
        Image.fromarray(glands).save(root / f"{name}_anno.bmp")
    head = "name,patient ID, grade (GlaS), grade (Sirinukunwattana et al. 2015)\n"
    rows = [
        f"{name}, {patient}, benign, healthy\n"
        for name, patient in zip(("train_1", "train_2", "testA_1", "testB_1"), (1, 1, 2, 3), strict=True)
    ]
    (root / "Grade.csv").write_text(head + "".join(rows))


def square(group: str, x: float, y: float, side: float, kind: str = "Polygon") -> str:
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    points = "".join(f'<Coordinate Order="{at}" X="{px}" Y="{py}" />' for at, (px, py) in enumerate(corners))
    return f'<Annotation Name="a" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58"><Coordinates>{points}</Coordinates></Annotation>'


def asap(path: Path, *annotations: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>{"".join(annotations)}</Annotations>'
        '<AnnotationGroups><Group Name="_0" PartOfGroup="None" Color="#00ff00"><Attributes /></Group></AnnotationGroups></ASAP_Annotations>'
    )


def camelyon16(root: Path, *, masks: bool) -> None:
    for name in ("normal_001", "tumor_001", "tumor_002", "test_001", "test_002"):
        picture(root / "images" / f"{name}.tif")
    for name in ("tumor_001", "test_001"):
        if masks:
            picture(root / "masks" / f"{name}_mask.tif", colour=False, box=10, value=1)
        else:
            # The two holes overlap: what lies in both is cut out, not filled again.
            holes = square("_2", 12, 12, 3), square("Exclusion", 13, 13, 3)
            asap(root / "annotations" / f"{name}.xml", square("_0", 10, 10, 10), square("Tumor", 30, 10, 2), *holes)


def camelyon17(root: Path) -> None:
    for name in ("patient_004_node_4", "patient_004_node_3"):
        picture(root / "images" / f"{name}.tif")
    dot = square("metastases", 1, 1, 1, kind="Dot")
    asap(
        root / "annotations" / "patient_004_node_4.xml",
        square("metastases", 10, 10, 4),
        square("normal", 10, 10, 2),
        dot,
    )


MADE = {
    "ddr": ddr,
    "e_ophtha_ma": lambda root: e_ophtha(root, "MA", ""),
    "e_ophtha_ex": lambda root: e_ophtha(root, "EX", "_EX"),
    "fgadr": fgadr,
    "glas": glas,
    "camelyon16": lambda root: camelyon16(root, masks=False),
    "camelyon16_masks": lambda root: camelyon16(root, masks=True),
    "camelyon17": camelyon17,
}
PIXELS = {
    "ddr": {f"007-{n}-100": {"MA": 4, "HE": 1, "EX": 0, "SE": 9} for n in (1, 2, 3)},
    "e_ophtha_ma": {"E0000404_C1": {"MA": 9}, "E0000404_C2": {"MA": 9}, "E0000405_C1": {"MA": 0}},
    "e_ophtha_ex": {"E0000404_C1": {"EX": 9}, "E0000404_C2": {"EX": 9}, "E0000405_C1": {"EX": 0}},
    "fgadr": {
        "0000_1": {"MA": 1, "HE": 4, "EX": 9, "SE": 16, "IRMA": 25, "NV": 36},
        "0001_2": {"MA": 1, "HE": 4, "EX": 9, "SE": 16, "IRMA": 0, "NV": 0},
    },
    "glas": {name: {"GLAND": 25} for name in ("train_1", "train_2", "testA_1", "testB_1")},
    "camelyon16": {"normal_001": 0, "tumor_001": 104 - 14, "test_001": 104 - 14, "tumor_002": -1, "test_002": -1},
    "camelyon16_masks": {"normal_001": 0, "tumor_001": 100, "test_001": 100, "tumor_002": -1, "test_002": -1},
    "camelyon17": {"patient_004_node_4": 12, "patient_004_node_3": -1},
}
TEST = {"ddr": {"007-3-100"}, "glas": {"testA_1", "testB_1"}, "camelyon16": {"test_001", "test_002"}}


@pytest.fixture(params=sorted(MADE))
def released(request, tmp_path) -> tuple[str, Path]:
    root = tmp_path / "release"
    root.mkdir()
    MADE[request.param](root)
    return request.param, root


def test_truth_is_that_of_the_published_layout(released) -> None:
    name, root = released
    record = RECORDS[name]
    entries = list_images(record, dataset=name, root=root)
    sheets = {each.image_id: fact_sheet(each, record=record) for each in entries}
    assert {image: sheet["rejected"] for image, sheet in sheets.items()} == dict.fromkeys(sheets, "")
    for image, expected in PIXELS[name].items():
        assert sheets[image]["pixels"] == (expected if isinstance(expected, dict) else {"TUMOUR": expected}), image
    assert {each.image_id for each in entries if each.official_test} == TEST.get(name.removesuffix("_masks"), set())


def test_nothing_that_looks_like_truth_is_left_over(released) -> None:
    name, root = released
    entries = list_images(RECORDS[name], dataset=name, root=root)
    said = " ".join(left_over(RECORDS[name], entries=entries, root=root))
    assert "truth files without image" not in said
    assert ("files look like images" in said) == (name == "ddr")  # its pictures for grading alone


def test_init_knows_the_release_and_check_says_that_it_was_never_tried(released, tmp_path, monkeypatch, capsys) -> None:
    name, root = released
    monkeypatch.chdir(tmp_path)
    assert main(["init", str(root)]) == 0
    assert f"released layout of {name}," in capsys.readouterr().out
    main(["check", "--config", f'datasets=["{name}"]', f'roots={{"{name}": "{root}"}}'])
    assert capsys.readouterr().out.count("never tried on the files themselves") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["release"]


def test_patients_of_glas_come_from_its_table(tmp_path) -> None:
    glas(tmp_path)
    groups = {each.image_id: each.group for each in list_images(RECORDS["glas"], dataset="glas", root=tmp_path)}
    assert groups == {"train_1": "1", "train_2": "1", "testA_1": "2", "testB_1": "3"}


def test_every_release_of_patterns_is_cited_and_short() -> None:
    text = (Path(__file__).parents[3] / "datasets_manifest.yaml").read_text()
    for name in MADE:
        block = text.split(f"\n  {name}:\n")[1].split("\n\n")[0]
        assert len(block.splitlines()) <= 60
        assert RECORDS[name].untried
        assert "http" in RECORDS[name].source
        assert RECORDS[name].licence != "unknown"
