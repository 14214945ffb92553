"""What must hold of every run, whatever happened to it: the promises of the platform, each stated once.

A check reads what is left when nothing moves any more (topics, journals, audit segments, what the effector did) and gives
sentences about what is wrong. It follows the journal by rules of its own, not by the reader of the lane it judges.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from assay.app.audit.verify import verify_chain
from assay.app.simulation.faults import CutOff, Freeze, Rival
from assay.app.simulation.lanes import KeyedEffector
from assay.app.simulation.log import MemoryStore, ModelLog
from assay.app.simulation.simulator import Simulator
from assay.app.stores.objects import ObjectStore
from assay.codecs.audit_segment import SEGMENTS, read_segment
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Columns, Strings
from assay.codecs.decision_digest import DecisionDigest
from assay.codecs.single_object import HEADER_BYTES, plan_of, split, type_index, unpack
from assay.contracts.errors import AssayError
from assay.contracts.handles import AUDIT, QUARANTINE, RTDL, TRAFFIC
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from oracles.lane_checks import lane_violations
from oracles.schedule import WITH_EFFECTS
from oracles.sentences import SHOWN, some

#: what a process may end with when nothing is wrong with the code: its write failed, or the lane is another's
ORDERLY = {Reason.PRODUCE_FAILED, Reason.JOURNAL_OFFSET_UNEXPECTED, Reason.AUDIT_CHAIN_BROKEN, Reason.AUDIT_HEAD_MISMATCH}


class Given(NamedTuple):
    """What went into a run: its pins, the events that trigger a decision, and what is refused for which reason."""

    pins: Pins
    triggers: frozenset[str]
    refused: Mapping[tuple[str, int, int], Reason]
    digest: str
    """Of the decisions when nothing disturbs the run."""


def violations(simulator: Simulator, given: Given, effector: KeyedEffector) -> list[str]:
    """Everything that is wrong with a run that has come to rest; nothing is as it should be."""
    decided = decisions(simulator.log)
    return [
        *_decided_once(decided, given),
        *_same_decisions(decided, given),
        *_not_before_admission(simulator.log),
        *_not_before_decision(simulator.log),
        *lane_violations(simulator),
        *_outcomes(simulator.log, decided, effector, simulator),
        *_audit(simulator, decided, given),
        *_refusals(simulator.log, given),
        *_ends(simulator),
        *simulator.keeper.wrong[:SHOWN],
    ]


def values_of(log: ModelLog, name: str) -> Strings:
    """Every record of one type on the decisions' topic, as often as it lies there."""
    values = Strings.of(log.values(RTDL))
    whole = values.take(np.flatnonzero(split(values) == type_index(name)))
    return whole.take(np.flatnonzero(_columns(name, whole, frozenset())[1]))


def _columns(name: str, values: Strings, fields: frozenset[str]) -> tuple[Columns, np.ndarray[Any, Any]]:
    found = decode(plan_of(name, fields), values.data, values.starts, values.lengths, HEADER_BYTES)
    return found.columns, found.verdict == 0


def decisions(log: ModelLog) -> dict[str, set[bytes]]:
    """What was decided on each event; more than one form is a decision too many."""
    return _forms(values_of(log, "decision_response"), "decision_response", "source_event.event_id")


def _forms(values: Strings, name: str, key: str) -> dict[str, set[bytes]]:
    column = _columns(name, values, frozenset({key}))[0][key]
    keys = column.text() if isinstance(column, Strings) else [row.tobytes().hex() for row in np.asarray(column)]
    forms: dict[str, set[bytes]] = defaultdict(set)
    for found, value in zip(keys, values.tolist(), strict=True):
        forms[str(found)].add(value or b"")
    return forms


def digest_of(decided: Mapping[str, Iterable[bytes]]) -> str:
    """The digest of all decisions, in order of event time and id."""
    values = Strings.of([value for forms in decided.values() for value in forms])
    columns, _ = _columns("decision_response", values, frozenset({"source_event.ts_utc", "source_event.event_id"}))
    events = columns["source_event.event_id"]
    assert isinstance(events, Strings)
    keys = list(zip(np.asarray(columns["source_event.ts_utc"]).tolist(), events.tolist(), strict=True))
    digest = DecisionDigest()
    digest.update(values.take(np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)))
    return digest.hexdigest()


def _decided_once(decided: Mapping[str, set[bytes]], given: Given) -> Iterator[str]:
    yield from some("no decision on {}", given.triggers - decided.keys())
    yield from some("a decision on {}, which triggers none", decided.keys() - given.triggers)
    yield from some("more than one decision in effect on {}", [event for event, forms in decided.items() if len(forms) > 1])


