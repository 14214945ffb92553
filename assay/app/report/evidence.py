"""Evidence of a run in its object store: what each stage proved, in files that are closed and checked on reading.

Keys and forms:

* `evidence/run.json` (`RunEvidence`): stages with wall times, real parts, processes, quarantine, latency, digests;
* `evidence/replay.json` (`ReplayEvidence`): the verdict of a replay in a fresh process;
* `evidence/audit.json` (`AuditEvidence`): the verdict on the audit chain and its head;
* `evidence/decisions.parquet` (`decision_frame`): one row per decision;
* `evidence/labels.parquet` (`posted_labels`): what was posted last of each payment.

A file that is not there is evidence that was not given. Readers get None and say "not proven", never zero.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError

from assay.app.report.avro_frame import AvroFrame
from assay.app.stores.objects import ObjectStore, SizedObjects
from assay.codecs.avro_decode import decode
from assay.codecs.columns import Ragged, Strings
from assay.codecs.single_object import HEADER_BYTES, plan_of
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

Claim = Literal["smoke", "parity", "managed"]
#: weakest first; a run is called by its weakest part
CLAIMS: tuple[Claim, ...] = ("smoke", "parity", "managed")
DECISIONS_KEY = "evidence/decisions.parquet"
NOTHING_AUDITED = "nothing was audited: there is no segment and no head"
#: column → where a decision has it, and its type
_COLUMNS: dict[str, tuple[str, Any]] = {
    "event_id": ("source_event.event_id", "string"),
    "decision_id": ("decision_id", {"type": "fixed", "name": "decision_id", "size": 16}),
    "ts_us": ("source_event.ts_utc", "long"),
    "decided_at_us": ("decided_at_utc", "long"),
    "score": ("score", "long"),
    "outcome": ("outcome", "string"),
    "reasons": ("reasons", {"type": "array", "items": "string"}),
    "amount_minor": ("amount_minor", "long"),
    "currency": ("currency", "string"),
    "entity_names": ("entities.key", {"type": "array", "items": "string"}),
    "entity_ids": ("entities.value", {"type": "array", "items": "string"}),
}
_FIELDS = frozenset(field.removesuffix(".key").removesuffix(".value") for field, _ in _COLUMNS.values())
_DECISIONS = AvroFrame({name: kind for name, (_, kind) in _COLUMNS.items()})


class _Evidence(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    KEY: ClassVar[str]

    def write(self, store: ObjectStore) -> None:
        """Put this evidence under its key, replacing an earlier run of the same stage."""
        store.replace(self.KEY, self.model_dump_json(indent=1).encode() + b"\n")

    @classmethod
    def is_in(cls, store: SizedObjects) -> bool:
        """Whether this evidence was given."""
        try:
            return store.size(cls.KEY) >= 0
        except FileNotFoundError:
            return False

    @classmethod
    def read(cls, store: ObjectStore) -> Self | None:
        """The evidence of a run, None if it was not given. Raises Stop(EVIDENCE_INVALID)."""
        try:
            return cls.model_validate_json(store.read(cls.KEY))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            first = error.errors()[0]
            what = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
            raise Stop(Reason.EVIDENCE_INVALID, what, where=cls.KEY, remedy="Run the stage that writes it again.") from None


class PartClaim(BaseModel):
    """A real part of the run. `role` is bus, SQL or objects; `name` and `version` are the server's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    role: Literal["bus", "SQL", "objects"]
    claim: Claim
    name: str
    version: str = ""


class Stage(BaseModel):
    """One stage with its wall time; `rows` is what it handled, for a rate."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    wall_s: float
    rows: int | None = None


class ProcessUsage(BaseModel):
    """One process of the run and where to look at it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    pid: int | None = None
    port: int | None = None
    log: str = ""
    data: str = ""


class Entry(BaseModel):
    """How payments came in. `admitted` and `receipts` count distinct payments, the others records on the traffic topic.

    Of those `without_receipt`, the gate's index has `unsettled` ones (a gate that was killed in between), knows the place of
    `receipts_gone`, and does not know `strangers`; `named` has a line for the first of the last two. Of `ambiguous` events of any class
    nobody knows whether they are on the bus. `unasked` says why the index was not asked. It has `forgotten` so many ids of events before
    `forgotten_before_utc`; `beyond` of those without a receipt are older, and it does not know them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    admitted: int
    receipts: int
    without_receipt: int
    unsettled: int = 0
    ambiguous: int = 0
    receipts_gone: int = 0
    strangers: int = 0
    named: tuple[str, ...] = ()
    unasked: str = ""
    forgotten: int = 0
    forgotten_before_utc: str = ""
    beyond: int = 0


class AnswerCounts(BaseModel):
    """Payments whose posters waited for a decision, by what they were told: the fallback, another outcome than that of the decision.

    `undecided` ones have no decision: a lane refused them, or has not come to them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    told: int
    fallbacks: int
    differing: int
    undecided: int


