"""Columns to Avro bodies, byte for byte what a schemaless Avro writer gives for the same records."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from assay.codecs.avro_bind import OP, Constant, Program
from assay.codecs.avro_encode_kernel import DONE, MISMATCH, encode_rows
from assay.codecs.avro_fill import Memory
from assay.codecs.avro_plan import AvroPlan
from assay.codecs.avro_schema import Op
from assay.codecs.columns import Columns, Strings, rows
from assay.codecs.intrinsics import cells
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

_NONE: Mapping[str, Constant] = MappingProxyType({})
#: bytes a record is taken for before the first one is written; room beyond what the last batch took per row
_FIRST_BYTES, _SPARE_BYTES = 256, 64


def encode(plan: AvroPlan, columns: Columns, constants: Mapping[str, Constant] = _NONE) -> Strings:
    """Encode one batch by an encoder of its own, see `Encoder`."""
    return Encoder(plan, constants).encode(columns)


class Encoder:
    """Writes batches of records of one schema. It is bound to the form of the first batch, and belongs to one thread.

    `constants` are fields that are equal in all records, by path: an integer, the bytes of text or of a fixed, or an Avro body to splice.
    """

    def __init__(self, plan: AvroPlan, constants: Mapping[str, Constant] = _NONE) -> None:
        self._root, self._constants = plan.root, constants
        self._memory: Memory | None = None
        self._row_bytes = _FIRST_BYTES
        self._scratch = cells()

    def encode(self, columns: Columns, constants: Mapping[str, Constant] = _NONE) -> Strings:
        """Encode n records. Column names, kinds and null masks are those `decode` gives; extra columns are ignored.

        A `Strings` where the schema has a record or a list is taken as Avro bytes and spliced as it is. `constants` are those of this
        batch; each batch brings the same ones. Raises Stop(COLUMNS_MISMATCH) for a missing column or constant, a wrong kind or length,
        a null or a number its type cannot hold.
        """
        n = rows(columns)
        if n == 0:
            return Strings(np.zeros(0, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int32))
        if self._memory is None:
            self._memory = Memory(Program(self._root, columns, self._constants, constants))
        memory = self._memory
        memory.fill(columns, n, constants)
        return self._written(memory, n)

    def _written(self, memory: Memory, n: int) -> Strings:
        """Run the kernel. The bytes of earlier rows say how large a buffer the rows need; one that is full is made larger."""
        program = memory.program
        out = np.empty(n * self._row_bytes + _SPARE_BYTES, np.uint8)
        starts, lengths = np.empty(n + 1, np.int64), np.empty(n, np.int32)
        starts[0] = row = 0
        frames, index = memory.frames, memory.index
        while True:
            row, state, step = encode_rows(
                program.code, row, n, memory.pool, memory.cells, frames, index, out, starts, lengths, self._scratch
            )  # fmt: skip
            written = int(starts[row])
            if state == DONE:
                self._row_bytes = written // n + 1 + written // n // 16
                return Strings(out[:written], starts[:n], lengths)
            if state == MISMATCH:
                raise _refusal(program, step, row)
            larger = np.empty(max(2 * len(out), written * n // max(row, 1) * 9 // 8), np.uint8)
            larger[:written] = out[:written]
            out = larger


def _refusal(program: Program, step: int, row: int) -> Stop:
    kind = Op(int(program.code[step, OP])).name
    what = f"row {row} of a batch holds a null or a number that {kind} cannot hold"
    return Stop(Reason.COLUMNS_MISMATCH, what, where=program.paths[step], remedy="Refuse the row before encoding it.")
