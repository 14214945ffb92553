"""Columns to Avro bodies, byte for byte what a schemaless Avro writer gives for the same records."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from assay.codecs.avro_bind import EXIT, EXTRA, LEVEL, OP, Binding, Constant
from assay.codecs.avro_encode_kernel import DONE, MISMATCH, encode_rows
from assay.codecs.avro_plan import AvroPlan
from assay.codecs.avro_schema import Op
from assay.codecs.columns import I64, U8, Columns, Strings, rows
from assay.codecs.intrinsics import cells
from assay.codecs.kernel import frozen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: rows whose size is taken for that of all, before the buffer for all is made
SAMPLE_ROWS = 128
#: with fewer rows than this, writing constant fields once costs more than writing them in each row
FOLD_ROWS = 200


def encode(plan: AvroPlan, columns: Columns, constants: Mapping[str, Constant] = MappingProxyType({})) -> Strings:
    """Encode n records. Column names, kinds and null masks are those `decode` gives; extra columns are ignored.

    `constants` are fields that are equal in all records, by path: an integer, the bytes of text or of a fixed, or an Avro body to splice.

    A `Strings` where the schema has a record or a list is taken as Avro bytes and spliced as it is.
    Columns constant in the batch (stride 0, or one string repeated) are encoded once.
    Raises Stop(COLUMNS_MISMATCH) for a missing column, a wrong kind or length, a null or a number its type cannot hold.
    """
    n = rows(columns)
    if n == 0:
        return Strings(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int32))
    binding = Binding(plan.root, columns, constants)
    pool, wide = binding.pool(), binding.wide()
    code = np.array(binding.code or np.zeros((0, 8)), np.int64)
    if n >= FOLD_ROWS:
        code, pool = _fold_constants(binding, code, pool, wide)
    out, ends = _run(binding, code, n, pool, wide)
    return Strings(out[: ends[-1]], ends[:-1], np.diff(ends).astype(np.int32))


def _fold_constants(binding: Binding, code: I64, pool: U8, wide: I64) -> tuple[I64, U8]:
    """Replace runs of constant instructions by one piece of ready bytes each."""
    pieces, keep, moved = [pool], np.ones(len(code), bool), np.zeros(len(code) + 1, np.int64)
    size = len(pool)
    for a, b in binding.runs():
        piece, _ = _run(binding, code[a:b], 1, pool, wide, a)
        code[a, : LEVEL + 1] = (Op.FIXED, size, 0, len(piece), a + 1, 0)
        keep[a + 1 : b] = False
        pieces.append(piece)
        size += len(piece)
    np.cumsum(keep, out=moved[1:])
    code[:, EXIT] = moved[code[:, EXIT]]
    lists = (code[:, OP] == Op.ARRAY) | (code[:, OP] == Op.END)
    code[lists, EXTRA] = moved[code[lists, EXTRA]]
    return code[keep], np.concatenate(pieces)


def _run(binding: Binding, code: I64, n: int, pool: U8, wide: I64, shift: int = 0) -> tuple[U8, I64]:
    """Run the kernel. The first rows say how large a buffer all of them need; a later one that is full is doubled."""
    out, ends = np.empty(64 * min(n, SAMPLE_ROWS) + len(pool), np.uint8), np.zeros(n + 1, np.int64)
    frames, index = np.zeros(binding.depth + 1, np.int64), np.zeros(binding.levels, np.int64)
    row, scratch = 0, cells()
    while True:
        row, state, step = encode_rows(frozen(code, np.int64), row, n, frozen(pool, np.uint8), wide, frames, index, out, ends, scratch)
        if state == DONE:
            return out[: ends[n]], ends
        if state == MISMATCH:
            raise _refusal(binding, code, step, shift, row)
        written = int(ends[row])
        larger = np.empty(max(2 * len(out), written * n // max(row, 1) * 9 // 8), np.uint8)
        larger[:written] = out[:written]
        out = larger


def _refusal(binding: Binding, code: I64, step: int, shift: int, row: int) -> Stop:
    kind = Op(int(code[step, OP])).name
    what = f"row {row} of a batch holds a null or a number that {kind} cannot hold"
    return Stop(Reason.COLUMNS_MISMATCH, what, where=f"one of {binding.paths}", remedy="Refuse the row before encoding it.")
