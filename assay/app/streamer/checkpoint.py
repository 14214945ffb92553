"""How far a sequence has been sent, kept in the object store or in PostgreSQL, so that a rerun goes on where the last one stopped."""

from __future__ import annotations

import json
from typing import NamedTuple, Protocol

from assay.app.stores.objects import ObjectExists, ObjectStore
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Cursor(NamedTuple):
    """`position` rows of the sequence are acknowledged; `complete` when the final marks are too.

    `next_us`: the time of the row that follows, None for the last one, and where nothing is known.
    """

    position: int = 0
    complete: bool = False
    next_us: int | None = None


class Keeper(Protocol):
    """Where one cursor is kept."""

    def load(self, total: int) -> Cursor:
        """The cursor, at the beginning when there is none. Raises Stop(CHECKPOINT_MISMATCH) for another scope or world."""

    def save(self, cursor: Cursor) -> None:
        """Write the cursor durably."""


class Checkpoint:
    """The cursor of `name` in the object store. `scope` names the run, its world and its configuration."""

    def __init__(self, store: ObjectStore, name: str, scope: str, folder: str = "wsp") -> None:
        self._store, self._scope = store, scope
        self._key = f"{folder}/checkpoints/{name}.json"

    def load(self, total: int) -> Cursor:
        """See `Keeper`."""
        try:
            held = json.loads(self._store.read(self._key))
            scope, cursor = held["scope"], Cursor(held["position"], held["complete"], held["next_us"])
            if (type(cursor.position), type(cursor.complete), type(cursor.next_us or 0)) != (int, bool, int):
                raise TypeError("not a position")
        except FileNotFoundError:
            return Cursor()
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _unread(error, self._key) from None
        if scope != self._scope:
            raise of_another(self._key)
        return within(cursor, total, self._key)

    def save(self, cursor: Cursor) -> None:
        """Write the cursor durably."""
        document = {"scope": self._scope, **cursor._asdict()}
        self._store.replace(self._key, canonical(document) + b"\n")


def lanes_kept(store: ObjectStore, run_id: str, lanes: int, folder: str = "wsp") -> int:
    """The number of lanes that the first process of a run wrote, which is this one where there is none.

    Raises Stop(CHECKPOINT_MISMATCH) for an object that holds no such number.
    """
    key = f"{folder}/lanes/{run_id}.json"
    try:
        store.create(key, canonical({"lanes": lanes}) + b"\n")
    except ObjectExists:
        try:
            return _number(json.loads(store.read(key))["lanes"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _unread(error, key) from None
    return lanes


def within(cursor: Cursor, total: int, where: str) -> Cursor:
    """The cursor. Raises Stop(CHECKPOINT_MISMATCH) for a position that a sequence of so many rows does not have."""
    if not 0 <= cursor.position <= total:
        raise of_another(where)
    return cursor


def of_another(where: str) -> Stop:
    """The refusal of a cursor of another run or world."""
    remedy = "A run keeps its world and configuration; start another run."
    return Stop(Reason.CHECKPOINT_MISMATCH, "the checkpoint belongs to another run or world", where=where, remedy=remedy)


def _number(value: object) -> int:
    if type(value) is not int:
        raise TypeError("not a number")
    return value


def _unread(error: Exception, key: str) -> Stop:
    what, remedy = f"the checkpoint cannot be read: {error}", "Restore it, or start another run."
    return Stop(Reason.CHECKPOINT_MISMATCH, what, where=key, remedy=remedy)
