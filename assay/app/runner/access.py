"""Who may ask the runner over HTTP: a key of the run, and an actor on the list. Denials are recorded in the run that they were about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.app.runner.record import Record, record_ref
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


@dataclass(frozen=True)
class Access:
    """`accepts_key` says whether a key is valid now. `actors`: who may submit and supersede, `reemitters`: who may re-emit; empty: all."""

    accepts_key: Callable[[bytes], bool]
    actors: frozenset[str] = frozenset()
    reemitters: frozenset[str] = frozenset()

    def refuse(self, store: ObjectStore, action: str, run_id: str, key: bytes | None, actor: str, now_us: int) -> None:
        """Raises Quarantine(UNAUTHORISED, ACTOR_NOT_ALLOWED) after a note in the run's record. `key`: None for a caller that needs none.

        Without a valid key nothing is noted of runs that do not exist: a stranger fills no store.
        """
        reason = self._reason(action, key, actor)
        if reason is None:
            return
        record = Record(store, run_id).read_on()
        if record.events or reason is Reason.ACTOR_NOT_ALLOWED:
            who = {"actor": actor} if reason is Reason.ACTOR_NOT_ALLOWED else {}
            record.append("AUTH_DENIED", {"action": action, "reason_code": reason.value, **who}, now_us)
        if reason is Reason.UNAUTHORISED:
            remedy = "Send the key that `assay key show --run DIR` prints."
            raise Quarantine(reason, "the call has no key of the run", where=record_ref(run_id), remedy=remedy)
        raise Quarantine(reason, f"'{actor}' may not {action}", where=record_ref(run_id), remedy="Ask somebody on the list.")

    def _reason(self, action: str, key: bytes | None, actor: str) -> Reason | None:
        if key is not None and not self.accepts_key(key):
            return Reason.UNAUTHORISED
        allowed = (self.reemitters or self.actors) if action == "reemit" else self.actors
        return Reason.ACTOR_NOT_ALLOWED if allowed and actor not in allowed else None
