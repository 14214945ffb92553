"""What a streamer asks of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Gate(Protocol):
    """Each call returns when the gate has taken everything."""

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """A batch of envelopes."""

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """A watermark of these classes."""
