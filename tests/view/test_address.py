"""Addresses: nobody without the token, under a foreign name or on a way that leads up gets anything."""

import pytest

from pipeline.view.address import Address
from pipeline.view.static import file_below, slice_of


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "LOCALHOST:9", "[::1]:8000", "[::1]"])
def test_names_of_this_machine_are_own(host):
    assert Address().is_own_host(host)


@pytest.mark.parametrize(
    "host",
    [None, "", "evil.example", "127.0.0.1.evil.example", "localhost:80:90", "localhost.evil:80", "10.0.0.1", ":80"],
)
def test_foreign_names_are_refused(host):
    assert not Address().is_own_host(host)


def test_tokens_differ_and_are_long():
    assert len({Address().token for _ in range(50)}) == 50
    assert len(Address().token) >= 22


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/u",
        "/tt/a",
        "//t/a",
        "/t/../a",
        "/t/a/../b",
        "/t/%2e%2e/a",
        "/t/..%2f..%2fetc",
        "/t/a%5c..",
        "/t/.hidden",
        "/t/%2ehidden/a",
        "/t//a",
        "/t/a%00b",
        "/t/.",
    ],
)
def test_other_tokens_and_ways_up_are_nowhere(target):
    assert Address("t").parts(target) is None


def test_names_are_decoded_once():
    assert Address("t").parts("/t/a%20b/%252e%252e?x=/../") == ("a b", "%2e%2e")
    assert Address("t").parts("/t/a/") == ("a",)
    assert Address("t").parts("/t") == ()


def test_links_that_lead_out_are_not_followed_and_those_inside_are(tmp_path):
    top, outside = tmp_path / "top", tmp_path / "outside"
    for folder in (top / "a", outside):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
    (tmp_path / "top2").mkdir()
    (tmp_path / "top2" / "file").write_text("a name that begins alike")
    (top / "out").symlink_to(outside / "file")
    (top / "folder").symlink_to(outside)
    (top / "alike").symlink_to(tmp_path / "top2" / "file")
    (top / "in").symlink_to(top / "a" / "file")
    (top / "round").symlink_to(top / "round")
    (top / ".hidden").write_text("x")
    (top / "shown").symlink_to(top / ".hidden")
    (tmp_path / "link").symlink_to(top)
    for root in (top, tmp_path / "link"):
        assert file_below(root, ("in",)) == file_below(root, ("a", "file")) == top / "a" / "file"
        for parts in (("out",), ("folder", "file"), ("alike",), ("round",), ("shown",), ("a",), (), ("none",)):
            assert file_below(root, parts) is None


@pytest.mark.parametrize(
    "header", [None, "", "bytes=0-", "bytes=1-3", "bytes=-4", "bytes=3-99", "bytes=9-9", "bytes=-99"]
)
def test_a_range_is_the_slice_that_python_takes(header):
    content = bytes(range(10))
    expected = {
        "bytes=1-3": content[1:4],
        "bytes=-4": content[-4:],
        "bytes=3-99": content[3:],
        "bytes=9-9": content[9:],
    }
    found = slice_of(10, header)
    assert content[found.start : found.stop] == expected.get(header, content)
    assert found.partial == bool(header)


def test_ranges_beyond_the_end_cannot_be_satisfied_and_other_kinds_give_all():
    assert slice_of(10, "bytes=10-") is None
    assert slice_of(10, "bytes=-0") is None
    assert slice_of(0, "bytes=0-0") is None
    for header in ("bytes=0-1,3-4", "bytes=5-2", "items=1-2", "bytes=-", "bytes=a-b"):
        assert not slice_of(10, header).partial
