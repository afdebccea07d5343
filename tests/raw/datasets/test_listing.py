"""Folders as people have them: what is found, what is refused, and with which words."""

import errno
import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from snakemake.io import PeriodicityDetector

from pipeline.config.manifest import DatasetRecord
from pipeline.errors import ManifestError, MissingDataError
from pipeline.raw.datasets.entry import ImageEntry, checked_entries, entry_from_files
from pipeline.raw.datasets.folder import expression, truth_without_image
from pipeline.raw.datasets.listing import list_images
from pipeline.raw.datasets.tables import lookup_column
from pipeline.raw.facts import fact_sheet
from pipeline.words import safe_id


def picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 10), value, np.uint8)).save(path)


def record(**changes) -> DatasetRecord:
    base = {
        "title": "t",
        "adaptor": "folder",
        "modality": "fundus",
        "task": "multilabel",
        "classes": [{"code": "EX", "name": "e"}, {"code": "OD", "name": "o"}],
        "folder": {"images": "pics/{image}.*", "masks": {"EX": "ex/{image}_EX.png", "OD": "od/{image}.png"}},
    }
    return DatasetRecord.model_validate(base | changes)


@pytest.fixture
def root(tmp_path):
    for name in ("eye 1", "eye 2", "eye 3"):
        picture(tmp_path / "pics" / f"{name}.jpg")
    picture(tmp_path / "ex" / "eye 1_EX.png")
    picture(tmp_path / "od" / "eye 2.png")
    return tmp_path


def test_a_folder_gives_images_with_their_masks_in_text_order(root):
    entries = list_images(record(), dataset="mine", root=root)
    assert [entry.image_id for entry in entries] == ["eye_1", "eye_2", "eye_3"]
    assert [[code for code, _ in entry.masks] for entry in entries] == [["EX"], ["OD"], []]
    assert [entry.annotated for entry in entries] == [True, True, False]
    assert [entry.group for entry in entries] == ["eye_1", "eye_2", "eye_3"]


def test_where_a_missing_mask_means_unknown_a_class_without_a_file_is_unknown_in_that_image(root):
    picture(root / "od" / "eye 1.png")
    entries = list_images(record(missing_mask="unknown"), dataset="mine", root=root)
    assert [(entry.annotated, entry.unknown) for entry in entries] == [(True, ()), (True, ("EX",)), (False, ())]
    assert all(entry_from_files(each.facts(), **each.file_lists()).unknown == each.unknown for each in entries)
    # What stages record of an image of which every class is known stays as it was.
    assert ["unknown" in entry.facts() for entry in entries] == [False, True, False]
    sheets = [fact_sheet(entry, record=record(missing_mask="unknown")) for entry in entries]
    assert [list(sheet["pixels"].values()).count(-1) for sheet in sheets] == [0, 1, 2]
    assert sheets[1]["pixels"]["EX"] == -1


@pytest.mark.parametrize("missing", ["negative", "unknown"])
def test_an_image_without_truth_files_can_be_declared_free_of_lesions(root, missing):
    layout = record().folder.model_copy(update={"reviewed": "negative"})
    declared = record(missing_mask=missing).model_copy(update={"folder": layout})
    entries = list_images(declared, dataset="mine", root=root)
    unknown = [(), ()] if missing == "negative" else [("OD",), ("EX",)]
    assert [(entry.annotated, entry.unknown) for entry in entries] == [(True, each) for each in [*unknown, ()]]
    sheet = fact_sheet(entries[2], record=declared, workers=1)
    assert (sheet["pixels"], sheet["rejected"]) == ({"EX": 0, "OD": 0}, "")


