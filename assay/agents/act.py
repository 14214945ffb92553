"""Action Layer: each intent is started once, durably, before the world outside hears of it.

STARTED is the lane's journal record; the answers are its RESULT record; only then is an outcome published. After a
crash between the two the effector is asked by its key. A second decision about the same event shares the idempotency
key: the same decision again is a duplicate, another action is denied, another decision for the same action is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from assay.agents.batch import Batch, Result, Step, Views
from assay.agents.plans import Plans
from assay.agents.step import Effects, Emission
from assay.codecs.avro_bind import Constant
from assay.codecs.columns import U8, Columns, Strings, interleave, rows, take
from assay.codecs.columns_bytes import columns_from_bytes, columns_to_bytes
from assay.codecs.digests import sha256_rows
from assay.codecs.partitioner import partitions_of
from assay.codecs.single_object import encoder_of, pins_body
from assay.codecs.table_state import TableState, joined, part
from assay.contracts.errors import Stop
from assay.contracts.handles import RTDL
from assay.contracts.ids import OUTCOME_ID_TAG
from assay.contracts.reasons import Reason
from assay.tables.dedupe import DUPLICATE, MISMATCH, NEW, RESENT_ROWS_MAX, SeenIds
from assay.tables.row_kinds import PAYMENT

AUTHZ_POLICY_REV = "al.authz.v1"
READS = ("ts_us", "source_event_id", "decision_id", "decision_sha256", "action_id", "action_kind", "idempotency_key")


class ActStep(Step):
    """State: which keys were started for which action and which decision asked (for the idempotency horizon), and the
    batch whose answers are awaited.
    """

    def __init__(self, plans: Plans, views: Views) -> None:
        of_run: Mapping[str, Constant] = {"pins": pins_body(plans.pins.as_avro()), "authz_policy_rev": AUTHZ_POLICY_REV.encode()}
        self._encoder = encoder_of("action_outcome", of_run)
        self._partitions = plans.partitions[RTDL]
        self._started = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)
        self._asked = SeenIds(plans.horizon_us, plans.horizon_rows, RESENT_ROWS_MAX)
        self._open: Columns = {}
        self._began_us = 0

    def handle(self, batch: Batch) -> Result:
        """Start what is new. A key that was started for another action is denied at once.

        The same decision again is a duplicate and answers nothing. Another decision that asks for an action asked
        for before is refused: the first one stands.
        """
        columns = batch.columns
        started = self._started.fold(_as_ids(columns, "idempotency_key", "action_id")).verdicts
        asked = self._asked.fold(_as_ids(columns, "action_id", "decision_sha256")).verdicts
        live = batch.live & (asked == NEW) & (started != DUPLICATE)
        conflicts = np.flatnonzero(asked == MISMATCH).tolist()
        refused = [(row, Reason.DECISION_CONFLICT, "another decision asked for this action before") for row in conflicts]
        fresh = take(columns, np.flatnonzero(live & (started == NEW)))
        denied = take(columns, np.flatnonzero(live & (started != NEW)))
        effects = self._start(fresh, batch.context.wall_us) if rows(fresh) else None
        emissions = (self._denials(denied, batch.context.wall_us),) if rows(denied) else ()
        return Result(live=live, refused=refused, effects=effects, emissions=emissions)

    def _start(self, fresh: Columns, wall_us: int) -> Effects:
        """The effects of new actions; their answers are awaited."""
        self._open, self._began_us = fresh, wall_us
        key, kind, event = fresh["idempotency_key"], fresh["action_kind"], fresh["source_event_id"]
        assert isinstance(key, np.ndarray)
        assert isinstance(kind, Strings)
        assert isinstance(event, Strings)
        return Effects(key, kind, event, ask_first=False)

    def _denials(self, denied: Columns, wall_us: int) -> Emission:
        """Outcomes of actions that ask for a key of another action."""
        n = rows(denied)
        answer: Columns = {
            "status": Strings.repeat(b"DENIED", n),
            "attempts": np.zeros(n, np.int32),
            "reason": Strings.repeat(Reason.ACTION_CONFLICT.value.encode(), n),
            "provider_ref": Strings.repeat(b"", n),
        }
        return self._outcomes(denied, answer, wall_us)

    def answer(self, batch: Batch) -> Result:
        """The outcomes of the batch under way; `batch.columns` are the answers, in its order. None is completed before it began.

        Raises Stop(ANSWERS_UNEXPECTED) when there is no such batch or it has another number of rows.
        """
        if rows(self._open) != rows(batch.columns):
            raise Stop(
                Reason.ANSWERS_UNEXPECTED,
                f"journal record {batch.context.sequence} answers {rows(batch.columns)} actions, {rows(self._open)} are under way",
                remedy="The journal was altered or an effector answers wrongly; compare the journal with its archive.",
            )
        started, self._open = self._open, {}
        return Result(emissions=(self._outcomes(started, batch.columns, max(batch.context.wall_us, self._began_us)),))

    def _outcomes(self, started: Columns, answer: Columns, wall_us: int) -> Emission:
        action, status, event = started["action_id"], answer["status"], started["source_event_id"]
        assert isinstance(action, np.ndarray)
        assert isinstance(status, Strings)
        assert isinstance(event, Strings)
        columns: Columns = {
            "outcome_id": _outcome_ids(action, status),
            **{name: started[name] for name in ("decision_id", "action_id", "idempotency_key", "action_kind", "source_event_id")},
            **{name: answer[name] for name in ("status", "reason", "provider_ref")},
            "attempts": answer["attempts"],
        }
        values = self._encoder.encode(columns, {"completed_at_utc": wall_us})
        return Emission(RTDL, partitions_of(event, self._partitions), event, values)

    def state(self) -> TableState:
        began = {"began_us": self._began_us} if rows(self._open) else {}
        under_way = TableState(began, {"columns": np.frombuffer(columns_to_bytes(self._open), np.uint8)})
        return joined({"started": self._started.state(), "asked": self._asked.state(), "open": under_way})

    def restore(self, state: TableState) -> None:
        self._started, self._asked = (SeenIds.from_state(part(state, name)) for name in ("started", "asked"))
        under_way = part(state, "open")
        self._open, self._began_us = columns_from_bytes(under_way.array("columns")), under_way.header.get("began_us", 0)


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
