"""Say again what a run said. Truth is read and nothing is computed: the message has the id that it had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assay.app.runner.announcement import ready_document, ready_of
from assay.app.runner.answers import ReemitAnswer
from assay.app.runner.derived import terminal_signal
from assay.app.runner.documents import FACTS_VIEW, TERMINAL_SIGNAL, read_kept, refuse_malformed, write_once
from assay.app.runner.facts import facts_ref
from assay.app.runner.record import Record, record_ref
from assay.app.runner.runner import Runner
from assay.app.runner.states import FINAL, RunState
from assay.app.runner.voice import control_message
from assay.contracts import instants
from assay.contracts.errors import Retry, Stop
from assay.contracts.reasons import Reason

SCHEMA = "sr_reemit_request.v1"
LEASE_US = 60_000_000


class What(StrEnum):
    """What may be said again."""

    READY_ONLY = "READY_ONLY"
    TERMINAL_ONLY = "TERMINAL_ONLY"
    BOTH = "BOTH"


@dataclass(frozen=True)
class ReemitPolicy:
    """How often a run may be said again within a window (None: as often as one likes), and which reasons open another platform run."""

    limit: int | None = None
    window_us: int = 3_600_000_000
    cross_run_reasons: tuple[str, ...] = ()


def chosen(state: RunState | None, what: What) -> bool:
    """Whether READY is said again (True) or the terminal signal (False).

    Raises Stop(REEMIT_NOT_APPLICABLE, REEMIT_READY_ONLY_MISMATCH, REEMIT_TERMINAL_ONLY_MISMATCH).
    """
    if state not in FINAL:
        raise _refused(Reason.REEMIT_NOT_APPLICABLE, f"a run that is {state} has said nothing yet")
    ready = state is RunState.READY
    if ready and what is What.TERMINAL_ONLY:
        raise _refused(Reason.REEMIT_TERMINAL_ONLY_MISMATCH, "the run is READY and has no terminal signal")
    if not ready and what is What.READY_ONLY:
        raise _refused(Reason.REEMIT_READY_ONLY_MISMATCH, f"the run is {state} and was never READY")
    return ready


def refuse_foreign(own: str, request: Mapping[str, Any], policy: ReemitPolicy) -> str:
    """The platform run for which it is said. Another one than the run's own needs an override that somebody approved.

    Raises Stop(CROSS_RUN_OVERRIDE_REQUIRED, CROSS_RUN_OVERRIDE_REASON_NOT_ALLOWED).
    """
    target = str(request.get("emit_platform_run_id", own))
    if target == own:
        return own
    override = request.get("cross_run_override")
    if override is None:
        what = f"the run is of {own}, and {target} is another platform run"
        raise _refused(Reason.CROSS_RUN_OVERRIDE_REQUIRED, what, "Give an override that a second person approved.")
    if policy.cross_run_reasons and override["reason_code"] not in policy.cross_run_reasons:
        known = ", ".join(policy.cross_run_reasons)
        what = f"'{override['reason_code']}' is no reason for another platform run"
        raise _refused(Reason.CROSS_RUN_OVERRIDE_REASON_NOT_ALLOWED, what, f"Use one of {known}.")
    return target


def refuse_too_often(events: Sequence[Mapping[str, Any]], now_us: int, policy: ReemitPolicy) -> None:
    """Raises Retry(REEMIT_RATE_LIMIT) when a run was said again as often as it may be within the window."""
    times = [instants.parse(event["ts_utc"]) for event in events if event["event_kind"] == "REEMIT_PUBLISHED"]
    recent = sum(now_us - policy.window_us < ts_us for ts_us in times)
    if policy.limit is not None and recent >= policy.limit:
        what = f"the run was said again {recent} times within {instants.duration_text(policy.window_us)}"
        raise Retry(Reason.REEMIT_RATE_LIMIT, what, where="reemit", remedy="Ask again later.")


def reemit(runner: Runner, document: Mapping[str, Any], policy: ReemitPolicy | None = None) -> ReemitAnswer:
    """Say again what a run said, under a lease of its own.

    Raises Quarantine(SCHEMA_FAIL), Stop(RUN_MISSING, FACTS_VIEW_MISSING) and what the three functions above raise; Retry(REEMIT_BUSY).
    """
    refuse_malformed(SCHEMA, document)
    run_id, what = document["run_id"], What(document.get("reemit_kind", What.BOTH))
    if not Record(runner.store, run_id).read_on().events:
        raise Stop(Reason.RUN_MISSING, f"nothing is recorded of the run {run_id}", where=record_ref(run_id), remedy="Correct the run's id.")
    lease = runner.authority.acquire(f"reemit:{run_id}:{what}", runner.owner_id, LEASE_US, runner.clock())
    if lease is None:
        raise Retry(Reason.REEMIT_BUSY, "another process says this run again", where=record_ref(run_id), remedy="Ask again later.")
    try:
        return _Saying(runner, Record(runner.store, run_id).read_on(), document, policy or ReemitPolicy()).say(what)
    finally:
        runner.authority.release(lease, runner.clock())


@dataclass(frozen=True)
class _Saying:
    runner: Runner
    record: Record
    document: Mapping[str, Any]
    policy: ReemitPolicy

    def say(self, what: What) -> ReemitAnswer:
        """Note who asks, check, say, note what was said. A number in each note keeps equal requests apart."""
        number = sum(event["event_kind"] == "REEMIT_REQUESTED" for event in self.record.events)
        self._note("REEMIT_REQUESTED", {**self.document, "reemit_no": number})
        try:
            target, ready = self._checked(what)
            said = self._ready(target) if ready else self._terminal(target)
        except (Stop, Retry) as refusal:
            self._note("REEMIT_FAILED", {"reason_code": refusal.reason.value, "reemit_no": number})
            raise
        state, name = str(self.record.standing.state), str(said["event_id"])
        if self.document.get("dry_run", False):
            self._note("REEMIT_DRY_RUN", {"message_id": name, "reemit_no": number})
            return ReemitAnswer(self.record.run_id, state, (), f"would say {name}")
        if "cross_run_override" in self.document:
            self._note("GOV_REEMIT_OVERRIDE_APPROVED", {**self.document["cross_run_override"], "reemit_no": number})
        if not ready:
            write_once(self.runner.store, TERMINAL_SIGNAL, self.record.run_id, terminal_signal(self.record))
        self.runner.voice.say(control_message(said, self.record.run_id, "READY_REEMIT" if ready else "TERMINAL_REEMIT"))
        self._note("REEMIT_PUBLISHED", {"message_id": name, "reemit_no": number})
        self._note("GOV_REEMIT_KEY", {"key": name})
        return ReemitAnswer(self.record.run_id, state, (name,), "said again")

    def _checked(self, what: What) -> tuple[str, bool]:
        accepted = self.record.find("RUN_ACCEPTED")
        own = str(accepted["details"]["platform_run_id"]) if accepted else self.runner.config.platform_run_id
        target = refuse_foreign(own, self.document, self.policy)
        ready = chosen(self.record.standing.state, what)
        if not self.document.get("dry_run", False):
            refuse_too_often(self.record.events, self.runner.clock(), self.policy)
        return target, ready

    def _terminal(self, platform_run_id: str) -> dict[str, Any]:
        signal = terminal_signal(self.record)
        return {**signal, "pins": {**signal["pins"], "platform_run_id": platform_run_id}}

    def _ready(self, platform_run_id: str) -> dict[str, Any]:
        run_id = self.record.run_id
        facts = read_kept(self.runner.store, FACTS_VIEW, run_id)
        if facts is None:
            remedy = "Restore it from a copy: READY means nothing without it."
            raise Stop(Reason.FACTS_VIEW_MISSING, "the facts view of the run is missing", where=facts_ref(run_id), remedy=remedy)
        said_for = {**facts, "pins": {**facts["pins"], "platform_run_id": platform_run_id}}
        return ready_document(ready_of(said_for, self.runner.config.run_id, facts_ref(run_id)))

    def _note(self, event_kind: str, details: Mapping[str, Any]) -> None:
        self.record.append(event_kind, details, self.runner.clock())


def _refused(reason: Reason, what: str, remedy: str = "See how the run stands with `assay sr show`.") -> Stop:
    return Stop(reason, what, where="reemit", remedy=remedy)
