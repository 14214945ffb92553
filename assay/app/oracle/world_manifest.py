"""What an imported world says of itself: the manifest in the bundle of its gate."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from assay.contracts.reasons import Reason


class WorldPart(BaseModel):
    """One object of a world: its key below the world, rows, digest, first and last time (µs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    rows: int
    sha256: str
    min_ts_us: int
    max_ts_us: int


class TruthSummary(BaseModel):
    """How truth is told: which labels become assertions, after which delay (None: each has a time of its own)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int
    positives: int
    emitted: int
    emit: str
    source: str
    delay_us: int | None


class WorldManifest(BaseModel):
    """What a world consists of. `rows` is the denominator of every later count.

    `set_aside`: code → rows of the file that are not part of the world. A world of all rows does not speak of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: str
    oracle_pack_id: str
    manifest_fingerprint: str
    parameter_hash: str
    scenario_id: str
    seed: int
    output_id: str
    mapping: dict[str, Any]
    rows: int
    min_ts_us: int
    max_ts_us: int
    entities: list[str]
    attributes: list[str]
    currencies: list[str]
    kinds: dict[str, int]
    column_digests: dict[str, str]
    stream_view: list[WorldPart]
    truth: list[WorldPart]
    truth_summary: TruthSummary | None
    set_aside: Annotated[dict[Reason, Annotated[int, Field(ge=1)]], Field(min_length=1)] | None = None

    @model_serializer(mode="wrap")
    def _as_sealed(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = written(self)
        return document if self.set_aside else {name: value for name, value in document.items() if name != "set_aside"}

    @property
    def aside(self) -> dict[str, int]:
        """Code → rows that were set aside at import."""
        return {reason.value: count for reason, count in (self.set_aside or {}).items()}

    @property
    def world_key(self) -> dict[str, str | int]:
        """Fingerprint, parameter hash, scenario and seed."""
        return {
            "manifest_fingerprint": self.manifest_fingerprint,
            "parameter_hash": self.parameter_hash,
            "scenario_id": self.scenario_id,
            "seed": self.seed,
        }

    def to_bytes(self) -> bytes:
        """The manifest as it stands in the store."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1).encode() + b"\n"

    @property
    def digest(self) -> str:
        """sha256 hex of the manifest's bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()
