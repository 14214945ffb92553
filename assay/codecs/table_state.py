"""A table's state as one value: a canonical header and named arrays. It may be gigabytes, so it is written as a stream of
blocks and read from a mapped file without a second copy; equal state has equal bytes.

Layout: magic, the arrays in the order of their names, each padded to 8 bytes, the header as canonical JSON, its length, and
the magic again: what an array takes is known only once it is written. Wide int64 arrays (window lines, mostly zeros) are
written block by block as a bitmap of the words that are not 0 and these words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.codecs.columns import U8
from assay.contracts.canonical import canonical
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

#: changes with the layout; another one is refused
MAGIC: Final = b"ASSTATE1"
PLAIN, SPARSE = "plain", "sparse"
_WORD = 8
#: rows of at least this many words are worth a bitmap
_SPARSE_FROM_WORDS = 16
#: bytes of memory turned into one block: small enough that a writer can stop between two
_BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Sparse:
    """An int64 array of rows as it lies in the bytes: per block of `block_rows` rows a count, a bitmap and the words."""

    shape: tuple[int, int]
    block_rows: int
    body: U8

    def __len__(self) -> int:
        return self.shape[0]

    def read_into(self, out: NDArray[np.int64]) -> None:
        """Fill zeroed rows. Raises ValueError when the body is not that of such an array."""
        at = 0
        for start in range(0, len(self), self.block_rows):
            block = out[start : min(start + self.block_rows, len(self))]
            words_at = at + _head_bytes(block.size)
            mask = np.unpackbits(self.body[at + _WORD : words_at], count=block.size, bitorder="little").view(np.bool_)
            count = int.from_bytes(self.body[at : at + _WORD].tobytes(), "little")
            words = np.frombuffer(self.body, np.int64, count, words_at) if count else np.zeros(0, np.int64)
            if count != np.count_nonzero(mask):
                raise ValueError("a block of a sparse array has not the words of its bitmap")
            block.reshape(-1)[mask] = words
            at = words_at + _WORD * count
        if at != len(self.body):
            raise ValueError("bytes of a sparse array are left over")


class TableState(NamedTuple):
    """Header (canonical JSON) and arrays by name: views of the table's memory or, read back, of the bytes."""

    header: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any] | Sparse] = {}

    def array(self, name: str) -> NDArray[Any]:
        """One array, whole."""
        held = self.arrays[name]
        if isinstance(held, np.ndarray):
            return held
        whole = np.zeros(held.shape, np.int64)
        fill(whole, held)
        return whole

    def under(self, prefix: str) -> dict[str, Any]:
        """The arrays whose names begin with `prefix`, by the rest of their names."""
        return {name.removeprefix(prefix): held for name, held in self.arrays.items() if name.startswith(prefix)}


def fill(out: NDArray[Any], held: NDArray[Any] | Sparse) -> None:
    """Write an array of a state into zeroed rows of the same shape, without a copy between. Raises Stop(STATE_UNREADABLE)."""
    try:
        if isinstance(held, np.ndarray):
            out[:] = held
        else:
            held.read_into(out)
    except (ValueError, IndexError) as error:
        raise state_refused(f"cannot be read: {error}") from error


def joined(parts: Mapping[str, TableState]) -> TableState:
    """Several states as one; `part` takes it apart."""
    arrays = {f"{name}.{array}": held for name, part in parts.items() for array, held in part.arrays.items()}
    return TableState({name: part.header for name, part in parts.items()}, arrays)


def part(state: TableState, name: str) -> TableState:
    """One of the states that were joined. Raises Stop(STATE_UNREADABLE) when it is not there."""
    if name not in state.header:
        raise state_refused(f"has no part {name}")
    return TableState(state.header[name], state.under(f"{name}."))


