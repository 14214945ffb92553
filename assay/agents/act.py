"""Action Layer: each intent is started once, durably, before the world outside hears of it.

STARTED is the lane's journal record; the answers are its RESULT record; only then is an outcome published. After a
crash between the two the effector is asked by its key. A second decision about the same event shares the idempotency
key: the same decision again is a duplicate, another action is denied, another decision for the same action is set aside.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.agents.batch import Batch
from assay.agents.intake import RefusedRecord, Taken
from assay.agents.plans import Plans
from assay.agents.step import Chunk, Effects, Emission
from assay.codecs.avro_decode import REASONS, Decoded, decode
from assay.codecs.avro_encode import encode
from assay.codecs.column_match import same_bytes
from assay.codecs.columns import I64, U8, Columns, Strings, interleave, rows, take
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.codecs.digests import sha256_rows
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import HEADER_BYTES, frame, pins_body, plan_of, record_types, split, type_index
from assay.codecs.table_state import TableState, joined, part
from assay.contracts.errors import Stop
from assay.contracts.ids import OUTCOME_ID_TAG
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason
from assay.tables.dedupe import DUPLICATE, MISMATCH, NEW, RESENT_ROWS_MAX, SeenIds
from assay.tables.row_kinds import PAYMENT

RTDL = "FP_BUS_RTDL_V1"
AUTHZ_POLICY_REV = "al.authz.v1"
READS = frozenset(
    {"decision_id", "source_event.event_id", "source_event.ts_utc", "intent.action_id", "intent.action_kind", "intent.idempotency_key",
     "pins.platform_run_id"}
)  # fmt: skip
#: what the audit lane reads of an outcome, so that both take the same bytes for unreadable
READS_OF_OUTCOME = frozenset({"action_id", "source_event_id"})


class ActIntake:
    """Decisions of the rtdl topic as rows; outcomes pass by, if they are any."""

    def __init__(self, handles: Sequence[str], pins: Pins) -> None:
        self._number = {handle: number for number, handle in enumerate(handles)}
        self._plan = plan_of("decision_response", READS)
        self._outcome_plan = plan_of("action_outcome", READS_OF_OUTCOME)
        self._pins_bytes = np.frombuffer(pins_body(pins.as_avro()), np.uint8)

    def take(self, chunk: Chunk, late_bound: int) -> Taken:
        """`floor` is not used: this topic has no marks."""
        taken = Taken()
        types = split(chunk.values)
        decision, outcome = type_index("decision_response"), type_index("action_outcome")
        for i in np.flatnonzero((types != decision) & (types != outcome)).tolist():
            self._pass_by(chunk, i, int(types[i]), taken)
        self._pass_outcomes(chunk, np.flatnonzero(types == outcome), taken)
        index = np.flatnonzero(types == decision)
        if len(index):
            taken.rows = self._rows(chunk, index, taken)
        return taken

    def _pass_by(self, chunk: Chunk, i: int, number: int, taken: Taken) -> None:
        if chunk.values.lengths[i] < 0:
            taken.resolved.append(int(chunk.offsets[i]))
        elif number < 0:
            self._refuse(chunk, i, Reason.SCHEMA_UNKNOWN, "no schema of this fingerprint is known", taken)
        else:
            self._refuse(chunk, i, Reason.RECORD_TYPE_UNEXPECTED, f"a {record_types()[number].name} among decisions", taken)

    def _pass_outcomes(self, chunk: Chunk, index: I64, taken: Taken) -> None:
        """The audit lane joins outcomes that can be read; nobody else would say of the others that they are there."""
        if len(index):
            values = chunk.values.take(index)
            decoded = decode(self._outcome_plan, values.data, values.starts, values.lengths, HEADER_BYTES)
            self._refuse_unreadable(chunk, index, decoded, "an outcome that cannot be decoded", taken)
            taken.resolved += chunk.offsets[index[decoded.verdict == 0]].tolist()

    def _refuse_unreadable(self, chunk: Chunk, index: I64, decoded: Decoded, detail: str, taken: Taken) -> None:
        for i in np.flatnonzero(decoded.verdict != 0).tolist():
            reason = REASONS[int(decoded.verdict[i])] or Reason.BYTES_GARBAGE
            self._refuse(chunk, int(index[i]), reason, detail, taken)

    def _rows(self, chunk: Chunk, index: I64, taken: Taken) -> Columns | None:
        values = chunk.values.take(index)
        decoded = decode(self._plan, values.data, values.starts, values.lengths, HEADER_BYTES)
        good = decoded.verdict == 0
        self._refuse_unreadable(chunk, index, decoded, "a decision that cannot be decoded", taken)
        run_id = decoded.columns["pins.platform_run_id"]
        assert isinstance(run_id, Strings)
        # the six pins are neighbours in the bytes: one comparison checks them all (the run id's length takes one byte)
        ours = same_bytes(run_id.data, run_id.starts - 1, self._pins_bytes)
        for i in np.flatnonzero(good & ~ours).tolist():
            self._refuse(chunk, int(index[i]), Reason.RUN_SCOPE_MISMATCH, "a decision of another run", taken)
        keep = np.flatnonzero(good & ours)
        return self._lane_columns(chunk, index[keep], values.take(keep), take(decoded.columns, keep)) if len(keep) else None

    def _lane_columns(self, chunk: Chunk, index: I64, values: Strings, read: Columns) -> Columns:
        n = len(index)
        columns: Columns = {
            "topic": np.full(n, self._number[chunk.handle], np.int16),
            "partition": np.full(n, chunk.partition, np.int32),
            "offset": chunk.offsets[index],
            "ts_us": read["source_event.ts_utc"],
            "source_event_id": read["source_event.event_id"],
            "decision_id": read["decision_id"],
            "decision_sha256": sha256_rows(b"", values.data, values.starts, values.lengths),
            "action_id": read["intent.action_id"],
            "action_kind": read["intent.action_kind"],
            "idempotency_key": read["intent.idempotency_key"],
        }
        return {name: column.compact() if isinstance(column, Strings) else column for name, column in columns.items()}

    def _refuse(self, chunk: Chunk, i: int, reason: Reason, detail: str, taken: Taken) -> None:
        raw = chunk.values.row(i) or b""
        taken.refused.append(RefusedRecord(chunk.handle, chunk.partition, int(chunk.offsets[i]), reason, detail, raw))


class ActStep:
    """State: which keys were started for which action and which decision asked (for the idempotency horizon), and the
    batch whose answers are awaited.
    """

    name = "action_layer"

    def __init__(self, plans: Plans) -> None:
        self._pins = plans.pins
        self._partitions = plans.partitions[RTDL]
        self._started = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)
        self._asked = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)
        self._open: Columns = {}

    def handle(self, batch: Batch) -> Sequence[Emission]:
        """Start what is new. A key that was started for another action is denied at once.

        The same decision again is a duplicate and answers nothing. Another decision that asks for an action asked
        for before is set aside: the first one stands.
        """
        if not rows(batch.columns):
            return ()
        columns = batch.columns
        started = self._started.fold(_as_ids(columns, "idempotency_key", "action_id")).verdicts
        asked = self._asked.fold(_as_ids(columns, "action_id", "decision_sha256")).verdicts
        batch.live &= (asked == NEW) & (started != DUPLICATE)
        for row in np.flatnonzero(asked == MISMATCH).tolist():
            batch.refused.append((row, Reason.DECISION_CONFLICT, "another decision asked for this action before"))
        fresh = take(columns, np.flatnonzero(batch.live & (started == NEW)))
        denied = take(columns, np.flatnonzero(batch.live & (started != NEW)))
        if rows(fresh):
            self._open = fresh
            key, kind, event = fresh["idempotency_key"], fresh["action_kind"], fresh["source_event_id"]
            assert isinstance(key, np.ndarray)
            assert isinstance(kind, Strings)
            assert isinstance(event, Strings)
            batch.effects = Effects(key, kind, event, ask_first=False)
        n = rows(denied)
        if not n:
            return ()
        answer: Columns = {
            "status": Strings.repeat(b"DENIED", n),
            "attempts": np.zeros(n, np.int32),
            "reason": Strings.repeat(Reason.ACTION_CONFLICT.value.encode(), n),
            "provider_ref": Strings.repeat(b"", n),
        }
        return (self._outcomes(denied, answer, batch.context.wall_us),)

    def answer(self, batch: Batch) -> Sequence[Emission]:
        """The outcomes of the batch under way; `batch.columns` are the answers, in its order.

        Raises Stop(ANSWERS_UNEXPECTED) when there is no such batch or it has another number of rows.
        """
        if rows(self._open) != rows(batch.columns):
            raise Stop(
                Reason.ANSWERS_UNEXPECTED,
                f"journal record {batch.context.sequence} answers {rows(batch.columns)} actions, {rows(self._open)} are under way",
                remedy="The journal was altered or an effector answers wrongly; compare the journal with its archive.",
            )
        started, self._open = self._open, {}
        return (self._outcomes(started, batch.columns, batch.context.wall_us),)

    def _outcomes(self, started: Columns, answer: Columns, wall_us: int) -> Emission:
        n = rows(started)
        action, status, event = started["action_id"], answer["status"], started["source_event_id"]
        assert isinstance(action, np.ndarray)
        assert isinstance(status, Strings)
        assert isinstance(event, Strings)
        columns: Columns = {
            "outcome_id": _outcome_ids(action, status),
            **{name: started[name] for name in ("decision_id", "action_id", "idempotency_key", "action_kind", "source_event_id")},
            **{name: answer[name] for name in ("status", "reason", "provider_ref")},
            "attempts": np.asarray(answer["attempts"]).astype(np.int64),
            "completed_at_utc": np.broadcast_to(np.int64(wall_us), n),
            "authz_policy_rev": Strings.repeat(AUTHZ_POLICY_REV.encode(), n),
            **_pins_columns(self._pins, n),
        }
        values = frame("action_outcome", encode(plan_of("action_outcome"), columns))
        return Emission(RTDL, partitions_of(event, self._partitions), event, values)

    def state(self) -> TableState:
        under_way = TableState({}, {"columns": np.frombuffer(columns_to_bytes(self._open), np.uint8)})
        return joined({"started": self._started.state(), "asked": self._asked.state(), "open": under_way})

    def restore(self, state: TableState) -> None:
        self._started, self._asked = (SeenIds.from_state(part(state, name)) for name in ("started", "asked"))
        self._open = columns_from_bytes(part(state, "open").array("columns"))


def _as_ids(columns: Columns, id_name: str, payload_name: str) -> Columns:
    """The ledger is the same fold as the lane's dedupe, over fixed bytes as id and as payload (the first 16 count)."""
    ids, payload = np.ascontiguousarray(columns[id_name]), np.asarray(columns[payload_name])
    n, width = ids.shape
    text = Strings(ids.reshape(-1), np.arange(n, dtype=np.int64) * width, np.full(n, width, np.int32))
    none = Strings.nulls(n)
    head: Columns = {"kind": np.full(n, PAYMENT, np.int8), "ts_us": columns["ts_us"]}
    return {**head, "event_id": text, "payload_hash": payload, "subject_event_id": none}


def _outcome_ids(action_id: U8, status: Strings) -> U8:
    """First 16 bytes of sha256(tag, action id, status)."""
    n = len(action_id)
    actions = Strings(np.ascontiguousarray(action_id).reshape(-1), np.arange(n, dtype=np.int64) * 16, np.full(n, 16, np.int32))
    pairs = interleave(actions, status).compact()
    starts = pairs.starts[::2]
    lengths = pairs.lengths[::2] + pairs.lengths[1::2]
    return sha256_rows(OUTCOME_ID_TAG, pairs.data, starts, lengths)[:, :16]


def _pins_columns(pins: Pins, n: int) -> Columns:
    columns: Columns = {}
    for name, value in pins.as_avro().items():
        if isinstance(value, bytes):
            columns[f"pins.{name}"] = np.broadcast_to(np.frombuffer(value, np.uint8), (n, len(value)))
        elif isinstance(value, str):
            columns[f"pins.{name}"] = Strings.repeat(value.encode(), n)
        else:
            columns[f"pins.{name}"] = np.broadcast_to(np.int64(value), n)
    return columns
