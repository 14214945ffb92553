"""What READY names: the facts view of the run, held to the hash that READY carries. A streamer takes its locators from here only."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.app.stores.objects import ObjectStore
from assay.contracts import instants
from assay.contracts.errors import Stop
from assay.contracts.json_schema import fault_of
from assay.contracts.pins import Pins
from assay.contracts.ready_bundle import bundle_hash_of
from assay.contracts.reasons import Reason

SCHEMA = "sr_facts_view.v1"


@dataclass(frozen=True)
class Source:
    """An output as the runner verified it. `files`: (path, rows, sha256 hex) of each, in order."""

    output_id: str
    path: str
    rows: int
    files: Sequence[tuple[str, int, str]]


@dataclass(frozen=True)
class RunFacts:
    """The facts view of a run that is READY.

    `pack_root`: the folder or S3 prefix of a bank, empty for a world in the run's own store. `engine_run_id`: 32 hex digits.
    """

    pins: Pins
    engine_run_id: str
    pack_id: str
    pack_root: str
    release: str
    sources: Mapping[str, Source]
    ordering: str
    min_ts_us: int
    max_ts_us: int


def facts_of(store: ObjectStore, ready: Mapping[str, Any], pins: Pins) -> RunFacts:
    """The facts view that a READY record refers to.

    Raises Stop: FACTS_VIEW_MISSING, RUN_FACTS_INVALID (form, or a gate that did not pass), DIGEST_MISMATCH (another bundle than READY's),
    RUN_SCOPE_MISMATCH (another run or world), OUTPUT_NOT_STREAMED (a live run).
    """
    where, document = ready["facts_view_ref"], _document(store, ready["facts_view_ref"])
    if bundle_hash_of(document) != ready["bundle_hash"].hex() or document["bundle_hash"] != ready["bundle_hash"].hex():
        what = "the facts view does not have the bundle that READY was said for"
        raise Stop(Reason.DIGEST_MISMATCH, what, where=where, remedy="It was changed after READY: start another run.")
    if document["pins"] != pins.as_json() or document["run_config_digest"] != ready["run_config_digest"].hex():
        what = "the facts view is of another run, world or configuration than READY"
        raise Stop(Reason.RUN_SCOPE_MISMATCH, what, where=where, remedy="Start another run; a run keeps what it was planned with.")
    closed = [receipt["gate_id"] for receipt in document["gate_receipts"] if receipt["status"] != "PASS"]
    if closed:
        raise Stop(Reason.RUN_FACTS_INVALID, f"gates did not pass: {', '.join(closed)}", where=where, remedy=_REMEDY)
    if not document["locators"]:
        what = "a live run has no outputs: it decides what is posted to its gate"
        raise Stop(Reason.OUTPUT_NOT_STREAMED, what, where=where, remedy="Post payments, or begin a run over a world.")
    pack = document["oracle_pack_ref"]
    return RunFacts(
        pins=pins,
        engine_run_id=ready["run_id"].hex(),
        pack_id=pack["oracle_pack_id"],
        pack_root=pack.get("engine_run_root", ""),
        release=pack.get("engine_release", ""),
        sources={locator["output_id"]: _source(locator) for locator in document["locators"]},
        ordering=document["traffic_delivery_mode"],
        min_ts_us=instants.parse(document["min_ts_utc"]),
        max_ts_us=instants.parse(document["max_ts_utc"]),
    )


_REMEDY = "Ask for the run again with `assay sr submit`, or start another run."


def _document(store: ObjectStore, key: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(store.read(key))
    except FileNotFoundError:
        what = "READY refers to a facts view that is not there"
        raise Stop(Reason.FACTS_VIEW_MISSING, what, where=key, remedy="Look whether this is the store of the run.") from None
    except (ValueError, RecursionError) as error:
        raise Stop(Reason.RUN_FACTS_INVALID, f"the facts view cannot be read: {error}", where=key, remedy=_REMEDY) from None
    fault = fault_of(SCHEMA, document)
    if fault is not None:
        raise Stop(Reason.RUN_FACTS_INVALID, f"the facts view is not of its form: {fault}", where=key, remedy=_REMEDY)
    return document


def _source(locator: Mapping[str, Any]) -> Source:
    files = [(one["path"], one["rows"], one["sha256"]) for one in locator["files"]]
    return Source(locator["output_id"], locator["path"], locator["rows"], files)
