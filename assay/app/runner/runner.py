"""Scenario Runner: one run per key, with one plan, one set of evidence and one READY. Durable truth first, announcement last.

Facts view, record, status, the signal's file, bus: whoever is killed between two of them is followed by somebody who does the rest. The
signal is READY, or that the run ended without it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from assay.app.authority.port import Authority
from assay.app.bus.publisher import Publisher
from assay.app.control_bus.port import ControlBus
from assay.app.run.directory import RunConfig
from assay.app.runner.announcement import announce_end, announce_run, is_announced, ready_of
from assay.app.runner.answers import RunAnswer, answer_of
from assay.app.runner.attempts import Attempts
from assay.app.runner.deadline import Deadline
from assay.app.runner.derived import follow
from assay.app.runner.documents import FACTS_VIEW, PLAN, drift, read_kept
from assay.app.runner.engine import Engine
from assay.app.runner.evidence import Evidence, Kind, Seen, classify
from assay.app.runner.facts import facts_ref, facts_view, receipts_of
from assay.app.runner.hold import TTL_US, Clock, Hold
from assay.app.runner.plan import Plan, RunnerPolicy, compile_plan, plan_of, policy_rev
from assay.app.runner.receipts import write_receipt
from assay.app.runner.record import Record
from assay.app.runner.request import AUTO, FORCE_INVOKE, RunRequest
from assay.app.runner.states import FINAL, RunState
from assay.app.runner.voice import Voice
from assay.app.stores.objects import ObjectStore
from assay.app.telemetry import Telemetry
from assay.contracts import instants
from assay.contracts.errors import AssayError, Quarantine, Stop
from assay.contracts.reasons import Reason

#: what stops a process and says nothing of the run: another one, or the same one later, goes on with it
_OF_THE_PROCESS = frozenset(
    {
        *(Reason.LEASE_LOST, Reason.AUTHORITY_BEHIND, Reason.RUN_RECORD_DAMAGED, Reason.RUN_STATE_FORBIDDEN, Reason.ACCESS_DENIED),
        *(Reason.FILE_REFUSED, Reason.PRODUCE_FAILED, Reason.SETTING_INVALID, Reason.BUS_USER_REFUSED, Reason.PLAN_DRIFT),
        *(Reason.FACTS_VIEW_DRIFT, Reason.READY_SIGNAL_DRIFT),
    }
)


@dataclass(frozen=True)
class Runner:
    """The runner of one platform run over its stores. `pause(seconds)` waits between two looks at evidence that is not complete.

    `owner_id` names this process in leases. `clock` gives UTC microseconds, `steady` those of a clock that nobody sets.
    """

    config: RunConfig
    store: ObjectStore
    authority: Authority
    evidence: Evidence
    publisher: Publisher
    clock: Clock
    steady: Clock
    pause: Callable[[float], None]
    owner_id: str
    engine: Engine | None = None
    #: where runs are said too, where that is not the topic that the lanes read
    control: ControlBus | None = None
    policy: RunnerPolicy = field(default_factory=RunnerPolicy)
    poll_s: float = 2.0
    telemetry: Telemetry = field(default_factory=lambda: Telemetry(()))

    def submit(self, request: RunRequest, *, wait: bool = True, superseded: ObjectStore | None = None) -> RunAnswer:
        """Bring the run of a request as far as it comes, or say how far it is: a run that ended is never changed.

        While another process holds the run, its present state is the answer. `wait`: look again until the deadline while evidence is
        missing. `superseded`: the store of the run that the request supersedes, if not ours. A run that ended without READY is an answer.

        Raises Stop(EQUIV_KEY_COLLISION, PLAN_DRIFT, RUN_SCOPE_MISMATCH, SUPERSEDES_ITSELF, RUN_MISSING), and then nothing was written;
        Stop(LEASE_LOST, AUTHORITY_BEHIND, RUN_RECORD_DAMAGED, PRODUCE_FAILED); Retry for a store or a database that does not answer.
        """
        self._refuse_other_run(request)
        old = self._superseded(request, superseded)
        known = self.authority.register(request.key, request.run_id, request.intent_fingerprint, self.clock())
        record = Record(self.store, request.run_id).read_on()
        self._refuse_other_policy(request.run_id)
        if not self._is_over(record):
            lease = self.authority.acquire(request.run_id, self.owner_id, TTL_US, self.clock())
            if lease is None:
                self.telemetry.say("LEASE_BUSY", request.run_id)
                return answer_of(self.store, record.read_on())._replace(held=True)
            hold = Hold(self.store, self.authority, lease, record, self.clock, self.telemetry)
            try:
                hold.take()
                _Work(self, hold, request, known.first_seen_us, old, wait=wait).go_on()
            finally:
                hold.let_go()
        else:
            follow(self.store, record)  # whoever ended it may have been killed before this
            self.telemetry.say("DUPLICATE_REQUEST_OBSERVED", request.run_id)
        return answer_of(self.store, record.read_on())

    @property
    def voice(self) -> Voice:
        """Where its runs are said."""
        return Voice(self.publisher, self.control, self.clock)

    def _is_over(self, record: Record) -> bool:
        return record.standing.state in FINAL and is_announced(record, self.config)

    def _refuse_other_run(self, request: RunRequest) -> None:
        """A platform run has one scenario run: behind the final marks of one, another could say nothing in time."""
        if request.run_id != self.config.scenario_run_id:
            what = f"the key '{request.key}' names run {request.run_id}, and this platform run is run {self.config.scenario_run_id}"
            remedy = "Ask for it in a run directory of its own."
            raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where="run_equivalence_key", remedy=remedy)

    def _superseded(self, request: RunRequest, store: ObjectStore | None) -> Record | None:
        """The record of the run that a request supersedes. Raises Stop(RUN_MISSING, SUPERSEDES_ITSELF)."""
        if not request.supersedes_run_id:
            return None
        old = Record(store or self.store, request.supersedes_run_id).read_on()
        if old.run_id == request.run_id:
            what = f"the key '{request.key}' names the run {old.run_id} itself"
            raise Stop(Reason.SUPERSEDES_ITSELF, what, where="supersedes_run_id", remedy="Ask under a key of its own.")
        if not old.events:
            what = f"nothing is recorded of the run {old.run_id} that is to be superseded"
            raise Stop(Reason.RUN_MISSING, what, where="supersedes_run_id", remedy="Correct the run's id.")
        return old

    def _refuse_other_policy(self, run_id: str) -> None:
        planned = read_kept(self.store, PLAN, run_id)
        if planned is not None and planned["policy_rev"] != policy_rev(self.config):
            raise drift(PLAN, run_id)


@dataclass(frozen=True)
class _Work:
    """A run that is held, from where its record stands."""

    runner: Runner
    hold: Hold
    request: RunRequest
    first_seen_us: int
    old: Record | None
    wait: bool

    def go_on(self) -> None:
        record = self.hold.record
        if record.standing.state is None:
            self.hold.advance("RUN_ACCEPTED", self._accepted())
        if self.old is not None:
            self._supersede(self.old)
        if record.standing.state is RunState.OPEN:
            self._plan()
        self._note_policy()
        if record.standing.state not in FINAL:
            self._bring_evidence()
        if record.standing.state in (RunState.FAILED, RunState.QUARANTINED):
            announce_end(self.hold, self.runner.voice)
        if record.standing.state is RunState.READY:
            facts = read_kept(self.runner.store, FACTS_VIEW, self.request.run_id)
            assert facts is not None
            config = self.runner.config
            ready = ready_of(facts, config.run_id, facts_ref(self.request.run_id))
            announce_run(self.hold, config, facts, ready, self.runner.voice)

    def _accepted(self) -> dict[str, Any]:
        config = self.runner.config
        return {
            "platform_run_id": config.platform_run_id,
            "run_config_digest": config.digest.hex(),
            "run_equivalence_key": self.request.key,
            "intent_fingerprint": self.request.intent_fingerprint,
            "intent": self.request.intent,
            "first_seen_at_utc": instants.text(self.first_seen_us),
        }

    def _supersede(self, old: Record) -> None:
        """Tell both runs of each other; the old one keeps its state and its READY."""
        purpose = {"supersession_purpose": self.request.supersession_purpose}
        self.hold.advance("SUPERSEDES", {"supersedes_run_id": old.run_id, **purpose})
        old.append("SUPERSEDED_BY", {"superseded_by_run_id": self.request.run_id, **purpose}, self.runner.clock())

    def _plan(self) -> None:
        runner, run_id = self.runner, self.request.run_id
        try:
            self._refuse_no_engine()
            plan = compile_plan(self.request, runner.config, runner.policy, runner.evidence.outputs_of(self.request))
        except (Stop, Quarantine) as refusal:
            self._end("PLAN_FAILED", refusal)
            return
        written = read_kept(runner.store, PLAN, run_id)
        if written is None:
            self.hold.write(PLAN, plan.document(runner.clock(), runner.policy.evidence_wait_s))
        elif written["plan_hash"] != plan.plan_hash:
            raise drift(PLAN, run_id)
        self.hold.advance("PLAN_COMMITTED", {"plan_hash": plan.plan_hash})

    def _note_policy(self) -> None:
        """Note the policy of a plan that was committed. Who committed it may have been killed before the note."""
        plan, events = read_kept(self.runner.store, PLAN, self.request.run_id), self.hold.record.events
        noted = [event["details"] for event in events if event["event_kind"] == "GOV_POLICY_REV"]
        if self.hold.record.find("PLAN_COMMITTED") and plan is not None and plan["policy_rev"] not in noted:
            self.hold.advance("GOV_POLICY_REV", plan["policy_rev"])

    def _refuse_no_engine(self) -> None:
        """Raises Stop(ENGINE_COMMAND_MISSING, ENGINE_ROOT_MISSING) when the engine has to be called and cannot be."""
        if self.runner.policy.reuse and self.request.strategy != FORCE_INVOKE:
            return
        if self.runner.engine is None:
            remedy = "Give the runner an engine, or let the run take a world that is there."
            raise Stop(Reason.ENGINE_COMMAND_MISSING, "the run asks for the engine, and there is none", where="strategy", remedy=remedy)
        if not self.request.engine_run_root:
            what = "the run asks for the engine and names no folder for its world"
            raise Stop(Reason.ENGINE_ROOT_MISSING, what, where="engine_run_root", remedy="Name a folder, or s3://bucket/prefix.")

    def _bring_evidence(self) -> None:
        """Make the world where it has to be made, and look at it until it is complete, refused, or the deadline is over."""
        runner = self.runner
        written = read_kept(runner.store, PLAN, self.request.run_id)
        assert written is not None
        plan, deadline = plan_of(written), Deadline(written, runner.clock, runner.steady)
        attempts = Attempts(self.hold, runner.store, runner.engine, self.request, runner.clock) if runner.engine else None
        while plan.strategy == FORCE_INVOKE and attempts is not None and not attempts.succeeded:
            if not attempts.make(plan):
                return
        while True:
            try:
                seen = runner.evidence.look(self.request, self.hold.keep)
            except (Stop, Quarantine) as refusal:
                self._end("EVIDENCE_FAIL", refusal)
                return
            verdict = classify(plan, seen, deadline.now_us(), deadline.at_us)
            if verdict.kind is Kind.COMPLETE:
                self._commit(plan, seen)
                return
            if verdict.missing and plan.strategy == AUTO and attempts is not None and self._may_invoke(attempts):
                if not attempts.make(plan):
                    return
                continue
            assert verdict.reason is not None
            details = {"reason_code": verdict.reason.value, "missing": list(verdict.missing), "why": verdict.why}
            self.hold.advance(f"EVIDENCE_{verdict.kind}", details)
            if verdict.kind is not Kind.WAITING or not self.wait:
                return
            runner.pause(runner.poll_s)

    def _may_invoke(self, attempts: Attempts) -> bool:
        """Once evidence is waited for, nothing is made any more: whoever makes it has been told."""
        state = self.hold.record.standing.state
        return bool(self.request.engine_run_root) and not attempts.succeeded and state is not RunState.WAITING_EVIDENCE

    def _commit(self, plan: Plan, seen: Seen) -> None:
        facts = facts_view(self.request, self.runner.config, plan, seen)
        for receipt in receipts_of(self.request, plan, seen):
            self.hold.sure()
            try:
                write_receipt(self.runner.store, receipt)
            except Stop as refusal:
                self._end("EVIDENCE_FAIL", refusal)
                return
        self.hold.write(FACTS_VIEW, facts)
        details = {"bundle_hash": facts["bundle_hash"], "plan_hash": plan.plan_hash, "facts_view_ref": facts_ref(self.request.run_id)}
        self.hold.advance("READY_COMMITTED", {**details, "run_config_digest": facts["run_config_digest"]})

    def _end(self, event_kind: str, refusal: AssayError) -> None:
        """Record a refusal as the end of the run. One that speaks of this process only is raised again."""
        if refusal.reason in _OF_THE_PROCESS:
            raise refusal
        told = {"reason_code": refusal.reason.value, "why": refusal.what, "where": refusal.where, "remedy": refusal.remedy}
        self.hold.advance(event_kind, told)
