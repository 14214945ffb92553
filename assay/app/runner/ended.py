"""How a run ended without READY, for who waits for it beside the store of the run."""

from __future__ import annotations

from assay.app.runner.documents import TERMINAL_SIGNAL, read_kept
from assay.app.stores.objects import ObjectStore
from assay.contracts.errors import AssayError


def end_of(store: ObjectStore, run_id: str) -> dict[str, str] | None:
    """State and code of a run that ended without READY; None for any other, and while the store does not answer."""
    try:
        signal = read_kept(store, TERMINAL_SIGNAL, run_id)
    except AssayError:
        return None
    return {"state": signal["status_state"], "reason_code": signal["reason_code"]} if signal else None
