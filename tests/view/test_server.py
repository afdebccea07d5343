"""The server: over HTTP it gives the pixels of the stores, to GET and HEAD, to those who know the address, and nothing else."""

import http.client
import io
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import zarr
from PIL import Image
from zarr.storage import FsspecStore

from pipeline.errors import MissingDataError
from pipeline.view.catalogue import open_datasets
from pipeline.view.originals import Originals
from pipeline.view.server import Viewing, serving
from tests.view.scene import CONFIG, IMAGE, RECORD, Scene

PAGE = f"image/eyes/{IMAGE}/"


@pytest.fixture(scope="module")
def address(scene: Scene) -> Iterator[str]:
    (dataset,) = open_datasets(scene.results)
    originals = Originals({IMAGE: scene.entry}, RECORD, CONFIG)
    with serving(Viewing.of((replace(dataset, originals=originals),))) as found:
        yield found


def ask(address: str, path: str = "", *, method: str = "GET", host: str | None = None, **headers: str):
    """Status, headers and body of an answer."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    try:
        connection.putrequest(method, parts.path + path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host or parts.netloc)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def facts_of(page: bytes) -> dict:
    return json.loads(re.search(r'id="facts">(.*?)</script>', page.decode(), re.DOTALL)[1])


def test_every_layer_of_a_page_is_served_and_masks_are_exact(address: str, scene: Scene):
    status, _, page = ask(address, PAGE)
    assert status == 200
    (pane,) = facts_of(page)["panes"]
    arrays = {"truth": scene.truth, "prediction": scene.masks}
    assert {each["kind"] for each in pane["layers"]} == {
        "original",
        "normalised",
        "truth",
        "prediction",
        "errors",
        "probability",
    }
    for layer in pane["layers"]:
        status, headers, body = ask(address, f"{PAGE}{layer['name']}.0.0.1.{layer['suffix']}")
        assert (status, headers["Content-Type"]) == (200, f"image/{layer['suffix'].replace('jpg', 'jpeg')}")
        with Image.open(io.BytesIO(body)) as picture:
            values = np.asarray(picture)
        if layer["kind"] in arrays:
            assert np.array_equal(values > 0, arrays[layer["kind"]][layer["class"], :512, 512:1024] > 0)
        if layer["kind"] in ("original", "normalised"):
            expected = np.moveaxis(scene.pixels[:, :512, 512:1024], 0, 2)
            assert np.abs(values.astype(int) - expected).mean() < 3


def test_results_stand_side_by_side_as_they_are_asked_for(address: str):
    _, _, page = ask(address, f"{PAGE}?result=unet/gaussian&result=other/gaussian&result=none/such")
    assert [each["title"] for each in facts_of(page)["panes"]] == ["other/gaussian", "unet/gaussian"]
    _, _, page = ask(address, f"{PAGE}?result=%3Cscript%3E")
    assert b"<script>/" not in page
    assert len(facts_of(page)["panes"]) == 1


def test_names_with_markup_stay_text_and_pages_name_no_other_place(address: str):
    for path in ("", "dataset/eyes/", PAGE):
        status, _, page = ask(address, path)
        assert status == 200
        assert b"<b>a&b</b>" not in page
        assert not re.search(rb"""(src|href)=["'](https?:)?//""", page)
    assert b"&lt;b&gt;a&amp;b&lt;/b&gt;" in page


def test_only_who_knows_the_address_gets_anything(address: str):
    parts = urlsplit(address)
    root = f"{parts.scheme}://{parts.netloc}"
    for path in ("/", "/favicon.ico", f"/{'x' * len(parts.path.strip('/'))}/", "/files/raw/images.parquet"):
        status, _, body = ask(root, path)
        assert status == 404
        assert parts.path.strip("/").encode() not in body
    for host in ("evil.example", f"evil.example:{parts.port}", "127.0.0.1.evil.example"):
        assert ask(address, host=host)[0] == 403
    assert ask(address, host="localhost:1")[0] == 200, "a tunnel may begin at another port"
    assert parts.hostname == "127.0.0.1"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_refused(address: str, method: str):
    status, headers, _ = ask(address, "files/eyes/raw/images.parquet", method=method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["", PAGE, "files/eyes/raw/images.parquet", "nothing"])
