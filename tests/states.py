"""The state of a table or a step as bytes, so that tests can compare."""

from __future__ import annotations

from typing import Protocol

from assay.codecs.table_state import TableState, blocks, read_state


class Holder(Protocol):
    """A table or a step."""

    def state(self) -> TableState:
        """The whole state as one value."""


def written(holder: Holder) -> bytes:
    """The bytes of its state."""
    return b"".join(blocks(holder.state()))


def read_back(holder: Holder) -> TableState:
    """Its state, as it comes back from its bytes."""
    return read_state(written(holder))


def written_without_versions(holder: Holder) -> bytes:
    """The bytes of its state without row versions: these are journal sequences, so they say how the rows were cut into records."""
    header, arrays = holder.state()
    kept = {name: array for name, array in arrays.items() if not name.endswith((".versions", ".versions_base"))}
    return b"".join(blocks(TableState(header, kept)))
