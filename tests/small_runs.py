"""Run configurations over small worlds, and a publisher that keeps what it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sample_decisions

from assay.app.bus.publisher import OutboundRecord
from assay.app.oracle.world_manifest import WorldManifest
from assay.app.run.directory import RunConfig
from assay.codecs.single_object import unpack
from assay.contracts.errors import Stop
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason


def config_of(manifest: WorldManifest, **changes: Any) -> RunConfig:
    """A run of a world."""
    values: dict[str, Any] = {
        "platform_run_id": "platform_20260101T000000Z",
        "scenario_run_id": "5" * 32,
        "manifest_fingerprint": manifest.manifest_fingerprint,
        "parameter_hash": manifest.parameter_hash,
        "scenario_id": manifest.scenario_id,
        "seed": manifest.seed,
        "run_id": "6" * 32,
        "features": sample_decisions.FEATURES,
        "policy": {"policy_id": "none"},
    }
    return RunConfig(**{**values, **changes})


class KeptRecords:
    """A bus that only remembers; `away` makes it refuse, and so does having no `room` for another record."""

    def __init__(self) -> None:
        self.published: list[tuple[str, OutboundRecord]] = []
        self.away = False
        self.room: int | None = None

    def publish(self, handle: str, records: Sequence[OutboundRecord]) -> None:
        """Remember records in order."""
        if self.away or (self.room is not None and len(self.published) >= self.room):
            raise Stop(Reason.PRODUCE_FAILED, "the broker is away")
        self.published += [(handle, record) for record in records]

    def read(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(handle, record name, record) of everything published."""
        return [(handle, *unpack(record.value)) for handle, record in self.published]


def pins() -> Pins:
    """The pins of some run."""
    return Pins("platform_20260101T000000Z", "5" * 32, "a" * 64, "b" * 64, "small", 0)
