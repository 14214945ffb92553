"""Facts about a run for those who govern it: `governance/events.jsonl` of its store, each told once, by the id of what it is about.

Whoever tells one does not wait for the store. What was not written is told again by the next process that works on the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import assay
from assay.app.run.directory import RunConfig
from assay.app.stores.json_lines import JsonLines
from assay.app.stores.objects import ObjectStore
from assay.app.telemetry import Line, Telemetry
from assay.contracts import instants
from assay.contracts.ids import governance_event_id

KEY: Final = "governance/events.jsonl"
SCHEMA: Final = "governance_event.v1"


class Family(StrEnum):
    """What kind of fact it is."""

    RUN_READY_SEEN = "RUN_READY_SEEN"
    RUN_STARTED = "RUN_STARTED"
    RUN_ENDED = "RUN_ENDED"
    RUN_CANCELLED = "RUN_CANCELLED"
    QUARANTINE_SPIKE = "QUARANTINE_SPIKE"


def events(store: ObjectStore) -> list[Line]:
    """The facts of a run in order. Raises Stop(RUN_RECORD_DAMAGED)."""
    return JsonLines(store, KEY, SCHEMA).read()


class Governance:
    """What one component of a run tells. `clock` gives UTC microseconds; `environment`: the name of the profile, empty for none."""

    def __init__(self, store: ObjectStore, config: RunConfig, component: str, environment: str, clock: Callable[[], int]) -> None:
        self._lines, self._config, self._component, self._clock = JsonLines(store, KEY, SCHEMA), config, component, clock
        self._environment = environment or "unknown"
        self._telemetry = Telemetry([self._write])

    def say(self, family: Family, dedupe_key: str, details: Mapping[str, Any]) -> None:
        """Tell a fact; never waits for the store, never raises. `details`: text and whole numbers."""
        pins = self._config.pins
        event = {
            "event_id": governance_event_id(family, pins.platform_run_id, pins.scenario_run_id, self._component, dedupe_key),
            "event_family": str(family),
            "dedupe_key": dedupe_key,
            "ts_utc": instants.text(self._clock()),
            "actor": {"actor_id": f"SYSTEM::{self._component}", "source_type": "SYSTEM", "source_component": self._component},
            "pins": pins.as_json(),
            "provenance": {
                "service_release_id": f"assay-{assay.__version__}",
                "environment": self._environment,
                "run_config_digest": self._config.digest.hex(),
            },
            "details": dict(details),
        }
        self._telemetry.say(family, pins.scenario_run_id, event)

    def close(self, within_s: float) -> int:
        """Give the store so many seconds for what is not written. Facts that were not."""
        return self._telemetry.close(within_s)

    def _write(self, line: Line) -> None:
        event = line["details"]

        def decide(held: Sequence[Line]) -> Line | None:
            return None if any(one["event_id"] == event["event_id"] for one in held) else event

        self._lines.append(decide)
