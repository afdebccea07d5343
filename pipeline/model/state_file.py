"""State dict of a network from a file, checked for the expected digest, for its size, and for holding only tensors.

Nothing in the file is executed. Hashing and loading use one open file, so the loaded bytes are the hashed bytes.
"""

import hashlib
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ModelError

__all__ = ["MOST", "load_state", "read_state", "size_of_state"]

MOST = 2
"""Most bytes of a file for each byte that its network needs: weights may be float64, or only a part of a network is
used."""
ZIP = b"PK\x03\x04"


class _Malformed(Exception):
    """File that is not such a state."""


def size_of_state(network: nn.Module) -> int:
    """Bytes that the weights of a network need."""
    return sum(value.numel() * value.element_size() for value in network.state_dict().values())


def _check_size(stream: BufferedReader, most: int) -> None:
    sizes = [os.fstat(stream.fileno()).st_size]
    if stream.read(len(ZIP)) == ZIP:
        stream.seek(0)
        with zipfile.ZipFile(stream) as archive:  # Its parts may be compressed.
            sizes.append(sum(each.file_size for each in archive.infolist()))
    stream.seek(0)
    if max(sizes) > most:
        raise _Malformed(f"{max(sizes)} bytes, where at most {most} can be meant")


def _check_digest(stream: BufferedReader, digest: str) -> None:
    found = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    if found != digest:
        raise _Malformed(f"a file of digest {found}")


def _tensors(stream: BufferedReader, *, suffix: str) -> Any:  # noqa: ANN401 whatever the file holds
    if suffix == ".safetensors":
        from safetensors.torch import load

        return load(stream.read())
    return torch.load(stream, map_location="cpu", weights_only=True)


def _checked(state: object) -> dict[str, Tensor]:
    if not isinstance(state, Mapping):
        raise _Malformed(f"a {type(state).__name__}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _Malformed(f"{name!r}: a {type(value).__name__}")
    return dict(state)


@contextmanager
def _plain_words(path: Path, *, expected: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        said = str(error).strip().splitlines()
        problem = said[-1].strip() if isinstance(error, _Malformed | RuntimeError | OSError) and said else ""
        raise ModelError(
            "The weights cannot be loaded.",
            where=path,
            found=problem or f"no state of a network: {type(error).__name__}",
            expected=expected,
            remedy=remedy,
        ) from error


def read_state(path: Path, *, need: int, digest: str | None, expected: str, remedy: str) -> dict[str, Tensor]:
    """State dict of a file, name → tensor.

    Parameters
    ----------
    path
        A file of ``torch.save``, or ``.safetensors``.
    need
        Bytes of the network that it is for; a file more than twice as large is not read.
    digest
        SHA-256 that it must have; None where unknown.
    expected, remedy
        For the message.

    Raises
    ------
    ModelError
        The file is missing, too large, has another digest, or holds anything but named tensors.
    """
    with _plain_words(path, expected=expected, remedy=remedy), path.open("rb") as stream:
        _check_size(stream, MOST * need)
        if digest is not None:
            _check_digest(stream, digest)
        return _checked(_tensors(stream, suffix=path.suffix))


def load_state(network: nn.Module, path: Path, *, digest: str, expected: str, remedy: str) -> None:
    """Weights of a whole network from a file, loaded in place; see `read_state`.

    Raises
    ------
    ModelError
        As for `read_state`, or the tensors have other names or shapes.
    """
    state = read_state(path, need=size_of_state(network), digest=digest, expected=expected, remedy=remedy)
    with _plain_words(path, expected=expected, remedy=remedy):
        network.load_state_dict(state)