@pytest.mark.parametrize(("missing", "disc"), [("negative", []), ("unknown", ["OD"])])
@pytest.mark.parametrize("declared", [{"reviewed": "negative"}, {"negative": "eye [23]"}])
def test_a_declaration_is_of_lesions_and_says_nothing_of_anatomy(root, missing, disc, declared):
    classes = [{"code": "MA", "name": "m"}, {"code": "EX", "name": "e"}, {"code": "OD", "name": "o", "kind": "anatomy"}]
    layout = {
        "images": "pics/{image}.*",
        "masks": {"MA": "ma/{image}.png", "EX": "ex/{image}_EX.png", "OD": "od/{image}.png"},
        **declared,
    }
    picture(root / "ma" / "eye 1.png")
    own = record(classes=classes, folder=layout, missing_mask=missing)
    entries = {each.image_id: each for each in list_images(own, dataset="mine", root=root)}
    # Lesions are known to be absent in both, with a mask of the disc or without; the disc is known where it was drawn.
    assert [list(entries[name].unknown) for name in ("eye_2", "eye_3")] == [[], disc]
    assert [fact_sheet(entries[name], record=own)["pixels"]["EX"] for name in ("eye_2", "eye_3")] == [0, 0]
    assert fact_sheet(entries["eye_3"], record=own)["pixels"]["OD"] == (-1 if disc else 0)


def test_a_wide_pattern_of_images_does_not_take_masks_for_images(tmp_path):
    for name in ("a.png", "a_EX.png", "a_OD.png", "b.png"):
        picture(tmp_path / name)
    layout = {"images": "{image}.png", "masks": {"EX": "{image}_EX.png", "OD": "{image}_OD.png"}}
    entries = list_images(record(folder=layout), dataset="mine", root=tmp_path)
    assert [entry.image_id for entry in entries] == ["a", "b"]


def test_group_and_centre_come_from_patterns_and_tables(root):
    (root / "centres.csv").write_text("image_id,centre\neye 1,Ulm\neye_2,Bern\n")
    changes = {"group": {"pattern": r"eye_(\d)"}, "centre": {"csv": "centres.csv"}}
    entries = list_images(record(**changes), dataset="mine", root=root)
    assert [(entry.group, entry.centre) for entry in entries] == [("1", "Ulm"), ("2", "Bern"), ("3", "")]


def test_the_official_test_is_a_pattern_over_the_path(tmp_path):
    for side in ("train", "test"):
        picture(tmp_path / side / f"{side}1.png")
        picture(tmp_path / side / f"{side}1_EX.png")
    layout = {
        "images": "*/{image}.png",
        "masks": {"EX": "*/{image}_EX.png", "OD": "*/{image}_EX.png"},
        "test": "^test/",
    }
    entries = list_images(record(folder=layout), dataset="mine", root=tmp_path)
    assert {entry.image_id: entry.official_test for entry in entries} == {"test1": True, "train1": False}


def refusal(root, words, error=ManifestError, **changes):
    with pytest.raises(error) as caught:
        list_images(record(**changes), dataset="mine", root=root)
    assert all(word in str(caught.value) for word in [*words, "found:", "expected:", "to do:"]), caught.value


def test_two_files_of_one_image_are_refused(root):
    picture(root / "pics" / "eye 1.png")
    refusal(root, ["eye 1.jpg", "eye 1.png", "one file"])


@pytest.mark.parametrize("names", [("eye_1", "eye_1"), ("eye_1", "EYE_1")])
def test_images_of_one_id_are_refused(names):
    entries = [
        ImageEntry(name, Path(folder, f"{name}.png")) for name, folder in zip(names, ("pos", "neg"), strict=True)
    ]
    with pytest.raises(ManifestError, match="have one id") as caught:
        checked_entries(entries, dataset="mine", codes=(), where="root")
    assert "Rename" in str(caught.value)


def test_a_class_that_no_file_has_is_refused(root):
    (root / "od" / "eye 2.png").unlink()
    refusal(root, ["OD", "0 files match the pattern od/{image}.png"])


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("ex/{image}_wrong.png", ["0 files match", "the folder ex: 2 files like ex/eye 1_EX.png", "ex/{image}_EX.png"]),
        ("exx/{image}_EX.png", ["0 files match", "the folder ex: 2 files like ex/eye 1_EX.png", "ex/{image}_EX.png"]),
        ("{image}_EX.png", ["0 files match", "files like ex/eye 1_EX.png", "EX: ex/{image}_EX.png"]),
        ("ex/{image}.png", ["2 files match", "ex/eye 1_EX.png for an image eye 1_EX", "3 images like pics/eye 1.jpg"]),
    ],
)
def test_a_pattern_that_finds_no_mask_is_said_with_its_class_and_the_nearest_file(root, pattern, words):
    """Not the pattern of the images; and the other class, whose files are found, is not named."""
    picture(root / "ex" / "eye 2_EX.png")
    layout = {"images": "pics/{image}.*", "masks": {"EX": pattern, "OD": "od/{image}.png"}}
    refusal(root, [*words, "a mask of EX.", f"EX: {words[0]} the pattern {pattern}"], folder=layout)
    with pytest.raises(ManifestError) as caught:
        list_images(record(folder=layout), dataset="mine", root=root)
    assert "pics/{image}" not in str(caught.value)
    assert "OD" not in str(caught.value)


