"""Damage as it comes: bits flipped, bytes cut, moved and doubled, lengths that lie, text that is almost a document."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final

INPUT_BYTES_MAX: Final = 1 << 16

_EDGES: Final = (0, 1, 2**7, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)
#: numbers at the edges of their types, in every byte order, and variable-length numbers that never end or say too much
BLOCKS: Final = (
    *(struct.pack(form, edge & (2 ** (8 * struct.calcsize(form)) - 1)) for edge in _EDGES for form in ("<Q", ">Q", "<I", ">I", "<H", "B")),
    b"\xff" * 9 + b"\x01", b"\xfe" + b"\xff" * 8 + b"\x01", b"\xff" * 11, b"\x80" * 9 + b"\x01", b"\x80" * 10, b"\x80\x00", b"\x81\x00",
    b"\xff\xff\xff\xff\x0f", b"\x01", b"\x02", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xc3\x01",
)  # fmt: skip
#: what JSON, YAML and CSV readers stumble over
TOKENS: Final = tuple(
    token.encode("utf-8", "surrogatepass")
    for token in (
        "NaN", "Infinity", "-Infinity", "1e999", "-0", "1.0", "0x10", "1_000", "9" * 400, "9223372036854775808", "-1", "true", "null", "[]",
        "{}", '""', '"\\ud800"', "\\udfff", "\\u0000", '"\\ud83d\\ude00"', "\ufeff", "\u2028", "\x00", "\x7f", "😀", "e\u0301", "\ud800",
        "\r\n", "\n", "\t", ",", ":", '"', "'", "#", "&a ", "*a", "<<: *a\n", "? ", "- ", "---\n", "...\n", "|", ">", "%YAML 9.9\n",
        "!!int ''", "!!float x", "!!bool x", "!!timestamp x", "!!binary x", "!!python/object:os.system {}", "!!set {a, a}", "!!omap x",
        "!!null x", "2018-02-30", "2018-04-01T00:00:31.000000Z", "0001-01-01", "12:30:45", "=", "[" * 3_000, '{"a":' * 3_000, "- " * 1_500,
    )
)  # fmt: skip
#: values that are not what a document wants
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 7, 1.5, -0.0, 1e300, float("nan"), float("inf"), 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400, "", " ",
    "x", "x" * 300, "x" * 999, "\x00", "\n", "\ud800", "😀", "ü" * 256, "EUR\n", "ＦＲＡＵＤ", "fraud_flag", "transaction", "context_fact",
    "label_assertion", "2018-04-01T00:00:31.000000Z", "9999-12-31T23:59:59.999999Z", "0000-01-01T00:00:00.000000Z", [], {}, [[]], {"": ""},
    [1] * 200, {"a": {"a": {"a": {}}}}, {str(i): "x" for i in range(70)},
)  # fmt: skip


def damaged(data: bytes, others: Sequence[bytes], rng: Random, *, text: bool) -> bytes:
    """One to four pieces of damage; `others` lend pieces of themselves."""
    blocks = TOKENS if text else BLOCKS
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        data = rng.choice(_WAYS)(data, rng, others, blocks)[:INPUT_BYTES_MAX]
    return data


def redrawn(data: bytes, rng: Random) -> bytes:
    """A JSON document with some of its places taken away, doubled, renamed or filled with something odd; other bytes as they are."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(rng.choice((1, 1, 2, 3))):
        document = _changed(document, rng)
    text = json.dumps(document, ensure_ascii=rng.random() < 0.7)
    if rng.random() < 0.1 and text.startswith('{"'):  # the same key twice
        text = text[:-1] + ", " + text[1:]
    return text.encode("utf-8", "surrogatepass")


def _changed(node: Any, rng: Random) -> Any:
    """One place of a document, found by going down at random, changed."""
    if not isinstance(node, dict | list) or not node or rng.random() < 0.1:
        return deepcopy(rng.choice(ODD))
    places: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
    place, way = rng.choice(places), rng.random()
    if way < 0.6:
        node[place] = _changed(node[place], rng)
    elif way < 0.75:
        del node[place]
    elif isinstance(node, dict):
        node[rng.choice(("x", "", place + "s", place.upper(), "😀", "\ud800", "x" * 300))] = node[place]
    else:
        node.insert(place, node[place])
    return node


Way = Callable[[bytes, Random, Sequence[bytes], Sequence[bytes]], bytes]


def _flip(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x01"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _set(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _cut(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _drop(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    a, b = _range(data, rng)
    return data[:a] + data[b:]


def _double(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    a, b = _range(data, rng)
    return data[:b] + data[a:b] * rng.choice((1, 1, 2, 40)) + data[b:]


def _overwrite(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    block, at = rng.choice(blocks), rng.randrange(len(data) + 1)
    return data[:at] + block + data[at + len(block) :]


def _insert(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    block, at = rng.choice(blocks), rng.randrange(len(data) + 1)
    return data[:at] + block + data[at:]


def _splice(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    a, b = _range(other, rng)
    at = rng.randrange(len(data) + 1)
    return data[:at] + other[a:b] + data[at + rng.choice((0, b - a)) :]


def _cross(data: bytes, rng: Random, others: Sequence[bytes], blocks: Sequence[bytes]) -> bytes:
    other = rng.choice(others)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


def _range(data: bytes, rng: Random) -> tuple[int, int]:
    a = rng.randrange(len(data) + 1)
    return a, min(len(data), a + rng.choice((1, 2, 8, 32, 200)))


_WAYS: Final[tuple[Way, ...]] = (_flip, _flip, _set, _set, _cut, _drop, _double, _overwrite, _overwrite, _insert, _splice, _cross)
