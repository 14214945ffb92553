"""The facts view that READY refers to, held to the hash that READY carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import Stop
from assay.contracts.json_schema import fault_of
from assay.contracts.pins import Pins
from assay.contracts.ready_bundle import bundle_hash_of
from assay.contracts.reasons import Reason

SCHEMA: Final = "sr_facts_view.v1"
_REMEDY: Final = "Ask for the run again with `assay sr submit`, or start another run."


def facts_document(store: ObjectStore, ready: Mapping[str, Any], pins: Pins) -> dict[str, Any]:
    """The facts view of a READY record. Every gate in it has passed.

    Raises Stop: FACTS_VIEW_MISSING, RUN_FACTS_INVALID (form, or a gate that did not pass), DIGEST_MISMATCH (another bundle than READY's),
    RUN_SCOPE_MISMATCH (another run or world).
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
    return document


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