def test_the_pattern_that_the_message_proposes_finds_the_masks(root):
    layout = {"images": "pics/{image}.*", "masks": {"EX": "masks/{image}.png", "OD": "od/{image}.png"}}
    with pytest.raises(ManifestError) as caught:
        list_images(record(folder=layout), dataset="mine", root=root)
    proposed = str(caught.value).rpartition("EX: ")[2].removesuffix(".")
    entries = list_images(
        record(folder=layout | {"masks": layout["masks"] | {"EX": proposed}}), dataset="mine", root=root
    )
    assert ("EX", root / "ex" / "eye 1_EX.png") in entries[0].masks


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ({"label": "labels/{image}.png", "values": {"EX": 1, "OD": 2}}, ["a label image", "label: 0 files match"]),
        ({"annotations": "{image}.geojson"}, ["a file of annotations", "annotations: 0 files match"]),
    ],
)
def test_a_pattern_of_other_truth_that_finds_nothing_is_said_by_its_key(root, truth, words):
    refusal(root, [*words, next(iter(truth.values()))], folder={"images": "pics/{image}.*", **truth})


def test_a_pattern_that_finds_no_image_is_said_with_the_nearest_file(root):
    layout = {"images": "pic/{image}.png", "masks": record().folder.masks}
    refusal(root, ["no images", "pic/{image}.png", "0 of 5 files", "pics: 3 files like pics/eye"], folder=layout)


def test_an_empty_folder_is_refused(tmp_path):
    refusal(tmp_path, ["no images", "mine"])


def test_a_missing_root_is_refused(tmp_path):
    refusal(tmp_path / "none", ["mine", "none", "roots="], MissingDataError)


@pytest.mark.parametrize("name", ["../eye", "a/b", ".hidden", "eye\\1"])
def test_an_id_that_leaves_its_folder_is_refused(tmp_path, name):
    table = tmp_path / "splits.csv"
    table.write_text(f"image_id,split\n{name},train\n")
    with pytest.raises(ManifestError) as caught:
        lookup_column(table, column="split")
    assert "splits.csv, line 2" in str(caught.value)
    assert name.replace("\\", "\\\\") in str(caught.value)


def test_an_id_that_stands_twice_in_a_table_is_refused(tmp_path):
    table = tmp_path / "splits.csv"
    table.write_text("image_id,split\na,train\na,test\n")
    with pytest.raises(ManifestError, match="line 3"):
        lookup_column(table, column="split")


@pytest.mark.parametrize("name", ["a b", "../x", "ü", "x/y", "...", "-rf", "18-099 26B(1)"])
def test_safe_ids_are_safe(name):
    made = safe_id(name)
    assert made
    assert not set(made) & set("/\\ ()")
    assert made[0] not in ".-"


@pytest.mark.parametrize(
    ("first", "second"), [("左眼", "右眼"), ("пациент 1", "пациент 2"), ("köln", "käln"), ("a—b", "a…b")]
)
def test_names_of_other_letters_that_differ_stay_different(first, second):
    assert safe_id(first) != safe_id(second)
    assert safe_id(first).isascii()


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("eye_01", "eye_01"),
        ("18-09926B_2019-05-08 23_29_50-lv1", "18-09926B_2019-05-08_23_29_50-lv1"),
        ("A.b-c", "A.b-c"),
        ("eye_" + "0" * 19, "eye_" + "0" * 19),
        ("a(1) <x>", "a_1_x_"),
        ("..-a", "a"),
        ("...", "_"),
    ],
)
def test_ids_of_ascii_names_stay_as_they_are(name, made):
    assert safe_id(name) == made


