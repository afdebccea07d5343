"""What a power cut or a full disk left half-written is made again, not read."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Storage
from pipeline.geometry import Box, aligned_boxes
from pipeline.stores import create_group, create_plane, read_box, write_box
from pipeline.stores.atomic import FinishedBlocks, folder_in_progress

SIZE, STORAGE = (40, 40), Storage(chunk=8, shard=16)
VALUES = np.arange(1600, dtype=np.uint8).reshape(SIZE)
VALUES[16:32, :16] = 0


class Run:
    """A stage that writes a store block by block."""

    def __init__(self, output: Path) -> None:
        self.output, self.done = output, list[Box]()

    def run(self, *, dies_after: int = 99) -> None:
        self.done.clear()
        with folder_in_progress(self.output, digest="one") as folder:
            array = create_plane(
                create_group(folder, attributes={"provenance": {}}), "x", shape=SIZE, dtype="uint8", storage=STORAGE
            )

            def block(box):
                if len(self.done) == dies_after:
                    raise KeyboardInterrupt
                self.done.append(box)
                return write_box(array, VALUES[box.slices], y0=box.y0, x0=box.x0)

            with FinishedBlocks(folder) as finished:
                for box in aligned_boxes(*SIZE, 16):
                    finished.once(block)(box)
            assert np.array_equal(read_box(array, Box.of_shape(*SIZE)), VALUES)

    def shards(self) -> list[Path]:
        return sorted(path for path in self.output.parents[2].rglob("c/*/*") if path.is_file())


@pytest.fixture
def killed(tmp_path):
    run = Run(tmp_path / "results" / "d" / "normalized" / "a.zarr")
    with pytest.raises(KeyboardInterrupt):
        run.run(dies_after=5)
    assert len(run.shards()) == 4
    return run


def test_a_resumed_run_does_the_rest(killed):
    killed.run()
    assert len(killed.done) == 4


@pytest.mark.parametrize("how", ["cut", "zeros", "flip", "gone", "empty"])
def test_a_torn_shard_is_made_again(killed, how):
    path = killed.shards()[1]
    raw = path.read_bytes()
    middle = len(raw) // 2
    flipped = bytes([raw[9] ^ 16])
    torn = {
        "cut": raw[:middle],
        "zeros": raw[:middle] + bytes(middle),
        "flip": raw[:9] + flipped + raw[10:],
        "empty": b"",
    }
    path.unlink() if how == "gone" else path.write_bytes(torn[how])
    killed.run()
    assert len(killed.done) == 5


@pytest.mark.parametrize("name", ["zarr.json", "x/zarr.json"])
@pytest.mark.parametrize("content", [b"", b"{", bytes(300)])
def test_a_torn_record_of_zarr_is_written_anew(killed, name, content):
    [folder] = killed.output.parents[2].rglob("a.zarr")
    (folder / name).write_bytes(content)
    killed.run()
    assert len(killed.done) == 4


def test_a_run_without_room_leaves_nothing_that_the_next_one_reads(tmp_path, monkeypatch):
    run = Run(tmp_path / "results" / "d" / "normalized" / "a.zarr")
    for room in range(0, 9000, 300):  # bytes until the disk is full
        left = [room]
        opened = Path.open

        def full(path, *arguments, left=left, opened=opened, **named):
            stream = opened(path, *arguments, **named)
            if arguments and set(arguments[0]) & set("wa"):
                write = stream.write

                def limited(data):
                    if len(data) > left[0]:
                        write(data[: left[0]])
                        raise OSError(28, "No space left on device")
                    left[0] -= len(data)
                    return write(data)

                return _Stream(stream, limited)
            return stream

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", full)
            try:
                run.run()
            except OSError as error:
                assert error.errno == 28  # noqa: PT017
            else:
                return
    pytest.fail("the disk was always full")


class _Stream:
    def __init__(self, stream, write):
        self._stream, self.write = stream, write

    def writelines(self, parts):
        for part in parts:
            self.write(part)

    def flush(self):
        self._stream.flush()

    def fileno(self):
        return self._stream.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
