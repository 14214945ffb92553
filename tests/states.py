"""The state of a table or a step as bytes, so that tests can compare."""

from __future__ import annotations

from typing import Protocol

from assay.tables.state_bytes import State, blocks, read_state


class Holder(Protocol):
    """A table or a step."""

    def state(self) -> State:
        """The whole state as one value."""


def written(holder: Holder) -> bytes:
    """The bytes of its state."""
    return b"".join(blocks(holder.state()))


def read_back(holder: Holder) -> State:
    """Its state, as it comes back from its bytes."""
    return read_state(written(holder))
