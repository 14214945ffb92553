"""Marks in the admission index: one row per event class of a run, moved under a lock that claims share.

A claim is committed either before a mark moves, and then whoever writes the mark waits for its batch, or after it, and then the events are
examined with the new mark. So no process publishes an event behind a mark that another one has written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from assay.app.gate.index_tables import LOCK_KEY, Connection

_HOLD_MARKS: Final = "SELECT pg_advisory_xact_lock(@key)".replace("@key", LOCK_KEY.replace("%s", "'marks:' || %s::text"))
_MARKS: Final = "SELECT event_class, ts_us, final FROM ig_marks WHERE platform_run_id = %s"
_MOVE: Final = (
    "INSERT INTO ig_marks VALUES (%s, %s, %s, %s) ON CONFLICT (platform_run_id, event_class)"
    " DO UPDATE SET ts_us = excluded.ts_us, final = ig_marks.final OR excluded.final"
)


class Mark(NamedTuple):
    """A watermark of one event class: everything before `ts_us` (microseconds) was posted; after a final one, everything at all."""

    ts_us: int
    final: bool


def marks_text(marks: Mapping[str, Mark]) -> str:
    """These marks in one text, as `ig_marks_text` of the tables gives it: equal where the marks are."""
    return ";".join(f"{name} {mark.ts_us} {str(mark.final).lower()}" for name, mark in sorted(marks.items()))


def marks_of(connection: Connection, platform_run_id: str) -> dict[str, Mark]:
    """The last mark of each event class of a run. Raises psycopg.Error."""
    rows = connection.execute(_MARKS, (platform_run_id,)).fetchall()
    return {str(name): Mark(int(ts_us), bool(final)) for name, ts_us, final in rows}


def move_marks(connection: Connection, platform_run_id: str, moved: Callable[[Mapping[str, Mark]], Mapping[str, Mark]]) -> dict[str, Mark]:
    """Replace marks by what `moved` makes of them; those that hold now. Raises what it raises, with nothing moved, and psycopg.Error."""
    with connection.transaction():
        connection.execute(_HOLD_MARKS, (platform_run_id,))
        before = marks_of(connection, platform_run_id)
        after = {**before, **moved(before)}
        for name, mark in after.items():
            if before.get(name) != mark:
                connection.execute(_MOVE, (platform_run_id, name, *mark))
    return after
