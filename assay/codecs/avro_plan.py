"""The decode program of a schema: flat instructions, the columns they fill and the list levels those belong to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from assay.codecs.avro_schema import Node, Op, Schema, parse
from assay.codecs.columns import I64
from assay.codecs.kernel import frozen
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

#: Columns of the instruction array. A slot of -1 reads past the value without keeping it.
OP, SLOT, SIZE, BODY, EXIT, LEVEL, CHILD = range(7)
#: Buffers a column lives in: 8-byte cells, 4-byte cells, bytes.
WIDE, NARROW, SMALL = range(3)


class Slot(NamedTuple):
    """One column to fill: its path inside its level, the operation that fills it, and bytes per row in `SMALL`."""

    path: str
    op: Op
    level: int
    size: int = 0
    child: int = 0
    """The level of the items, for a list."""


class Room(NamedTuple):
    """Where columns lie in the three buffers, for any room of the levels: columns follow one another in the order of their slots.

    Slot s begins in buffer b at `lead[s, b]` plus, for every level, its room times `cells[level, s, b]`. Behind the last slot stand the
    sizes of the buffers. `free` are the levels that no column belongs to.
    """

    lead: I64
    cells: I64
    free: tuple[int, ...]

    def place(self, capacity: I64) -> I64:
        """The places (slots + 1, 3) for so many rows per level."""
        return self.lead + np.tensordot(capacity, self.cells, 1)


class AvroPlan(NamedTuple):
    """A compiled schema. `code` is int64[instructions, 7]; `levels` counts list levels, level 0 being the records.

    `places` keeps the places per size of a chunk; they are the same for every decoder.
    """

    root: Node
    code: I64
    slots: tuple[Slot, ...]
    levels: int
    depth: int
    room: Room
    places: dict[int, Places]


class Places(NamedTuple):
    """The places of a plan's columns in buffers with a certain room per level: what a decode needs beside the bytes.

    `capacity` int64[levels] is that room, `base` int64[slots + 1, 3] the first cell of each column, `sizes` those of the buffers.
    `code` int64[instructions, 10] has the places of its column behind each instruction. `of_level` has the columns of each level by
    path: slot, first cell in each buffer.
    """

    capacity: I64
    base: I64
    sizes: tuple[int, int, int]
    code: I64
    of_level: tuple[dict[str, tuple[Slot, list[int]]], ...]

    @classmethod
    def of(cls, plan: AvroPlan, capacity: I64) -> Places:
        """The places for so much room per level."""
        base = plan.room.place(capacity)
        wide, narrow, small = base[-1].tolist()
        base[-1] = 0  # of instructions that keep nothing
        code = frozen(np.concatenate((plan.code, base[plan.code[:, SLOT]]), axis=1), np.int64)
        placed = list(zip(plan.slots, base.tolist(), strict=False))
        of_level = tuple({slot.path: (slot, at) for slot, at in placed if slot.level == level} for level in range(plan.levels))
        return cls(frozen(capacity, np.int64), base, (wide, narrow, small), code, of_level)


def compile_schema(schema: Schema, only: Collection[str] | None = None) -> AvroPlan:
    """Compile a record schema; with `only`, fields outside those dotted paths are skipped and give no column.

    A path chooses everything below it; below a list, write "entities.name". Skipped text is not checked to be UTF-8.
    Raises Stop(SCHEMA_UNSUPPORTED) for a schema outside the supported subset or a path that chooses nothing.
    """
    root = parse(schema)
    compiler = _Compiler(None if only is None else frozenset(only))
    compiler.emit(root, 0, "", 0)
    compiler.refuse_unused()
    code = np.array(compiler.code or [[Op.SKIP, -1, 0, 0, 1, 0, 0]], np.int64)
    return AvroPlan(root, code, tuple(compiler.slots), compiler.levels, compiler.depth, _room(compiler.slots, compiler.levels), {})


def _room(slots: Sequence[Slot], levels: int) -> Room:
    lead, cells = np.zeros((len(slots) + 1, 3), np.int64), np.zeros((levels, len(slots) + 1, 3), np.int64)
    for index, slot in enumerate(slots):
        for buffer, width in widths(slot):
            leads = slot.op is Op.ARRAY  # a list's offsets have one more cell, before its first row
            lead[index:, buffer] += leads
            cells[slot.level, index + 1 :, buffer] += width
    return Room(lead, cells, tuple(set(range(1, levels)) - {slot.level for slot in slots}))


def widths(slot: Slot) -> tuple[tuple[int, int], ...]:
    """(buffer, cells per row) of a column."""
    if slot.op in (Op.STRING, Op.BYTES):
        return ((WIDE, 1), (NARROW, 1))
    if slot.op is Op.ENUM:
        return ((NARROW, 1),)
    if slot.op in (Op.BOOLEAN, Op.OPTION, Op.FIXED):
        return ((SMALL, slot.size if slot.op is Op.FIXED else 1),)
    return ((WIDE, 1),)


class _Compiler:
    def __init__(self, only: frozenset[str] | None) -> None:
        self.only = only
        self.unused = set(only or ())
        self.code: list[list[int]] = []
        self.slots: list[Slot] = []
        self.levels = 1
        self.depth = 0

    def emit(self, node: Node, level: int, prefix: str, depth: int) -> None:
        """Append the instructions of a node; `prefix` is the full path of the list it is in."""
        full = f"{prefix}.{node.path}" if prefix and node.path else prefix or node.path
        if node.op is Op.RECORD:
            for part in node.parts:
                self.emit(part, level, prefix, depth)
        elif node.op is Op.ARRAY:
            self._list(node, level, full, depth)
        elif node.op is Op.OPTION:
            self._option(node, level, prefix, full, depth)
        elif self._wanted(full):
            self._append(node.op, self._slot(node.op, node.path, level, node.size), node.size, level)
        else:
            self._skip(node, level)

    def refuse_unused(self) -> None:
        """A path in `only` that chose nothing is a spelling mistake."""
        if self.unused:
            raise Stop(Reason.SCHEMA_UNSUPPORTED, f"no field at {sorted(self.unused)}", where="only")

    def _list(self, node: Node, level: int, full: str, depth: int) -> None:
        child, self.levels = self.levels, self.levels + 1
        self.depth = max(self.depth, depth + 1)
        slot = self._slot(Op.ARRAY, node.path, level, 0, child) if self._wanted(full, inside=True) else -1
        opening = self._append(Op.ARRAY, slot, 0, level, child)
        for part in node.parts:
            self.emit(part, child, full, depth + 1)
        closing = self._append(Op.END, slot, 0, level, child)
        for at in (opening, closing):
            self.code[at][BODY], self.code[at][EXIT] = opening + 1, closing + 1

    def _option(self, node: Node, level: int, prefix: str, full: str, depth: int) -> None:
        masked = node.parts[0].op not in (Op.STRING, Op.BYTES) and self._wanted(full, inside=True)
        slot = self._slot(Op.OPTION, f"{node.path}?", level, 1) if masked else -1
        at = self._append(Op.OPTION, slot, node.size, level)
        self.emit(node.parts[0], level, prefix, depth)
        self.code[at][EXIT] = len(self.code)
        self.barrier = len(self.code)

    barrier = 0

    def _skip(self, node: Node, level: int) -> None:
        width = {Op.DOUBLE: 8, Op.FLOAT: 4, Op.FIXED: node.size}.get(node.op)
        if width is None:
            self._append(node.op, -1, node.size, level)
        elif len(self.code) > self.barrier and self.code[-1][OP] == Op.SKIP:
            self.code[-1][SIZE] += width
        else:
            self._append(Op.SKIP, -1, width, level)

    def _append(self, op: Op, slot: int, size: int, level: int, child: int = 0) -> int:
        self.code.append([op, slot, size, 0, len(self.code) + 1, level, child])
        return len(self.code) - 1

    def _slot(self, op: Op, path: str, level: int, size: int, child: int = 0) -> int:
        self.slots.append(Slot(path, op, level, size, child))
        return len(self.slots) - 1

    def _wanted(self, full: str, *, inside: bool = False) -> bool:
        """True if the path, something above it or (with `inside`) something below it was chosen."""
        if self.only is None:
            return True
        parts = full.split(".")
        above = {".".join(parts[: i + 1]) for i in range(len(parts))} & self.only
        self.unused -= above
        return bool(above) or (inside and any(path.startswith(f"{full}.") for path in self.only))
