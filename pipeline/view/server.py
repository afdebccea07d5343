"""Server of the viewer: it answers GET and HEAD from this machine only, and only with the token in the address."""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from pipeline.errors import PipelineError
from pipeline.report import page as report_page
from pipeline.view.address import Address
from pipeline.view.catalogue import Dataset, Result
from pipeline.view.gallery import Gallery
from pipeline.view.pages import dataset_page, image_page, index_page
from pipeline.view.static import content_type, file_below, slice_of
from pipeline.view.tiles import Tile

__all__ = ["Viewing", "serving"]

ASSETS = Path(report_page.__file__).parent / "viewer"
METHODS = ("GET", "HEAD")
TILE_NAME = re.compile(
    r"(?P<kind>[a-z]+)(?:\.(?P<number>\d+))?\.(?P<level>\d+)\.(?P<row>\d+)\.(?P<column>\d+)\.(?:png|jpg)"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # The address holds the token.
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: blob:; base-uri 'none'; form-action 'self'",
}
BUFFER = 2**18
FRESH, FOR_EVER = "no-cache", "private, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)


def _plain(status: HTTPStatus, text: str = "", **headers: str) -> _Answer:
    return _Answer(f"{text or status.phrase}\n".encode(), "text/plain; charset=utf-8", status, headers)


NOT_FOUND = _plain(HTTPStatus.NOT_FOUND)


@dataclass(slots=True, eq=False)
class Viewing:
    """Everything served."""

    top: Path
    """Folder whose files are served."""
    gallery: Gallery
    address: Address = field(default_factory=Address)

    @classmethod
    def of(cls, datasets: tuple[Dataset, ...]) -> "Viewing":
        """Viewing of data sets of one folder."""
        return cls(datasets[0].top, Gallery({each.name: each for each in datasets}))

    def answer(self, parts: tuple[str, ...], query: str) -> _Answer:
        """Answer to a path after the token that is not a file."""
        match parts:
            case ():
                return _Answer(index_page(self.gallery.datasets).encode())
            case ("dataset", name):
                return _Answer(dataset_page(self.gallery.datasets[name]).encode())
            case ("image", name, image):
                asked = parse_qs(query).get("result", [])
                return _Answer(image_page(self.gallery, self.gallery.datasets[name], image, asked=asked).encode())
            case ("image", name, image, "tile", _, model, fusion, tile):
                return self._tile(name, image, Result(model, fusion), tile)
            case _:
                return NOT_FOUND

    def _tile(self, dataset: str, image: str, result: Result, name: str) -> _Answer:
        found = TILE_NAME.fullmatch(name)
        if found is None:
            return NOT_FOUND
        number = None if found["number"] is None else int(found["number"])
        tile = Tile(*(int(found[each]) for each in ("level", "row", "column")))
        body = self.gallery.tile(dataset, image, result, kind=found["kind"], number=number, tile=tile)
        return _Answer(body, content_type(name), headers={"Cache-Control": FOR_EVER})


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "lesionmap"
    sys_version = ""
    timeout = 60
    viewing: Viewing

    def do_GET(self) -> None:
        self._respond()

    do_HEAD = do_GET  # noqa: N815

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("do_"):  # Every other method has one answer.
            return self._refuse_method
        raise AttributeError(name)

    def _refuse_method(self) -> None:
        self.close_connection = True  # The body of the request is not read.
        self._send(_plain(HTTPStatus.METHOD_NOT_ALLOWED, Allow=", ".join(METHODS)))

    def _respond(self) -> None:
        address = self.viewing.address
        if self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True  # The body is not read, and must not pass for the next request.
        if not address.is_own_host(self.headers.get("Host")):
            self._send(_plain(HTTPStatus.FORBIDDEN, "The Host header names another machine."))
            return
        parts = address.parts(self.path)
        if parts is None:
            self._send(NOT_FOUND)
            return
        try:
            self._route(parts)
        except (KeyError, FileNotFoundError):
            self._send(NOT_FOUND)
        except (PipelineError, OSError) as problem:
            if not isinstance(problem, ConnectionError):
                self._send(_plain(HTTPStatus.INTERNAL_SERVER_ERROR, str(problem)))

    def _route(self, parts: tuple[str, ...]) -> None:
        target = urlsplit(self.path)
        if parts[:1] == ("files",):
            self._send_file(file_below(self.viewing.top, parts[1:]))
        elif parts[:1] == ("assets",):
            self._send_file(file_below(ASSETS, parts[1:]))
        elif "tile" not in parts and not target.path.endswith("/"):
            self._send(_plain(HTTPStatus.MOVED_PERMANENTLY, Location=f"{quote(parts[-1]) if parts else self._token}/"))
        else:
            self._send(self.viewing.answer(parts, target.query))

    @property
    def _token(self) -> str:
        return self.viewing.address.token

    def _send(self, answer: _Answer) -> None:
        self._head(
            answer.status, {"Content-Type": answer.kind, "Content-Length": str(len(answer.body)), **answer.headers}
        )
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Cache-Control": FRESH, **HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_file(self, path: Path | None) -> None:
        if path is None:
            self._send(NOT_FOUND)
            return
        size = path.stat().st_size
        part = slice_of(size, self.headers.get("Range"))
        if part is None:
            self._send(_plain(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, **{"Content-Range": f"bytes */{size}"}))
            return
        headers = {
            "Content-Type": content_type(path.name),
            "Content-Length": str(part.length),
            "Accept-Ranges": "bytes",
        }
        if part.partial:
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
        self._head(HTTPStatus.PARTIAL_CONTENT if part.partial else HTTPStatus.OK, headers)
        if self.command != "HEAD":
            with path.open("rb") as stream:
                stream.seek(part.start)
                _copy(stream, self.wfile, part.length)

    def log_message(self, *_: object) -> None:
        """Say nothing: the address of a request holds the token."""


def _copy(source: Any, target: Any, length: int) -> None:  # noqa: ANN401 streams of bytes
    while length > 0 and (block := source.read(min(length, BUFFER))):
        target.write(block)
        length -= len(block)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Ignore the error: a browser that disconnected is no fault."""


@contextmanager
def serving(viewing: Viewing, *, port: int = 0) -> Iterator[str]:
    """Context with the address of a running server, on 127.0.0.1 and by default a free port.

    Raises
    ------
    OSError
        The port is taken.
    """
    handler = type("Handler", (_Handler,), {"viewing": viewing})
    server = _Server(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{viewing.address.token}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        viewing.gallery.close()
