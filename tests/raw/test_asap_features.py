"""ASAP's XML: groups and rings as they are written, and a sentence about what is no such document."""

import numpy as np
import pytest

from pipeline.raw.asap_features import asap_features, is_xml

POINTS = "".join(f'<Coordinate Order="{at}" X="{x}" Y="{y}"/>' for at, x, y in [(2, 4, 4), (0, 0, 0), (1, 4, 0)])


def document(*annotations: str) -> bytes:
    return f"<ASAP_Annotations><Annotations>{''.join(annotations)}</Annotations></ASAP_Annotations>".encode()


def annotation(points: str = POINTS, kind: str = "Polygon", group: str = "_0") -> str:
    return f'<Annotation Name="1" Type="{kind}" PartOfGroup="{group}"><Coordinates>{points}</Coordinates></Annotation>'


def test_vertices_are_in_their_order_and_the_group_is_the_class() -> None:
    (found,) = asap_features(document(annotation()))
    assert found.names == ("_0",)
    assert np.array_equal(found.areas[0][0], [[0, 0], [4, 0], [4, 4]])


def test_what_is_no_area_is_counted() -> None:
    found = list(asap_features(document(annotation(kind="Dot"), annotation(points=""), annotation(group="None"))))
    assert [dict(each.passed) for each in found] == [{"Dot": 1}, {"flat": 1}, {}]
    assert found[2].names == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<svg/>", "XML of the kind 'svg'"),
        (b"<ASAP_Annotations>", "no XML"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><ASAP_Annotations/>', "entities of its own"),
        (document(annotation(), annotation('<Coordinate Order="0" X="x" Y="1"/>')), "annotation 2"),
        (document(annotation('<Coordinate Order="0" X="inf" Y="1"/>')), "not finite"),
        (document(annotation('<Coordinate Order="0" X="1"/>')), "not finite"),
    ],
)
def test_another_document_is_refused_with_what_is_wrong(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(asap_features(content))


def test_xml_is_told_from_json() -> None:
    assert is_xml(b"\xef\xbb\xbf <a/>")
    assert not is_xml(b'{"type": "FeatureCollection"}')
