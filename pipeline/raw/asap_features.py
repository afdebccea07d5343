"""ASAP annotations: features of the XML of the viewer ASAP, the format of CAMELYON16 and CAMELYON17.

An annotation is a closed ring of vertices in pixels of level 0, and its group names the class. Splines count as the
polygon of their vertices. Dots, point sets and measurements have no area. In CAMELYON16 the groups ``_0``, ``_1`` and
``Tumor`` are tumour, and ``_2`` and ``Exclusion`` are cut out of it; in CAMELYON17 they are ``metastases`` and
``normal``. Never tested on the files themselves.

References
----------
.. [1] G. Litjens et al., "1399 H&E-stained sentinel lymph node sections of breast cancer patients: the CAMELYON
   dataset", GigaScience 7(6):giy065, 2018. Slides and annotations: CC0.
"""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from pipeline.raw.features import Feature, Ring, checked_ring, is_flat

__all__ = ["asap_features", "is_xml"]

AREAS = ("Polygon", "Spline", "Rectangle")
NO_GROUP = "None"


def is_xml(content: bytes) -> bool:
    """Test for an XML document."""
    return content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def asap_features(content: bytes) -> Iterator[Feature]:
    """Features of an ASAP document, each with one area or none.

    Raises
    ------
    ValueError
        No such document, or an invalid vertex; the text begins with the number of the annotation, from 1.
    """
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise ValueError("a document that declares entities of its own")
    try:
        root = ET.fromstring(content)  # noqa: S314 entities, the danger, are refused above
    except ET.ParseError as error:
        raise ValueError(f"no XML: {error}") from error
    if root.tag != "ASAP_Annotations":
        raise ValueError(f"XML of the kind {root.tag[:80]!r}")
    for number, found in enumerate(root.iterfind("./Annotations/Annotation"), start=1):
        try:
            yield _feature(found)
        except (ValueError, TypeError) as error:
            raise ValueError(f"annotation {number}: {error}") from error


def _feature(found: ET.Element) -> Feature:
    group, kind = found.get("PartOfGroup", "").strip(), found.get("Type", "")
    names, ring = (group,) if group and group != NO_GROUP else (), _ring(found)
    passed = kind if kind not in AREAS else "flat" if is_flat(ring) else None
    if passed:
        return Feature(names, "", is_core=False, areas=(), passed={passed: 1})
    return Feature(names, "", is_core=False, areas=((ring,),))


def _ring(found: ET.Element) -> Ring:
    points = sorted(found.iterfind("./Coordinates/Coordinate"), key=lambda each: float(each.get("Order", 0)))
    return checked_ring([[float(each.get(axis) or "nan") for axis in ("X", "Y")] for each in points])