def _not_before_admission(log: ModelLog) -> Iterator[str]:
    """The gate's machine wrote the payment at a time; machines of workers may have any clock. Kafka keeps times in milliseconds."""
    early = []
    for value in values_of(log, "decision_response").tolist():
        decision = unpack(value or b"")[1]
        source = decision["source_event"]
        [payment] = log.read((TRAFFIC, source["partition"]), source["offset"], 1)
        if decision["decided_at_utc"] // 1_000 < payment.wall_us // 1_000:
            early.append(source["event_id"])
    yield from some("decided before it was admitted: {}", early)


def _not_before_decision(log: ModelLog) -> Iterator[str]:
    """Each lane may run on a machine with a clock of its own."""
    decided = {}
    for value in values_of(log, "decision_response").tolist():
        decision = unpack(value or b"")[1]
        decided[decision["decision_id"]] = decision["decided_at_utc"]
    outcomes = [unpack(value or b"")[1] for value in values_of(log, "action_outcome").tolist()]
    early = [one["source_event_id"] for one in outcomes if one["completed_at_utc"] < decided.get(one["decision_id"], 0)]
    yield from some("an action was completed before it was decided: {}", early)


def _same_decisions(decided: Mapping[str, set[bytes]], given: Given) -> Iterator[str]:
    if digest_of(decided) != given.digest:
        yield "decisions are not those of the undisturbed run"


# -- what became of decisions


def _outcomes(log: ModelLog, decided: Mapping[str, set[bytes]], effector: KeyedEffector, simulator: Simulator) -> Iterator[str]:
    values = Strings.of([value for forms in decided.values() for value in forms])
    actions = set(_forms(values, "decision_response", "intent.action_id"))
    keys = {bytes.fromhex(key) for key in _forms(values, "decision_response", "intent.idempotency_key")}
    outcomes = _forms(values_of(log, "action_outcome"), "action_outcome", "action_id")
    yield from some("no outcome of action {}", actions - outcomes.keys())
    yield from some("an outcome of action {}, which nobody decided", outcomes.keys() - actions)
    yield from some("two outcomes of action {}", [action for action, forms in outcomes.items() if len(forms) > 1])
    yield from some("never executed: {}", [key.hex() for key in keys - effector.acts.keys()])
    yield from some("executed though nobody decided it: {}", [key.hex() for key in effector.acts.keys() - keys])
    # one that stood still or was cut off between its journal and the effector asks again when it goes on; the effector honours the key
    if not any(planted.lane in WITH_EFFECTS and isinstance(planted.fault, Freeze | CutOff | Rival) for planted in simulator.met):
        yield from some("asked to act again without asking whether it is done: {}", [key.hex() for key in effector.blindly])


def audited(store: ObjectStore) -> list[bytes]:
    """Audit records of the segments, in order."""
    return [value or b"" for key in store.keys(SEGMENTS) for value in read_segment(store.read(key)).values.tolist()]


def _audit(simulator: Simulator, decided: Mapping[str, set[bytes]], given: Given) -> Iterator[str]:
    records = audited(simulator.store)
    events = [unpack(record)[1]["decision"]["source_event"]["event_id"] for record in records]
    yield from some("not in the audit: {}", decided.keys() - set(events))
    yield from some("more than once in the audit: {}", [event for event, times in Counter(events).items() if times > 1])
    store = MemoryStore(simulator.store.objects)  # the verdict is written to it, and a check leaves the run as it was
    yield from (f"audit: {problem}" for problem in verify_chain(store, given.pins).problems[:SHOWN])
    if set(simulator.log.values(AUDIT)) != set(records):
        yield "the audit topic and the segments differ"


def _refusals(log: ModelLog, given: Given) -> Iterator[str]:
    found: dict[tuple[str, int, int], set[str]] = defaultdict(set)
    for value in log.values(QUARANTINE):
        record = unpack(value)[1]
        found[(record["topic"], record["partition"], record["offset"])].add(record["reason"])
    for place, reason in sorted(given.refused.items()):
        if found.get(place) != {reason.value}:
            yield f"{place} is refused for {sorted(found.get(place, ())) or 'nothing'} instead of {reason.value}"
    yield from some("refused without need: {}", found.keys() - given.refused.keys())


def _ends(simulator: Simulator) -> Iterator[str]:
    for end in simulator.ends:
        orderly = ORDERLY | {Reason.JOURNAL_OUT_OF_REACH} if end.process in simulator.keeper.overtaken else ORDERLY
        if isinstance(end.error, AssayError) and end.error.reason not in orderly:
            yield f"a process of {end.lane} ended with {end.error}"