@pytest.mark.parametrize("name", ["eye_" + "0" * 22, "ab" * 25, "0" * 100, "x" + " " * 3 + "1234567" * 21])
def test_no_id_ends_in_what_the_workflow_takes_for_an_endless_rule(name):
    assert PeriodicityDetector().is_periodic(safe_id(name)) is None
    assert safe_id(name) != safe_id(name + name[-7:])


def test_patterns_know_folders_and_names():
    assert expression("**/{image}.tif").fullmatch("a/b/c.tif")["image"] == "c"
    assert expression("**/{image}.tif").fullmatch("c.tif")["image"] == "c"
    assert expression("{image}/{image}.tif").fullmatch("a/b.tif") is None
    assert expression("{image}/{image}.tif").fullmatch("a/a.tif")["image"] == "a"
    assert expression("x.y/{image}.*").fullmatch("xzy/a.png") is None


def slide_record(**layout) -> DatasetRecord:
    return record(adaptor="slide", folder=None, slide={"images": "**/{image}.svs", **layout})


@pytest.fixture
def slides(tmp_path):
    for name in ("a/S1.svs", "b/S 2.svs", "b/S3.svs", "drawn/S1.geojson", "drawn/S 2.geojson", "drawn/notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_slides_are_found_with_their_polygons(slides):
    made = slide_record(annotations="drawn/{image}.geojson", test="^b/")
    entries = list_images(made, dataset="mine", root=slides)
    assert [entry.image_id for entry in entries] == ["S1", "S3", "S_2"]
    assert [entry.annotations and entry.annotations.name for entry in entries] == ["S1.geojson", None, "S 2.geojson"]
    assert [entry.annotated for entry in entries] == [True, False, True]
    assert [entry.official_test for entry in entries] == [False, True, True]


def test_polygons_name_all_classes_so_none_is_missing(slides):
    made = slide_record(annotations="drawn/{image}.geojson").model_copy(update={"missing_mask": "unknown"})
    assert [entry.annotated for entry in list_images(made, dataset="mine", root=slides)] == [True, False, True]


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        (
            {"annotations": "{image}.geojson", "masks": {"EX": "{image}.png", "OD": "{image}_o.png"}},
            "annotations exclude",
        ),
        ({"annotations": "all.geojson"}, "needs {image}"),
        ({"annotations": "{image}.geojson", "unclassified": "TUMOR"}, "unclassified 'TUMOR' is no class"),
        ({"unclassified": "EX"}, "unclassified needs annotations"),
        ({"masks": {"EX": "{image}.png"}}, "slide names classes EX"),
    ],
)
def test_a_layout_that_contradicts_itself_is_refused(layout, words):
    with pytest.raises(ValueError, match=words):
        slide_record(**layout)


def test_each_adaptor_takes_its_own_block():
    with pytest.raises(ValueError, match="block slide belongs to adaptor slide"):
        record(slide={"images": "{image}.svs"})


def idrid_record() -> DatasetRecord:
    return record(adaptor="idrid", folder=None)


def test_the_released_idrid_folder_is_understood(tmp_path):
    base = tmp_path / "A. Segmentation"
    for side, names in (("a. Training Set", ["IDRiD_01", "IDRiD_02"]), ("b. Testing Set", ["IDRiD_55"])):
        for name in names:
            picture(base / "1. Original Images" / side / f"{name}.jpg")
            picture(base / "2. All Segmentation Groundtruths" / side / "5. Optic Disc" / f"{name}_OD.tif")
    truths = base / "2. All Segmentation Groundtruths" / "a. Training Set" / "3. Hard Exudates"
    picture(truths / "IDRiD_02_EX.tif")
    (truths / "Thumbs.db").touch()
    for root in (tmp_path, base):
        entries = list_images(idrid_record(), dataset="idrid", root=root)
        assert [entry.official_test for entry in entries] == [False, False, True]
        assert [[code for code, _ in entry.masks] for entry in entries] == [["OD"], ["EX", "OD"], ["OD"]]
    picture(truths / "IDRiD_02_EX.png")
    with pytest.raises(ManifestError, match=r"(?s)two masks of one class.*IDRiD_02_EX.png and .*IDRiD_02_EX.tif"):
        list_images(idrid_record(), dataset="idrid", root=tmp_path)


