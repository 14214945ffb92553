"""The index of all runs, made again from their records: registry, fences, statuses and notices."""

from __future__ import annotations

from typing import Any, NamedTuple

from assay.app.authority.port import Authority, Equivalence
from assay.app.runner.derived import follow
from assay.app.runner.documents import QUARANTINE, read_kept
from assay.app.runner.record import Record
from assay.app.stores.objects import ObjectStore
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class Rebuilt(NamedTuple):
    """How many runs were read, and how many of their statuses were another or missing."""

    runs: int
    statuses_written: int


def run_ids(store: ObjectStore) -> list[str]:
    """All runs that have a record, in the order of their ids."""
    return sorted({key.split("/")[2] for key in store.keys("sr/run_record")})


def rebuild_index(store: ObjectStore, authority: Authority) -> Rebuilt:
    """Write registry and statuses again as the records say; a lease that is held stays.

    Raises Stop(RUN_RECORD_DAMAGED, RUN_STATE_FORBIDDEN) for a record that cannot be read, after the runs before it.
    """
    runs, written = run_ids(store), 0
    for run_id in runs:
        record = Record(store, run_id).read_on()
        written += follow(store, record, rebuilt=True)
        accepted = record.find("RUN_ACCEPTED")
        if accepted is not None:
            details = accepted["details"]
            first_us = instants.parse(details["first_seen_at_utc"])
            row = Equivalence(details["run_equivalence_key"], run_id, details["intent_fingerprint"], first_us)
            authority.restore(row, record.standing.fence)
    return Rebuilt(len(runs), written)


def quarantined(store: ObjectStore) -> list[dict[str, Any]]:
    """The notices of all runs that were set aside, in the order of their ids."""
    found = [read_kept(store, QUARANTINE, key.rpartition("/")[2].removesuffix(".json")) for key in store.keys("sr/quarantine")]
    return [notice for notice in found if notice is not None]


def quarantine_of(store: ObjectStore, run_id: str) -> dict[str, Any]:
    """The notice of one run. Raises Stop(RUN_MISSING)."""
    notice = read_kept(store, QUARANTINE, run_id)
    if notice is None:
        what = f"the run {run_id} was not set aside"
        raise Stop(Reason.RUN_MISSING, what, where=QUARANTINE.key(run_id), remedy="`assay sr quarantine list` names those that were.")
    return notice