class RunEvidence(_Evidence):
    """`quarantined` counts all dead letters by reason, gate and lanes together. `refused_calls` counts HTTP calls that the gate turned
    away as a whole, by reason, since its last start; None where it was not asked. `refused_triggers` counts payments among them:
    eligible triggers are the sealed rows (of a live run: `admitted_triggers`, and refused are those of the lanes) without these.
    `refused_labels` counts labels that the gate admitted and the lanes refused: they changed nothing.
    `latency_ms` maps a percentile's name (p50, p99) to milliseconds; `latency_utc` is when the session began that measured it, which
    is an earlier one when the last had nothing left to decide.
    """

    KEY: ClassVar[str] = "evidence/run.json"
    started_utc: str
    finished_utc: str
    machine: str
    stages: tuple[Stage, ...]
    parts: tuple[PartClaim, ...]
    processes: tuple[ProcessUsage, ...] = ()
    quarantined: dict[str, int] = {}
    refused_calls: dict[str, int] | None = None
    refused_triggers: int = 0
    refused_labels: int = 0
    admitted_triggers: int | None = None
    entry: Entry | None = None
    answers: AnswerCounts | None = None
    duplicates: int | None = None
    latency_ms: dict[str, float] | None = None
    latency_utc: str = ""
    digests: dict[str, str] = {}


class ReplayEvidence(_Evidence):
    """`differences` holds a line per difference found, the first hundred at most; `differing` counts them all.

    `decision_digest` leaves out what differs between runs that decide alike; `decision_set` covers every byte of every decision, so
    that a report can compare it with the decisions in the audit. It is empty in evidence of older versions.
    """

    KEY: ClassVar[str] = "evidence/replay.json"
    verified: bool
    compared: int
    differing: int
    differences: tuple[str, ...] = ()
    decision_digest: str
    decision_set: str = ""
    wall_s: float


class AuditEvidence(_Evidence):
    """`head` is the hex digest that closes the chain; `problems` is empty for a chain that verifies.

    `recomputed` counts the decisions of the journal that the chain was compared with, `on_bus` the audit records on the bus; None
    where these were not asked, and `unreached` says why.
    """

    KEY: ClassVar[str] = "evidence/audit.json"
    verified: bool
    records: int
    segments: int
    head: str
    recomputed: int | None = None
    on_bus: int | None = None
    unreached: str = ""
    problems: tuple[str, ...] = ()
    wall_s: float

    @property
    def nothing(self) -> bool:
        """Whether there was nothing to verify, and nothing that should have been there."""
        return self.problems == (NOTHING_AUDITED,)

    @property
    def against(self) -> str:
        """What the chain was held against, in words."""
        if self.recomputed is None and self.on_bus is None:
            return f"only the chain was checked: {self.unreached or 'nothing else was asked'}"
        journal = f"the journal was not asked: {self.unreached}"
        if self.recomputed is not None:
            journal = f"{self.recomputed:,} decisions recomputed from the journal"
        return f"against {self.on_bus or 0:,} audit records on the bus; {journal}"


def decision_frame(values: Strings) -> pl.DataFrame:
    """Columns event_id, decision_id (hex), ts_us, decided_at_us, score, outcome, reasons (list), amount_minor, currency, entity_names and
    entity_ids (lists) of decision_response values. The currency is empty in records of older versions, which had no amount either.
    """
    read = decode(plan_of("decision_response", _FIELDS), values.data, values.starts, values.lengths, HEADER_BYTES).columns
    entities = read["entities"]
    assert isinstance(entities, Ragged)
    read |= {f"entities.{part}": Ragged(entities.offsets, {"item": column}) for part, column in entities.children.items()}
    frame = _DECISIONS.of({name: read[field] for name, (field, _) in _COLUMNS.items()})
    return frame.with_columns(pl.col("decision_id").bin.encode("hex"))


def write_decisions(store: ObjectStore, frames: Iterable[pl.DataFrame]) -> None:
    """Put the decisions of a run in evidence, ordered by event time and id."""
    buffer = io.BytesIO()
    pl.concat(frames).sort("ts_us", "event_id").write_parquet(buffer, compression_level=1)
    store.replace(DECISIONS_KEY, buffer.getvalue())


def read_decisions(store: ObjectStore) -> pl.DataFrame | None:
    """The decisions in evidence, None if they were not given."""
    try:
        return pl.read_parquet(io.BytesIO(store.read(DECISIONS_KEY)))
    except FileNotFoundError:
        return None