def test_a_folder_that_is_not_idrid_says_what_is_missing(tmp_path):
    with pytest.raises(MissingDataError, match="original images"):
        list_images(idrid_record(), dataset="idrid", root=tmp_path)


@pytest.mark.data
def test_the_real_idrid_images_are_found(real_data):
    entries = list_images(idrid_record(), dataset="idrid", root=real_data / "idrid")
    assert len(entries) == 12
    assert sum(entry.official_test for entry in entries) == 3


@pytest.mark.parametrize(("adaptor", "declared"), [("slide", True), ("slide", False), ("folder", False)])
def test_images_without_any_truth_are_there_to_be_predicted(tmp_path, adaptor, declared):
    (tmp_path / "a.png").touch()
    layout = {"images": "{image}.png"} | ({"annotations": "{image}.geojson"} if declared else {})
    facts = {"title": "t", "adaptor": adaptor, "modality": "histology", "task": "binary", adaptor: layout}
    record = DatasetRecord.model_validate(facts | {"classes": [{"code": "T", "name": "Tumor"}]})
    (entry,) = list_images(record, dataset="d", root=tmp_path)
    assert not entry.annotated


def test_a_folder_whose_declared_masks_are_nowhere_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    layout = {"images": "{image}.png", "masks": {"T": "masks/{image}.png"}}
    facts = {"title": "t", "adaptor": "folder", "modality": "histology", "task": "binary", "folder": layout}
    record = DatasetRecord.model_validate(facts | {"classes": [{"code": "T", "name": "Tumor"}]})
    with pytest.raises(ManifestError, match="has a mask of T"):
        list_images(record, dataset="d", root=tmp_path)


def test_a_table_may_name_files_with_their_suffix(root):
    (root / "g.csv").write_text("image_id,group\neye 1.jpg,a\neye_2.jpg,b\n")
    groups = [entry.group for entry in list_images(record(group={"csv": "g.csv"}), dataset="mine", root=root)]
    assert groups == ["a", "b", "eye_3"]


@pytest.mark.parametrize("lookup", [{"csv": "g.csv"}, {"pattern": "patient_([0-9]+)"}], ids=str)
def test_groups_that_fit_no_image_are_refused_because_each_would_be_a_patient(root, lookup):
    (root / "g.csv").write_text("image_id,group\nother,a\n")
    with pytest.raises(ManifestError, match="group of no image"):
        list_images(record(group=lookup), dataset="mine", root=root)


def test_a_table_that_is_not_utf_8_is_named(root):
    (root / "g.csv").write_bytes("image_id,group\neye_2,Köln\n".encode("latin-1"))
    with pytest.raises(ManifestError, match="UTF-8"):
        list_images(record(group={"csv": "g.csv"}), dataset="mine", root=root)


@pytest.mark.parametrize(
    "change", [{"group": {"pattern": "("}}, {"folder": {"images": "{image}.png", "test": "["}}], ids=str
)
def test_what_is_no_regular_expression_is_refused_with_the_manifest(change):
    with pytest.raises(ValidationError, match="no regular expression"):
        record(**change)


def test_a_name_that_is_no_utf_8_is_refused(root):
    (root / "pics" / "eye 1.jpg").rename(root / "pics" / "a\udcff.jpg")
    refusal(root, ["The name of a file cannot be used", "a\\udcff", "Rename"])


@pytest.mark.parametrize(
    "name",
    [
        *("a<5", "a>b<c", "<5 µm>", "#1 100% $HOME 'q' \"r\" [x]*?", "a\\b", "👁", "e\u200dx", " a ", "-a", "--", "~"),
        *("<results>", "a<b>c", "{image}", "a{", "a\nb", "a\x01", "a\x85", "مرحبا\u202eabc", "x" * 250, "眼" * 80),
    ],
)
def test_any_other_name_goes_through(root, name):
    (root / "pics" / "eye 1.jpg").rename(root / "pics" / f"{name}.jpg")
    picture(root / "ex" / "eye 2_EX.png")
    (entry,) = (each for each in list_images(record(), dataset="mine", root=root) if each.image.stem == name)
    assert entry.image_id == safe_id(name)
    assert len(entry.image_id) <= 200
    assert entry_from_files(entry.facts(), **entry.file_lists()).image == entry.image


