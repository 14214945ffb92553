"""What a lane's driver talks to: a journal, the topics its records go to, and the world that its effects are for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from typing import Protocol

from assay.agents.step import EffectResults, Effects, Emission


class Journal(Protocol):
    """An append-only log with offsets; on Kafka one partition of a journal topic."""

    async def start(self) -> None:
        """Connect, unless it is connected."""

    async def close(self) -> None:
        """Let go of the connection."""

    async def append(self, value: bytes, wall_ms: int) -> Awaitable[int]:
        """Send one record; awaiting the result gives its acknowledged offset."""

    def read_all(self) -> AsyncIterator[tuple[int, bytes]]:
        """Every record not read yet, in order, to the end."""

    async def read_between(self, first: int, end: int) -> list[bytes]:
        """The records at offsets `first` up to `end` (exclusive)."""

    def follow(self) -> AsyncGenerator[list[tuple[int, bytes]]]:
        """Records not read yet as they come, without end; an empty list now and then while none come."""


class Outputs(Protocol):
    """Where a lane's records go."""

    async def start(self) -> None:
        """Connect, unless it is connected."""

    async def close(self) -> None:
        """Let go of the connection."""

    async def publish(self, emissions: Sequence[Emission], wall_ms: int) -> None:
        """Returns when every record is acknowledged; raises when any is not."""


class Effector(Protocol):
    """Executes effects in the world outside."""

    async def execute(self, effects: Effects) -> EffectResults:
        """One result per effect, in order. Raises nothing: a failure is a result."""
