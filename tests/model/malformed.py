"""Files that are no state of the network that they are given for, by what is wrong with them."""

import io
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

State = Mapping[str, Tensor]


class Harmful:
    """Writes a file where its pickle is loaded without care."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def saved(content: object, **options: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()


def _bomb(state: State, _: Path) -> bytes:
    """A small file whose parts are large once they are unpacked."""
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(saved(dict(state)))) as good,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bad,
    ):
        for each in good.infolist():
            bad.writestr(each.filename, good.read(each))
        bad.writestr("archive/data/bomb", bytes(2 * sum(value.nbytes for value in state.values())))
    return packed.getvalue()


MALFORMED: Mapping[str, tuple[Callable[[State, Path], bytes], str]] = {
    "empty": (lambda state, mark: b"", "no state"),
    "text": (lambda state, mark: b"weights of a network\n" * 9, "no state"),
    "a list": (lambda state, mark: saved(list(state.values())), "a list"),
    "a number": (lambda state, mark: saved(3), "a int"),
    "a checkpoint": (lambda state, mark: saved({"epoch": 3, "state_dict": dict(state)}), "'epoch': a int"),
    "numbered": (lambda state, mark: saved(dict(enumerate(state.values()))), "0: a Tensor"),
    "cut": (lambda state, mark: saved(dict(state))[:-4000], ""),
    "a pickle": (lambda state, mark: pickle.dumps(Harmful(mark)), "no state"),
    "a pickle in an archive": (lambda state, mark: saved({"a": Harmful(mark)}), "no state"),
    "an old pickle": (lambda state, mark: saved(Harmful(mark), _use_new_zipfile_serialization=False), "no state"),
    "too large": (lambda state, mark: saved(dict(state) | {"more": torch.zeros(2**22)}), "bytes, where at most"),
    "too large unpacked": (_bomb, "bytes, where at most"),
}
"""What is wrong → content made of the right state, which a pickle of it would mark; a part of what is found."""