@pytest.mark.parametrize("names", [("a b", "a_b"), ("A", "a"), ("-a", "a"), ("a'b", 'a"b', "a`b"), ("眼", "目")])
def test_names_that_differ_stay_different_in_one_data_set(tmp_path, names):
    for name in names:
        picture(tmp_path / "pics" / f"{name}.jpg")
        picture(tmp_path / "ex" / f"{name}_EX.png")
    layout = {"images": "pics/{image}.jpg", "masks": {"EX": "ex/{image}_EX.png"}}
    rows = "".join(f'"{name.replace(chr(34), 2 * chr(34))}",{at}\n' for at, name in enumerate(names))
    (tmp_path / "g.csv").write_text(f"image_id,group\n{rows}")
    changes = {"folder": layout, "classes": [{"code": "EX", "name": "e"}], "group": {"csv": "g.csv"}}
    entries = list_images(record(**changes), dataset="mine", root=tmp_path)
    assert len({entry.image_id.lower() for entry in entries}) == len(names)
    assert {(entry.image.stem, entry.group) for entry in entries} == {(name, str(at)) for at, name in enumerate(names)}
    assert all(entry.masks[0][1].stem == f"{entry.image.stem}_EX" for entry in entries)


def test_truth_without_an_image_is_found_and_accents_do_not_matter(tmp_path):
    picture(tmp_path / (unicodedata.normalize("NFD", "köln") + ".png"))
    for name in (unicodedata.normalize("NFC", "köln"), "other"):
        picture(tmp_path / f"{name}_EX.png")
    layout = {"images": "{image}.png", "masks": {"EX": "{image}_EX.png"}}
    found = record(folder=layout, classes=[{"code": "EX", "name": "e"}])
    entries = list_images(found, dataset="mine", root=tmp_path)
    assert [bool(entry.masks) for entry in entries] == [True]
    assert truth_without_image(tmp_path, layout=found.folder) == ["other_EX.png"]


def test_links_to_folders_are_followed_and_loops_end(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / "pics").rename(elsewhere / "pics")
    (root / "pics").symlink_to(elsewhere / "pics")
    (elsewhere / "pics" / "again").symlink_to(root)
    entries = list_images(record(), dataset="mine", root=root)
    assert [entry.image_id for entry in entries] == ["eye_1", "eye_2", "eye_3"]


