"""What the index is asked for, without the event around it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Claim:
    """One event that asks for its place."""

    dedupe_key: bytes
    payload_hash: bytes
    source_order: int
    ts_us: int
