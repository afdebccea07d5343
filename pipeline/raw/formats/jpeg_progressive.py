"""Completeness check of the scans of a progressive JPEG, by the strict parser of JPEG XL, which must keep every bit."""

import imagecodecs

from pipeline.raw.formats.jpeg_scan import SOS, segments

__all__ = ["progressive_fault"]

PROGRESSIVE = 0xC2
METADATA = (*range(0xE0, 0xF0), 0xFE)
"""Markers of segments that do not affect the codes; the parser would read some of them."""
START = b"\xff\xd8"
LARGEST = 2**25
"""Pixels of the largest picture that is checked: the parser holds 18 bytes for each."""
SAMPLINGS = (0x11, 0x21, 0x12, 0x22)
"""Sampling factors of the first component where the others have one sample a unit."""


def progressive_fault(data: bytes) -> str:
    """Damage of a progressive JPEG stream that changes pixels; empty without any, and for other streams.

    It checks grey and three-component 8-bit images up to 33 million pixels with the usual chroma subsampling.
    """
    kept, usual = [START], False
    for marker, body, end in segments(data, 0):
        start = end - len(body) - 4
        if end > len(data):
            return ""
        if marker == SOS:
            kept.append(data[start:])
            break
        if marker == PROGRESSIVE:
            usual = _is_usual(body)
        if body and marker not in METADATA:
            kept.append(data[start:end])
    if not usual:
        return ""
    try:
        imagecodecs.jpegxl_encode_jpeg(b"".join(kept))
    except imagecodecs.JpegxlError:
        return "a progressive scan is not whole"
    return ""


def _is_usual(frame: bytes) -> bool:
    pixels = int.from_bytes(frame[1:3], "big") * int.from_bytes(frame[3:5], "big")
    factors = frame[7::3]
    known = factors[:1] in [bytes([each]) for each in SAMPLINGS] and all(each == 0x11 for each in factors[1:])
    return frame[:1] == b"\x08" and 0 < pixels <= LARGEST and len(factors) in (1, 3) and known
