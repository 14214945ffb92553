"""Change the policy of a run: the next revision is kept, noted in the run's record, and published for the lane to journal.

Each step can be repeated. Who is killed between two of them is followed by whoever activates next: what was kept is published first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.agents.rule_plan import compile_rules
from assay.app.bus.record_view import plain
from assay.app.control_bus.kafka_bus import control_record
from assay.app.run.directory import RunConfig
from assay.app.run.frozen import refuse_other
from assay.app.run.policy_revisions import PolicyRevision, busy, keep, kept
from assay.app.runner import signals
from assay.app.runner.activation_request import Asked
from assay.app.runner.answers import Activation
from assay.app.runner.documents import FACTS_VIEW, read_kept
from assay.app.runner.facts import facts_ref
from assay.app.runner.policy_changes import changes_of, fields_that_differ
from assay.app.runner.record import Record, record_ref
from assay.app.runner.runner import Runner
from assay.app.runner.states import RunState
from assay.app.runner.voice import control_message
from assay.contracts import instants
from assay.contracts.canonical import document_bytes, document_digest
from assay.contracts.errors import AssayError, Quarantine, Stop
from assay.contracts.handles import CONTROL
from assay.contracts.ids import policy_revision_id
from assay.contracts.reasons import Reason
from assay.contracts.topics import topic
from assay.tables.feature_plan import compile_plan

LEASE_US = 60_000_000
#: bytes around the document in its record
_HEAD_BYTES = 8_192


def activate(runner: Runner, asked: Asked, *, dry_run: bool = False) -> Activation:
    """Make these rules those of a run from now on, and tell operators. Nothing is sent if they are in force already.

    Raises Stop(POLICY_CHANGED_MID_RUN) for other features or another configuration than the run began with,
    Stop(RULES_DOCUMENT_INVALID, RUN_NOT_READY, FACTS_VIEW_MISSING),
    Quarantine(POLICY_REVISION_REFUSED), Retry(POLICY_ACTIVATION_BUSY), Stop(PRODUCE_FAILED, RUN_RECORD_DAMAGED).
    """
    run_id = runner.config.scenario_run_id
    try:
        answer = _activated(runner, asked, dry_run=dry_run)
    except AssayError as refusal:
        runner.telemetry.say("POLICY_REV_REFUSED", run_id, {"reason_code": refusal.reason.value, "why": refusal.what})
        raise
    if answer.published:
        runner.telemetry.say("POLICY_REV_ACTIVATED", run_id, {"policy_seq": answer.policy_seq, **answer.after})
    return answer


def _activated(runner: Runner, asked: Asked, *, dry_run: bool) -> Activation:
    refuse_other(runner.store, runner.config, "the configuration of the run")
    _refuse_other_features(runner.config, asked.features)
    compile_rules(asked.rules, compile_plan(runner.config.features))
    ready_us = _ready_us(runner)
    if dry_run:
        return _Activating(runner, asked, ready_us).answer()
    run_id = runner.config.scenario_run_id
    lease = runner.authority.acquire(f"policy:{run_id}", runner.owner_id, LEASE_US, runner.clock())
    if lease is None:
        raise busy(record_ref(run_id))
    try:
        return _Activating(runner, asked, ready_us).do()
    finally:
        runner.authority.release(lease, runner.clock())


def _refuse_other_features(config: RunConfig, features: Mapping[str, Any]) -> None:
    if document_digest(features) != document_digest(config.features):
        fields = ", ".join(fields_that_differ(config.features, features))
        raise Stop(
            Reason.POLICY_CHANGED_MID_RUN,
            f"the features of the policy are not those that the run began with: {fields}",
            where="features.yaml",
            remedy="Only rules and thresholds change in a run. Take the run's features, or begin another run.",
        )


def _ready_us(runner: Runner) -> int:
    """Event time of READY. Raises Stop(RUN_NOT_READY, FACTS_VIEW_MISSING)."""
    run_id = runner.config.scenario_run_id
    state = Record(runner.store, run_id).read_on().standing.state
    if state is not RunState.READY:
        what = f"the run is {state or 'not READY'}; the policy of a run changes once it is READY"
        raise Stop(Reason.RUN_NOT_READY, what, where=record_ref(run_id), remedy="Bring it to READY with `assay sr submit` or `assay up`.")
    facts = read_kept(runner.store, FACTS_VIEW, run_id)
    if facts is None:
        remedy = "Restore it from a copy: READY means nothing without it."
        raise Stop(Reason.FACTS_VIEW_MISSING, "the facts view of the run is missing", where=facts_ref(run_id), remedy=remedy)
    return instants.parse(facts["min_ts_utc"])


@dataclass
class _Activating:
    runner: Runner
    asked: Asked
    ready_us: int

    def __post_init__(self) -> None:
        config = self.runner.config
        self.known = kept(self.runner.store)
        self.record = Record(self.runner.store, config.scenario_run_id).read_on()
        self.in_force = json.loads(self.known[-1].document) if self.known else config.policy

    @property
    def same(self) -> bool:
        return document_digest(self.in_force) == document_digest(self.asked.rules)

    def do(self) -> Activation:
        """Publish what was kept and not published, then the revision that is asked for."""
        sent = [self._publish(one) for one in self._unsent()]
        if self.same:
            return self.answer()._replace(published=tuple(sent), message="published" if sent else "in force already, nothing was sent")
        made = self._next()
        answer = self.answer()
        keep(self.runner.store, made)
        sent.append(self._publish(made))
        return answer._replace(published=tuple(sent), message="published; the next row of the lane is decided by it")

    def answer(self) -> Activation:
        """What would be done, with nothing sent."""
        if self.same:
            named = _named(self.in_force)
            message = "kept before, would be published" if self._unsent() else "in force already, nothing would be sent"
            return Activation(len(self.known), named, named, (), (), message)
        made, changes = self._next(), changes_of(self.in_force, self.asked.rules)
        return Activation(made.policy_seq, _named(self.in_force), _named(self.asked.rules), changes, (), "would be published")

    def _next(self) -> PolicyRevision:
        """The revision that is asked for. Raises Quarantine(POLICY_REVISION_REFUSED)."""
        rules, asked, event_time = self.asked.rules, self.asked, self.runner.config.ordering == "event_time"
        after, before = _named(rules), _named(self.in_force)
        if (after["policy_id"], after["revision"]) == (before["policy_id"], before["revision"]):
            raise _refused(f"{after['policy_id']} revision {after['revision']} is in force with another content", "Raise its revision.")
        earliest_us = self.known[-1].ts_us + 1 if self.known else self.ready_us
        if asked.from_us is not None and asked.from_us < earliest_us:
            what = f"{instants.text(asked.from_us)} is before {instants.text(earliest_us)}, where the policy in force begins"
            raise _refused(what, "Name a later time, or none for the next row.")
        at_once_us = self.ready_us if event_time else self.runner.clock()
        document = document_bytes(rules).decode()
        if len(document) + _HEAD_BYTES > int(topic(CONTROL).config["max.message.bytes"]):
            raise _refused(f"the rules take {len(document)} bytes, more than a record of {CONTROL} holds", "Begin another run.")
        return PolicyRevision(
            policy_seq=len(self.known) + 1,
            policy_id=after["policy_id"],
            revision=after["revision"],
            content_digest=after["content_digest"],
            follows=before["content_digest"],
            document=document,
            ts_us=max(at_once_us if asked.from_us is None else asked.from_us, earliest_us),
            activated_us=self.runner.clock(),
            actor=asked.actor,
            reason=asked.reason,
        )

    def _publish(self, one: PolicyRevision) -> str:
        """Note old and new in the record, send, note that it was sent. The id of the record."""
        pins = self.runner.config.pins
        record = signals.policy_revision(pins, one)
        followed = self.known[one.policy_seq - 2] if one.policy_seq > 1 else None
        before = _named(json.loads(followed.document) if followed else self.runner.config.policy)
        after = {"policy_id": one.policy_id, "revision": one.revision, "content_digest": one.content_digest}
        told = {"policy_seq": one.policy_seq, "old": before, "new": after, "actor": one.actor, "reason": one.reason}
        self.record.append("GOV_POLICY_REV", {**told, "message_id": record["event_id"]}, self.runner.clock())
        message = control_message(plain(record), self.record.run_id, "POLICY_REVISION")
        self.runner.publisher.publish(CONTROL, [control_record(message, self.runner.clock())])
        self.record.append("POLICY_REV_PUBLISHED", _mark(one, str(record["event_id"])), self.runner.clock())
        return str(record["event_id"])

    def _unsent(self) -> list[PolicyRevision]:
        """What was kept by who was killed before it was published."""
        return [one for one in self.known if not self._is_published(one)]

    def _is_published(self, one: PolicyRevision) -> bool:
        config = self.runner.config
        name = policy_revision_id(config.platform_run_id, config.scenario_run_id, one.policy_seq, one.content_digest)
        wanted = _mark(one, name)
        return any(event["event_kind"] == "POLICY_REV_PUBLISHED" and event["details"] == wanted for event in self.record.events)


def _mark(one: PolicyRevision, message_id: str) -> dict[str, Any]:
    return {"policy_seq": one.policy_seq, "message_id": message_id}


def _named(rules: Mapping[str, Any]) -> dict[str, str]:
    return {"policy_id": rules["policy_id"], "revision": rules["revision"], "content_digest": document_digest(rules).hex()}


def _refused(what: str, remedy: str) -> Quarantine:
    return Quarantine(Reason.POLICY_REVISION_REFUSED, what, where="rules.yaml", remedy=remedy)