def test_head_says_what_get_would_send_and_sends_nothing(address: str, path: str):
    status, headers, body = ask(address, path)
    head = ask(address, path, method="HEAD")
    assert (head[0], head[1]["Content-Length"], head[2]) == (status, str(len(body)), b"")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_files_of_the_results_come_whole_and_in_ranges(address: str, scene: Scene):
    path = "eyes/raw/images.parquet"
    content = (scene.results / path).read_bytes()
    assert ask(address, f"files/{path}")[2] == content
    status, headers, body = ask(address, f"files/{path}", Range="bytes=-8")
    assert (status, body) == (206, content[-8:])
    assert headers["Content-Range"] == f"bytes {len(content) - 8}-{len(content) - 1}/{len(content)}"
    status, headers, _ = ask(address, f"files/{path}", Range=f"bytes={len(content)}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(content)}")


def test_zarr_reads_the_stores_over_http_by_ranges(address: str, scene: Scene):
    files = {"asynchronous": True, "client_kwargs": {"trust_env": False}}
    arrays = {
        f"normalized/{IMAGE}.zarr": {"0": scene.pixels, "truth": scene.truth},
        f"probability/unet/gaussian/{IMAGE}.zarr": {"0": scene.maps},
        f"segmentation/unet/gaussian/{IMAGE}.zarr": {"masks": scene.masks},
    }
    for path, named in arrays.items():
        store = FsspecStore.from_url(f"{address}files/eyes/{path}", storage_options=files, read_only=True)
        group = zarr.Group.open(store)
        for name, expected in named.items():
            array = group[name]
            assert array.shards is not None, "chunks are parts of a file"
            assert np.array_equal(array[:], expected)
            assert np.array_equal(array[..., 520:600, 530:570], expected[..., 520:600, 530:570])


@pytest.mark.parametrize(
    "path",
    [
        "files/../../photographs/eye_1.png",
        "files/%2e%2e/%2e%2e/photographs/eye_1.png",
        "files/..%2f..%2fphotographs%2feye_1.png",
        "files//etc/passwd",
        "files/eyes",
        "assets/../page.py",
        f"image/eyes/../{IMAGE}/",
        f"image/eyes/{IMAGE}/tile/0/-/-/normalised.0.0.99.jpg",
        f"image/eyes/{IMAGE}/tile/0/-/-/normalised.99.0.0.jpg",
        f"image/eyes/{IMAGE}/tile/0/none/such/prediction.0.0.0.0.png",
        f"image/eyes/{IMAGE}/tile/0/-/-/prediction.0.0.0.0.png",
        f"image/eyes/{IMAGE}/tile/0/unet/gaussian/prediction.7.0.0.0.png",
        "image/eyes/none/",
        "image/none/none/",
        "dataset/none/",
    ],
)
def test_what_is_not_there_is_not_found(address: str, path: str):
    assert ask(address, path)[0] == 404


def test_links_out_of_the_results_lead_nowhere(scene: Scene, tmp_path: Path):
    shutil.copytree(scene.results, tmp_path / "results")
    eyes = tmp_path / "results" / "eyes"
    (eyes / "secret.png").symlink_to(scene.file)
    moved = tmp_path / "elsewhere.zarr"
    for stage, inner in (("probability", ""), ("segmentation", "masks")):
        path = eyes / stage / "unet" / "gaussian" / f"{IMAGE}.zarr" / inner
        shutil.move(path, moved / stage)
        path.symlink_to(moved / stage)
    with serving(Viewing.of(open_datasets(tmp_path / "results"))) as address:
        assert ask(address, "files/eyes/secret.png")[0] == 404
        _, _, page = ask(address, f"{PAGE}?result=unet/gaussian")
        assert [each["title"] for each in facts_of(page)["panes"]] == ["other/gaussian"]
        for kind in ("probability", "prediction"):
            assert ask(address, f"{PAGE}tile/0/unet/gaussian/{kind}.0.0.0.0.png")[0] == 404


def test_one_data_set_alone_can_be_viewed_and_a_folder_without_results_is_explained(scene: Scene, tmp_path: Path):
    assert [each.name for each in open_datasets(scene.dataset)] == ["eyes"]
    with pytest.raises(MissingDataError, match="lesionmap view"):
        open_datasets(tmp_path)


def test_classes_have_the_names_and_colours_that_masks_note(scene: Scene):
    (dataset,) = open_datasets(scene.results)
    (row,) = dataset.rows().values()
    assert [(each.name, each.rgb) for each in dataset.record(row).classes] == [
        (each.name, each.rgb) for each in RECORD.classes
    ]


def test_a_page_without_its_last_stroke_is_sent_there(address: str):
    status, headers, _ = ask(address, PAGE.removesuffix("/"))
    assert (status, headers["Location"]) == (301, f"{IMAGE}/")