def blocks(state: TableState) -> Iterator[bytes | memoryview]:
    """The state's bytes, a block at a time, none of them much larger than a megabyte."""
    yield MAGIC
    at, forms = len(MAGIC), dict[str, Any]()
    for name in sorted(state.arrays):
        array = state.array(name)
        form: dict[str, Any] = {"dtype": array.dtype.str, "shape": list(array.shape), "at": at}
        sparse = array.dtype == np.int64 and array.ndim == 2 and array.shape[1] >= _SPARSE_FROM_WORDS
        rows = max(1, _BLOCK_BYTES // max(1, array.nbytes // max(1, len(array))))
        start_at = at
        for start in range(0, len(array), rows):
            for block in _sparse(array[start : start + rows]) if sparse else _plain(array[start : start + rows]):
                at += len(block)
                yield block
        forms[name] = {**form, "form": SPARSE if sparse else PLAIN, "bytes": at - start_at, "block_rows": rows}
        if at % _WORD:
            yield bytes(-at % _WORD)
            at += -at % _WORD
    head = canonical({"state": dict(state.header), "arrays": forms})
    yield head + len(head).to_bytes(_WORD, "little") + MAGIC


def _plain(rows: NDArray[Any]) -> Iterator[memoryview]:
    raw = np.ascontiguousarray(rows).reshape(-1).view(np.uint8)
    if len(raw):
        yield raw.data


def _sparse(rows: NDArray[np.int64]) -> Iterator[bytes | memoryview]:
    flat = np.ascontiguousarray(rows).reshape(-1)
    mask = flat != 0
    words = flat[mask]
    held = np.packbits(mask, bitorder="little").tobytes()
    yield len(words).to_bytes(_WORD, "little") + held + bytes(-len(held) % _WORD)
    yield from _plain(words)


def read_state(value: bytes | memoryview) -> TableState:
    """The inverse of `blocks`, over the given bytes (a mapped file will do): its arrays are read-only views of them.

    Raises Stop(STATE_UNREADABLE) when bytes are missing, left over or not ours.
    """
    whole = np.frombuffer(value, np.uint8) if len(value) else np.zeros(0, np.uint8)
    try:
        if bytes(whole[: len(MAGIC)]) != MAGIC or bytes(whole[-len(MAGIC) :]) != MAGIC:
            raise state_refused("is cut off or of another form")
        tail = len(whole) - len(MAGIC) - _WORD
        head_at = tail - int.from_bytes(bytes(whole[tail : tail + _WORD]), "little")
        if head_at < len(MAGIC):
            raise state_refused("has a header longer than itself")
        text = bytes(whole[head_at:tail])
        head = json.loads(text)
        if canonical(head) != text:
            raise state_refused("has a header that is not as it was written")
        arrays = {name: _array(whole[:head_at], form) for name, form in head["arrays"].items()}
        header: dict[str, Any] = head["state"]
        ends = [form["at"] + form["bytes"] for form in head["arrays"].values()]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError, Quarantine) as error:
        raise state_refused(f"cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise state_refused("has a header that is no object")
    if max(ends, default=len(MAGIC)) + _WORD <= head_at:
        raise state_refused("has bytes that no array covers")
    return TableState(header, arrays)


def _array(whole: U8, form: Mapping[str, Any]) -> NDArray[Any] | Sparse:
    at, size, shape = int(form["at"]), int(form["bytes"]), tuple(int(n) for n in form["shape"])
    body = whole[at : at + size]
    if len(body) != size or min(at, size, *shape) < 0:
        raise ValueError("an array lies outside")
    if form["form"] == SPARSE:
        rows, width = shape
        return _sparse_array(rows, width, int(form["block_rows"]), body)
    dtype = np.dtype(form["dtype"])
    if int(np.prod(shape, dtype=np.int64)) * dtype.itemsize != size:
        raise ValueError("an array has not the bytes of its shape")
    array: NDArray[Any] = body.view(dtype).reshape(shape)
    return array


def all_within(numbers: NDArray[Any], end: int) -> bool:
    """Whether each is from 0 to less than `end`."""
    return not len(numbers) or bool(numbers.min() >= 0 and numbers.max() < end)


def _sparse_array(rows: int, width: int, block_rows: int, body: U8) -> Sparse:
    """Every block has its count and bitmap: what is made room for by this shape is bounded by the bytes that are there."""
    whole, rest = divmod(rows, max(block_rows, 1))
    if block_rows < 1 or whole * _head_bytes(block_rows * width) + (_head_bytes(rest * width) if rest else 0) > len(body):
        raise ValueError("a sparse array has not the bytes of its shape")
    return Sparse((rows, width), block_rows, body)


def _head_bytes(words: int) -> int:
    """Of a block of so many words: count and padded bitmap."""
    return _WORD + -(-words // (8 * _WORD)) * _WORD


def state_refused(what: str) -> Stop:
    """A state that cannot be taken."""
    return Stop(Reason.STATE_UNREADABLE, f"a table's state {what}", remedy="Rebuild it from the journal.")
