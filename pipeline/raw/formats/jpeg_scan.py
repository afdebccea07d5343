"""Completeness check of the Huffman-coded scans of a baseline JPEG, because decoders silently fill missing or wrong data.

Every code is read but nothing is decoded, which takes a small part of the decoding time. The structure is that of ITU-T
T.81, annexes B and F. Progressive and arithmetic JPEG is not checked here.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["SOS", "ScanCheck", "check_scans", "extra_remarks", "segments"]

SOI, EOI, SOS, DHT, DRI, TEM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDD, 0x01
BASELINE = (0xC0, 0xC1)
OTHER_FRAMES = (0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
RESTARTS = range(0xD0, 0xD8)
FAULTS = {1: "the data ends too early", 2: "a bad Huffman code", 3: "a restart marker is missing"}
COEFFICIENTS = 64


Table: TypeAlias = tuple[bytes, bytes]
"""Huffman table: how many codes there are of each length, and their symbols."""


@dataclass(frozen=True, slots=True)
class ScanCheck:
    """Check of the scans of a JPEG."""

    known: bool = False
    """Whether they could be checked."""
    fault: str = ""
    """Damage that changes pixels; empty where there is none."""
    extra: int = 0
    """Bytes between the end of a scan and the next marker, which change nothing."""


@dataclass(slots=True)
class _State:
    """State that the segments before a scan have declared."""

    tables: dict[int, Table] = field(default_factory=dict)
    components: dict[int, tuple[int, int]] = field(default_factory=dict)
    height: int = 0
    width: int = 0
    interval: int = 0


def extra_remarks(count: int) -> dict[str, int]:
    """Pieces of a file with extra bytes in their JPEG data, as a counted remark."""
    return {"JPEG data with extra bytes before a marker": count} if count else {}


class _UnknownError(Exception):
    """The structure is not supported."""


def _lookup(counts: bytes, symbols: bytes) -> NDArray[np.uint16]:
    """Length and symbol, ``256 * length + symbol``, of the code that each 16 bits begin with; 0 where there is none."""
    found, code, place = np.zeros(2**16, np.uint16), 0, 0
    for length, count in enumerate(counts, 1):
        width = 1 << (16 - length)
        for symbol in symbols[place : place + count]:
            found[code * width : (code + 1) * width] = 256 * length + symbol
            code += 1
        place, code = place + count, code << 1
    return found


@functools.lru_cache(maxsize=16)
def _stacked(tables: tuple[Table, ...]) -> NDArray[np.uint16]:
    # All tiles of a file have the same tables.
    return np.stack([_lookup(*table) for table in tables])


def _add_tables(state: _State, body: bytes) -> None:
    while body:
        counts = body[1:17]
        end = 17 + sum(counts)
        state.tables[body[0]] = counts, body[17:end]
        body = body[end:]


def _add_frame(state: _State, body: bytes) -> None:
    if body[0] != 8:
        raise _UnknownError
    state.height, state.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    every = (body[6 + 3 * number : 9 + 3 * number] for number in range(body[5]))
    state.components = {each[0]: (each[1] >> 4, each[1] & 15) for each in every}


def segments(data: bytes, start: int) -> Iterator[tuple[int, bytes, int]]:
    """Marker, body and end of each segment, up to and with the header of the next scan."""
    while True:
        start = data.find(b"\xff", start)
        if start < 0 or start + 1 >= len(data):
            return
        marker = data[start + 1]
        if marker in (0, 0xFF):  # Padding.
            start += 1
            continue
        if marker in (SOI, EOI, TEM, *RESTARTS):
            yield marker, b"", start + 2
            start += 2
            continue
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        yield marker, data[start + 4 : end], end
        start = end


def _declare(state: _State, marker: int, body: bytes) -> None:
    if marker == DHT:
        _add_tables(state, body)
    elif marker == DRI:
        state.interval = int.from_bytes(body[:2], "big")
    elif marker in BASELINE:
        _add_frame(state, body)
    elif marker in OTHER_FRAMES:
        raise _UnknownError


def _scan(state: _State, body: bytes, data: NDArray[np.uint8], start: int) -> tuple[int, int, int]:
    """Fault, end and extra bytes of one scan."""
    chosen = [(body[1 + 2 * number], body[2 + 2 * number]) for number in range(body[0])]
    sizes = [state.components[each] for each, _ in chosen]
    most_wide = max(wide for wide, _ in state.components.values())
    most_high = max(high for _, high in state.components.values())
    if len(chosen) == 1:
        wide, high = -(-state.width * sizes[0][0] // most_wide), -(-state.height * sizes[0][1] // most_high)
        units, sizes = -(-wide // 8) * -(-high // 8), [(1, 1)]
    else:
        units = -(-state.width // (8 * most_wide)) * -(-state.height // (8 * most_high))
    tables = [
        (state.tables[which >> 4], state.tables[0x10 | (which & 15)])
        for (_, which), (wide, high) in zip(chosen, sizes, strict=True)
        for _ in range(wide * high)
    ]
    known = tuple(dict.fromkeys(table for pair in tables for table in pair))
    blocks = np.array([[known.index(first), known.index(other)] for first, other in tables], np.int64)
    found: tuple[int, int, int] = _read(data, start, _stacked(known), blocks, units, state.interval)
    return found


def check_scans(data: bytes, *, tables: bytes = b"") -> ScanCheck:
    """Check of all scans of a JPEG stream.

    Parameters
    ----------
    data
        The stream; bytes after its end marker do not count.
    tables
        Stream of tables alone, as a TIFF file keeps them for all its tiles.
    """
    state, extra, scans, position = _State(), 0, 0, 0
    values = np.frombuffer(data, np.uint8)
    try:
        for marker, body, _ in segments(tables, 0):
            _declare(state, marker, body)
        while True:
            step = next(segments(data, position), None)
            if step is None or (scans and step[0] == EOI):
                break
            marker, body, position = step
            _declare(state, marker, body)
            if marker == SOS:
                if not state.height or not state.components:
                    return ScanCheck()
                fault, position, more = _scan(state, body, values, position)
                scans, extra = scans + 1, extra + more
                if fault:
                    return ScanCheck(known=True, fault=FAULTS[fault])
    except (_UnknownError, KeyError, IndexError, ValueError, ZeroDivisionError):
        return ScanCheck()
    if not scans:
        return ScanCheck()
    return ScanCheck(known=True, fault="" if step else "the end marker is missing", extra=extra)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(data: NDArray[np.uint8], position: int, held: np.uint64, bits: int) -> tuple[int, np.uint64, int]:
    """Bits of whole bytes appended until a marker or 48 are held; a zero after 255 is stuffing."""
    while bits <= 48 and position < data.size:
        value = data[position]
        if value == 255:
            if position + 1 >= data.size:
                break
            after = data[position + 1]
            if after == 255:
                position += 1
                continue
            if after != 0:
                break
            position += 1
        position += 1
        held = (held << np.uint64(8)) | np.uint64(value)
        bits += 8
    return position, held, bits


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _symbol(tables: NDArray[np.uint16], row: int, held: np.uint64, bits: int) -> tuple[int, int, int]:
    """Fault, symbol and bits left."""
    if bits >= 16:
        front = (held >> np.uint64(bits - 16)) & np.uint64(0xFFFF)
    else:
        front = (held << np.uint64(16 - bits)) & np.uint64(0xFFFF)
    entry = np.int64(tables[row, front])
    length = entry >> 8
    if length == 0:
        return (2 if bits >= 16 else 1), 0, bits
    return (1 if length > bits else 0), int(entry & 255), int(bits - length)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _block(
    data: NDArray[np.uint8],
    position: int,
    held: np.uint64,
    bits: int,
    tables: NDArray[np.uint16],
    first: int,
    others: int,
) -> tuple[int, int, np.uint64, int]:
    """Fault, and where the stream stands after one block of 64 coefficients."""
    place = 0
    while place < COEFFICIENTS:
        if bits < 32:
            position, held, bits = _fill(data, position, held, bits)
        fault, symbol, bits = _symbol(tables, first if place == 0 else others, held, bits)
        if fault:
            return fault, position, held, bits
        run, size = (0, symbol & 15) if place == 0 else (symbol >> 4, symbol & 15)
        if size > bits:
            return 1, position, held, bits
        bits -= size
        if place and size == 0 and run != 15:
            break
        place += run
        if size and place >= COEFFICIENTS:
            return 2, position, held, bits
        place += 1
    return 0, position, held, bits


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _marker(data: NDArray[np.uint8], position: int) -> tuple[int, int]:
    """Position of the next marker, and the number of skipped bytes that are not padding."""
    passed = 0
    while position + 1 < data.size:
        if data[position] == 255 and data[position + 1] != 0 and data[position + 1] != 255:
            break
        if data[position] != 255:
            passed += 1
        position += 1
    return position, passed


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _read(
    data: NDArray[np.uint8],
    position: int,
    tables: NDArray[np.uint16],
    blocks: NDArray[np.int64],
    units: int,
    interval: int,
) -> tuple[int, int, int]:
    """Fault, end and extra bytes of a scan of ``units`` minimum coded units."""
    held, bits, extra = np.uint64(0), 0, 0
    for unit in range(units):
        if interval and unit and unit % interval == 0:
            extra += bits // 8
            held, bits = np.uint64(0), 0
            position, passed = _marker(data, position)
            extra += passed
            if position + 1 >= data.size or data[position + 1] != 0xD0 + (unit // interval - 1) % 8:
                return 3, position, extra
            position += 2
        for number in range(blocks.shape[0]):
            fault, position, held, bits = _block(
                data, position, held, bits, tables, blocks[number, 0], blocks[number, 1]
            )
            if fault:
                return fault, position, extra
    extra += bits // 8
    position, passed = _marker(data, position)
    return 0, position, extra + passed
