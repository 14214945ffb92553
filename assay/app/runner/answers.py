"""What is said of a run to whoever asks: read from its record and documents, the same for a first and for a repeated request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from assay.app.runner.documents import READY_SIGNAL, read_kept, status_ref
from assay.app.runner.facts import facts_ref
from assay.app.runner.record import Record, record_ref
from assay.app.runner.states import RunState
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class RunAnswer(NamedTuple):
    """A run as it stands. `state` is empty for a run that is asked for and not begun; what does not apply is empty, too.

    `message_id`: that of READY. `why`, `where` and `remedy`: the fault of a run that ended without READY, for people.
    """

    run_id: str
    state: str
    reason_code: str
    status_ref: str
    record_ref: str
    facts_view_ref: str
    message_id: str
    why: str
    where: str
    remedy: str
    #: whether another process works on the run, or was killed while it did and its lease has not ended
    held: bool = False

    def as_json(self) -> dict[str, Any]:
        """The answer without what is empty."""
        return {name: value for name, value in self._asdict().items() if value}


class ReemitAnswer(NamedTuple):
    """What was said again: message ids, none for a dry run, which says only what it would do."""

    run_id: str
    state: str
    published: tuple[str, ...]
    message: str

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {**self._asdict(), "published": list(self.published)}


#: what names a policy in answers: each is a text
POLICY_NAME: Final = ("policy_id", "revision", "content_digest")


class Activation(NamedTuple):
    """What came of a change of policy. `before` and `after` have the fields of `POLICY_NAME`; `published`: ids of records sent now."""

    policy_seq: int
    before: Mapping[str, str]
    after: Mapping[str, str]
    changes: tuple[str, ...]
    published: tuple[str, ...]
    message: str

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {**self._asdict(), "changes": list(self.changes), "published": list(self.published)}


def answer_of(store: ObjectStore, record: Record) -> RunAnswer:
    """The answer for a record that was read."""
    standing, run_id = record.standing, record.run_id
    ready = standing.state is RunState.READY
    signal = read_kept(store, READY_SIGNAL, run_id) if ready else None
    brought = record.events[standing.number]["details"] if standing.state else {}
    return RunAnswer(
        run_id=run_id,
        state=str(standing.state or ""),
        reason_code=standing.reason,
        status_ref=status_ref(run_id) if standing.state else "",
        record_ref=record_ref(run_id) if record.events else "",
        facts_view_ref=facts_ref(run_id) if ready else "",
        message_id=signal["message_id"] if signal else "",
        why=str(brought.get("why", "")),
        where=str(brought.get("where", "")),
        remedy=str(brought.get("remedy", "")),
    )


def show(store: ObjectStore, run_id: str) -> RunAnswer:
    """The answer for a run. Raises Stop(RUN_MISSING) where nothing was recorded of it."""
    record = Record(store, run_id).read_on()
    if not record.events:
        raise Stop(Reason.RUN_MISSING, f"nothing is recorded of the run {run_id}", where=record_ref(run_id), remedy="Submit it first.")
    return answer_of(store, record)
