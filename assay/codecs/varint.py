"""Numbers as Avro writes them (1.12, binary encoding): zigzag varints, for the few numbers of a head that is written by itself."""

from __future__ import annotations


def varint(value: int) -> bytes:
    """The zigzag varint of a number of 64 bits, 1 to 10 bytes."""
    bits = (value << 1) ^ (value >> 63)
    if bits < 128:
        return _ONE[bits]
    out = bytearray()
    while bits >= 128:
        out.append(bits & 127 | 128)
        bits >>= 7
    out.append(bits)
    return bytes(out)


def text(value: str) -> bytes:
    """A string: its length and its UTF-8."""
    encoded = value.encode()
    return varint(len(encoded)) + encoded


_ONE = [bytes((bits,)) for bits in range(128)]
