"""How far a run has been streamed, kept in the object store so that a rerun goes on where the last one stopped."""

from __future__ import annotations

import json
from typing import NamedTuple

from assay.app.stores.objects import ObjectStore
from assay.contracts.canonical import canonical
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Cursor(NamedTuple):
    """`position` rows of the sequence are acknowledged; `complete` when the final marks are too."""

    position: int = 0
    complete: bool = False


class Checkpoint:
    """One run's cursor. `scope` names the run, its world and its configuration; `folder` of the store, whose position it is."""

    def __init__(self, store: ObjectStore, scenario_run_id: str, scope: str, folder: str = "wsp") -> None:
        self._store, self._scope = store, scope
        self._key = f"{folder}/checkpoints/{scenario_run_id}.json"

    def load(self, total: int) -> Cursor:
        """The cursor, at the beginning when there is none. Raises Stop(CHECKPOINT_MISMATCH) for another scope or world."""
        try:
            held = json.loads(self._store.read(self._key))
            scope, cursor = held["scope"], Cursor(held["position"], held["complete"])
            if (type(cursor.position), type(cursor.complete)) != (int, bool):
                raise TypeError("not a position")
        except FileNotFoundError:
            return Cursor()
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            what, remedy = f"the checkpoint cannot be read: {error}", "Restore it, or start another run."
            raise Stop(Reason.CHECKPOINT_MISMATCH, what, where=self._key, remedy=remedy) from None
        if scope != self._scope or not 0 <= cursor.position <= total:
            remedy = "A run keeps its world and configuration; start another run."
            raise Stop(Reason.CHECKPOINT_MISMATCH, "the checkpoint belongs to another run or world", where=self._key, remedy=remedy)
        return cursor

    def save(self, cursor: Cursor) -> None:
        """Write the cursor durably."""
        document = {"scope": self._scope, "position": cursor.position, "complete": cursor.complete}
        self._store.replace(self._key, canonical(document) + b"\n")
