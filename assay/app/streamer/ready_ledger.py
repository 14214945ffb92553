"""What the streamer did with each READY: a file of rows for each message id. Every process adds a row at its end, a duplicate adds none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from assay.app.stores.json_lines import JsonLines, Line
from assay.app.stores.objects import ObjectStore
from assay.app.streamer.lanes import Lane
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

SCHEMA: Final = "wsp_ready_run.v1"


class ReadyState(StrEnum):
    """What became of a READY in one process."""

    STREAMED = "STREAMED"
    SKIPPED_DUPLICATE = "SKIPPED_DUPLICATE"
    SKIPPED_OUT_OF_SCOPE = "SKIPPED_OUT_OF_SCOPE"
    DEFERRED_DOWNSTREAM_NOT_READY = "DEFERRED_DOWNSTREAM_NOT_READY"
    FAILED = "FAILED"


#: states after which a lane may try again
OPEN: Final = frozenset({None, ReadyState.FAILED, ReadyState.DEFERRED_DOWNSTREAM_NOT_READY})
#: the reasons of rows that do not end with a refusal of their own
OUT_OF_SCOPE: Final = frozenset({Reason.PLATFORM_RUN_SCOPE_MISMATCH})
DEFERRED: Final = frozenset({Reason.WORKER_UNAVAILABLE, Reason.LANE_NOT_ACTIVE})


def message_id_of(ready: Mapping[str, Any]) -> str:
    """The id of a READY record, 64 hex digits."""
    held: bytes = ready["message_id"]
    return held.hex()


def ledger_key(message_id: str) -> str:
    """Key of the rows of a READY."""
    return f"wsp/ready_runs/{message_id}.jsonl"


def state_of(rows: Sequence[Line], lane: Lane) -> ReadyState | None:
    """Where a READY stands for a lane: its last row, or that of the whole message where that is over."""
    if is_streamed(rows):
        return ReadyState.STREAMED
    if any(row["state"] == ReadyState.SKIPPED_OUT_OF_SCOPE for row in rows):
        return ReadyState.SKIPPED_OUT_OF_SCOPE
    own = [row["state"] for row in rows if (row["lane"], row["lanes"]) == lane]
    return ReadyState(own[-1]) if own else None


def is_streamed(rows: Sequence[Line]) -> bool:
    """Whether all events of a READY were sent: by all lanes of some number of them."""
    done = {(row["lane"], row["lanes"]) for row in rows if row["state"] == ReadyState.STREAMED}
    return any(all((lane, lanes) in done for lane in range(lanes)) for lanes in {lanes for _, lanes in done})


def refuse_move(before: ReadyState | None, state: ReadyState, where: str) -> None:
    """Raises Stop(RUN_STATE_FORBIDDEN) for a row that may not follow: nothing follows the end of a READY, and a duplicate has no row."""
    if state is ReadyState.SKIPPED_DUPLICATE or before not in OPEN:
        what = f"a READY that is {before or 'not seen yet'} cannot become {state}"
        raise Stop(Reason.RUN_STATE_FORBIDDEN, what, where=where, remedy="A READY is streamed once; another run has another READY.")


class ReadyLedger:
    """The rows of a run's store, written by one lane. `clock` gives UTC microseconds."""

    def __init__(self, store: ObjectStore, lane: Lane, clock: Callable[[], int]) -> None:
        self._store, self._lane, self._clock = store, lane, clock

    def rows(self, message_id: str) -> list[Line]:
        """Rows of a READY. Raises Stop(RUN_RECORD_DAMAGED)."""
        return self._of(message_id).read()

    def state(self, message_id: str) -> ReadyState | None:
        """Where it stands for this lane."""
        return state_of(self.rows(message_id), self._lane)

    def note(self, ready: Mapping[str, Any], state: ReadyState, **told: Any) -> bool:
        """Add a row; a READY that is in this state for good has it already, and False is the answer.

        `ready`: its record. `told`: `reason` and `why` of a row that is not STREAMED, else `rows`, `counts` and `retries`.
        Raises Stop(RUN_STATE_FORBIDDEN, RUN_RECORD_DAMAGED), Retry(STORE_SILENT).
        """
        message_id = message_id_of(ready)

        def decide(rows: Sequence[Line]) -> Line | None:
            before = state_of(rows, self._lane)
            if before is state and state not in OPEN:
                return None
            refuse_move(before, state, ledger_key(message_id))
            lane = {"lane": self._lane.number, "lanes": self._lane.lanes}
            return {**_identity(ready), **lane, "state": str(state), "ts_utc": instants.text(self._clock()), **told}

        return self._of(message_id).append(decide) is not None

    def _of(self, message_id: str) -> JsonLines:
        return JsonLines(self._store, ledger_key(message_id), SCHEMA)


def _identity(ready: Mapping[str, Any]) -> dict[str, Any]:
    pins = ready["pins"]
    return {
        "message_id": message_id_of(ready),
        "platform_run_id": pins["platform_run_id"],
        "run_id": pins["scenario_run_id"].hex(),
        "bundle_hash": ready["bundle_hash"].hex(),
        "facts_view_ref": ready["facts_view_ref"],
    }
