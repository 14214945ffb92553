"""The content of fetched records, before it has an order: rows, watermarks, refusals, resolved offsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from assay.agents.merge import Watermark
from assay.agents.step import Chunk
from assay.codecs.column_block import Block
from assay.contracts.reasons import Reason


class RefusedRecord(NamedTuple):
    """A record that is refused, with its place and reason. `raw` is its value."""

    handle: str
    partition: int
    offset: int
    reason: Reason
    detail: str
    raw: bytes


@dataclass
class Taken:
    """The content of one chunk: `rows` with the names of the journal (`row.offset`), in offset order, and offsets that need no order."""

    rows: Block | None = None
    watermarks: list[Watermark] = field(default_factory=list)
    refused: list[RefusedRecord] = field(default_factory=list)
    resolved: list[int] = field(default_factory=list)


class Reader(Protocol):
    """From fetched bytes to the columns of a lane; `agents/intake.py` is the one."""

    def take(self, chunk: Chunk, late_bound: int) -> Taken:
        """Decode a chunk; rows before `late_bound`, event time in microseconds, are refused as late."""