@pytest.mark.parametrize("suffix", ["JPG", "Jpg", "jPG"])
def test_suffixes_match_whatever_their_case(tmp_path, suffix):
    picture(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(tmp_path / f"a.{suffix}")
    for name, end in (("a_EX", "PNG"), ("a_ex", "png")):
        picture(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.png").rename(tmp_path / f"{name}.{end}")
    layout = {"images": "{image}.jpg", "masks": {"EX": "{image}_EX.png"}}
    one = record(folder=layout, classes=[{"code": "EX", "name": "e"}])
    (entry,) = list_images(one, dataset="mine", root=tmp_path)
    assert [path.name for _, path in entry.masks] == ["a_EX.PNG"]


@pytest.mark.parametrize("target", ["pics/eye 4.jpg", "ex/eye 2_EX.png", "more"])
def test_a_link_that_leads_nowhere_is_an_error_and_not_an_image_without_lesions(root, target):
    (root / target).symlink_to(root / "gone")
    refusal(root, [target, "gone"], MissingDataError)


def test_a_link_in_a_circle_is_an_error(root):
    (root / "ex" / "eye 2_EX.png").symlink_to(root / "ex" / "eye 2_EX.png")
    refusal(root, ["eye 2_EX.png"], MissingDataError)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_folder_that_cannot_be_read_is_an_error(root, number, monkeypatch):
    scan = os.scandir

    def failing(path):
        if str(path).endswith("ex"):
            raise OSError(number, os.strerror(number), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", failing)
    refusal(root, [str(root / "ex"), os.strerror(number)], MissingDataError)


def test_idrid_masks_behind_a_link_that_leads_nowhere_are_an_error(tmp_path):
    base = tmp_path / "A. Segmentation"
    picture(base / "1. Original Images" / "a. Training Set" / "IDRiD_01.jpg")
    truths = base / "2. All Segmentation Groundtruths" / "a. Training Set"
    picture(truths / "5. Optic Disc" / "IDRiD_01_OD.tif")
    (truths / "3. Hard Exudates").symlink_to(tmp_path / "gone")
    with pytest.raises(MissingDataError, match="gone"):
        list_images(idrid_record(), dataset="idrid", root=tmp_path)


def numbered(root, rows):
    for name in ("010", "110", "210"):
        picture(root / "pics" / f"{name}.jpg")
        picture(root / "ex" / f"{name}_EX.png")
        picture(root / "od" / f"{name}.png")
    (root / "g.csv").write_text("image_id,group\n" + "".join(f"{row}\n" for row in rows))


def test_a_group_table_that_lost_leading_zeros_is_refused_and_they_are_the_first_advice(tmp_path):
    numbered(tmp_path, ["10,a", "110,a", "210,b"])
    refusal(tmp_path, ["1 (010)", "to do:    Restore the leading zeros", "'10'"], group={"csv": "g.csv"})


@pytest.mark.parametrize("rows", [["010,a", "110,a"], ["010,a", "110,a", "210,"]], ids=["no row", "no patient"])
def test_a_group_table_that_fits_in_part_is_refused_unless_the_manifest_allows_it(tmp_path, rows):
    numbered(tmp_path, rows)
    refusal(tmp_path, ["1 (210) of 3", "partial: true"], group={"csv": "g.csv"})
    allowed = record(group={"csv": "g.csv", "partial": True})
    groups = [entry.group for entry in list_images(allowed, dataset="mine", root=tmp_path)]
    assert groups == ["a", "a", "210"]


GROUPED = {"images": "{group}/{image}.png", "masks": {"EX": "{group}/{image}_EX.png", "OD": "{group}/{image}_OD.png"}}


def test_equal_names_in_the_folders_of_patients_stay_apart(tmp_path):
    for patient in ("pat1", "pat2"):
        for eye in ("left", "right"):
            for end in ("", "_EX", "_OD"):
                picture(tmp_path / patient / f"{eye}{end}.png")
    entries = list_images(record(folder=GROUPED), dataset="mine", root=tmp_path)
    assert [entry.image_id for entry in entries] == ["pat1_left", "pat1_right", "pat2_left", "pat2_right"]
    assert [entry.group for entry in entries] == ["pat1", "pat1", "pat2", "pat2"]
    assert all(mask.parent == entry.image.parent for entry in entries for _, mask in entry.masks)
    assert all(mask.name.startswith(entry.image.stem) for entry in entries for _, mask in entry.masks)


def test_equal_names_without_a_place_for_the_folder_are_refused_with_the_pattern_that_helps(tmp_path):
    for patient in ("pat1", "pat2"):
        picture(tmp_path / patient / "left.png")
    refusal(tmp_path, ["pat1/left.png", "{group}/{image}"], folder=GROUPED | {"images": "**/{image}.png", "masks": {}})


def test_the_folder_of_the_patient_stands_in_all_patterns_or_in_none():
    with pytest.raises(ValidationError, match="or in none"):
        record(folder=GROUPED | {"images": "**/{image}.png"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image_id,patient\n", ["missing: split", "a.csv, line 1", "columns image_id, patient"]),
        ("name,patient\na,b\n", ["missing: image_id and split", "columns name, patient"]),
        ("", ["an empty file"]),
        ("image_id,split\na,train\nb\n", ["fewer values", "a.csv, line 3", "found:    b"]),
    ],
)
def test_a_table_says_which_column_it_lacks_and_which_it_has(tmp_path, text, words):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ManifestError) as caught:
        lookup_column(tmp_path / "a.csv", column="split")
    assert all(word in str(caught.value) for word in words)


def test_spaces_beside_names_of_columns_do_not_count_and_other_separators_are_said(tmp_path):
    (tmp_path / "a.csv").write_text("image_id, patient\na, P \n")
    assert lookup_column(tmp_path / "a.csv", column="patient") == {"a": "P"}
    (tmp_path / "b.csv").write_text("image_id;patient\na;P\n")
    with pytest.raises(ManifestError, match="by commas"):
        lookup_column(tmp_path / "b.csv", column="patient")
