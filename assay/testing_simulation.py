"""A run in memory for tests of features and rules: payments and labels in, decisions out.

The lane is the product's own, under the simulator instead of a broker: what a rule decides here it decides on Kafka.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import pytest

from assay.agents.specs import Role
from assay.agents.topology import TOPOLOGY
from assay.app.gate.run_names import RunNames
from assay.app.lane.assembly import partition_counts
from assay.app.policy.documents import document
from assay.app.run.directory import RunConfig
from assay.app.simulation.lanes import KeyedEffector, simulated_lane
from assay.app.simulation.log import LoggedRecord, ModelLog
from assay.app.simulation.simulator import Simulator
from assay.codecs.single_object import pack, unpack
from assay.contracts.handles import LABELS, POSTURE, RTDL, TRAFFIC
from assay.contracts.instants import parse
from assay.contracts.pins import Pins
from assay.contracts.posture import MASKS, Mode
from assay.tables.decisions import decision_json
from assay.tables.feature_plan import compile_plan

PINS = Pins("platform_20260101T000000Z", "5c" * 16, "ab" * 32, "cd" * 32, "simulation", 0)
START = "2026-01-01T00:00:00.000000Z"


@dataclass(frozen=True)
class Decision:
    """A decision. `features` has every value by its name in the feature document."""

    event_id: str
    outcome: str
    score: int
    reasons: tuple[str, ...]
    features: dict[str, int | float]


class Simulation:
    """Post payments and labels in any order; `run` decides them in event time.

    `features` and `rules` are documents, or the name of a shipped policy. Without a posture, the lane decides fail-safe.
    """

    def __init__(
        self, features: dict[str, Any] | str = "handbook", rules: dict[str, Any] | str = "handbook", posture: Mode | None = Mode.NORMAL
    ) -> None:
        self._config = RunConfig(
            **PINS.as_json(),
            run_id="0" * 32,
            features=document(features, "features") if isinstance(features, str) else features,
            policy=document(rules, "rules") if isinstance(rules, str) else rules,
        )
        self._plan = compile_plan(self._config.features)
        self._posture = posture
        self._payments: dict[str, int] = {}
        self._records: list[tuple[str, int, bytes]] = []

    def payment(
        self, amount_minor: int, at: str = START, event_id: str | None = None, currency: str = "EUR", **entities: str | None
    ) -> str:
        """Post a payment and get its event id.

        Entities are named as in the feature document. An entity that is not given is `<name>-1`; None leaves it out of the payment.
        A payment in a currency that the feature document does not know is refused: it has no decision.
        Raises Quarantine(ENTITY_UNKNOWN, CURRENCY_UNKNOWN) for names that nobody knows, as the gate refuses them.
        """
        RunNames.of(self._config).check_entities(entities)
        RunNames(extra_currencies=self._config.extra_currencies).check_currency(currency)
        event_id = event_id or f"payment-{len(self._payments) + 1}"
        ids = {name: f"{name}-1" for name in self._plan.entities} | entities
        self._payments[event_id] = parse(at)
        body = {"kind": "card_payment", "amount_minor": amount_minor, "currency": currency, "entities": _pairs(ids), "attributes": {}}
        self._post(TRAFFIC, "payment", "transaction", event_id, parse(at), {"run_id": bytes(16), **body})
        return event_id

    def label(self, subject: str, at: str, *, fraud: bool = True) -> None:
        """Say what a payment turned out to be, at the time it became known."""
        body = {
            "subject_event_id": subject,
            "subject_ts_utc": self._payments[subject],
            "label": "FRAUD" if fraud else "LEGIT",
            "source": "simulation",
        }
        self._post(LABELS, "label_assertion", "label_assertion", f"label-{len(self._records)}", parse(at), body)

    def run(self) -> list[Decision]:
        """Decide everything posted, from the beginning: decisions in order of event time."""
        log, partitions = ModelLog(), partition_counts(1)
        first = min((ts_us for _, ts_us, _ in self._records), default=0)
        if self._posture is not None:
            log.append((POSTURE, 0), LoggedRecord(b"", self._posture_record(first), first))
        for handle, ts_us, value in self._records:
            log.append((handle, 0), LoggedRecord(b"", value, ts_us))
        for handle in TOPOLOGY.with_role(Role.DECIDE).inputs:
            final = {"pins": PINS.as_avro(), "topic": handle, "partition": 0, "ts_utc": first, "final": True}
            log.append((handle, 0), LoggedRecord(b"", pack("mark", final), first))
        lane = simulated_lane(TOPOLOGY.with_role(Role.DECIDE), self._config, partitions, KeyedEffector().execute)
        Simulator([lane], log).run()
        return [self._decision(value) for value in log.values(RTDL)]

    def _decision(self, value: bytes) -> Decision:
        record = decision_json(unpack(value)[1], self._plan)
        return Decision(
            record["source_event"]["event_id"], record["outcome"], record["score"], tuple(record["reasons"]), record["features"]
        )

    def _posture_record(self, ts_us: int) -> bytes:
        assert self._posture is not None
        head = {"event_id": "posture-1", "event_type": "posture", "ts_utc": ts_us, "pins": PINS.as_avro()}
        said = {"mode": self._posture.value, "posture_seq": 1, "policy_rev": "1", "reason": "simulation"}
        return pack("posture", {**head, **said, **MASKS[self._posture].as_json()})

    def _post(self, handle: str, name: str, event_type: str, event_id: str, ts_us: int, body: dict[str, Any]) -> None:
        head = {"event_id": event_id, "event_type": event_type, "ts_utc": ts_us, "pins": PINS.as_avro(), "producer": "simulation"}
        head["source_order"] = len(self._records)
        payload_hash = hashlib.sha256(repr(sorted(body.items())).encode()).digest()
        self._records.append((handle, ts_us, pack(name, {**head, "payload_hash": payload_hash, **body})))


def _pairs(ids: dict[str, str | None]) -> list[dict[str, str]]:
    return [{"name": name, "id": value} for name, value in ids.items() if value is not None]


@pytest.fixture
def assay_simulation() -> type[Simulation]:
    """`Simulation`, for tests that would rather ask for it than import it."""
    return Simulation
