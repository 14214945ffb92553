"""The outputs that stream, each with the columns that its view is sorted by. Ties go by file, then by row in the file."""

from __future__ import annotations

from typing import Final

from assay.app.pack.interface import TRUTH_ROLE, CatalogueOutput
from assay.contracts.truth_names import gate_truth_names, plain_name

_TIME, _FLOW = ("ts_utc",), ("flow_id",)
SORT_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "arrival_events_5B": _TIME,
    "s1_arrival_entities_6B": _TIME,
    "s1_session_index_6B": ("session_start_utc",),
    "s2_flow_anchor_baseline_6B": _TIME,
    "s2_event_stream_baseline_6B": _TIME,
    "s3_flow_anchor_with_fraud_6B": _TIME,
    "s3_event_stream_with_fraud_6B": _TIME,
    "s3_arrival_entities_with_fraud_6B": _TIME,
    "s4_flow_truth_labels_6B": _FLOW,
    "s4_flow_bank_view_6B": _FLOW,
    "s4_event_labels_6B": ("flow_id", "event_seq"),
    "s4_case_timeline_6B": _TIME,
}
TIES: Final = ("filename", "file_row_number")


def dropped_columns(output: CatalogueOutput) -> tuple[str, ...]:
    """Columns that tell the truth, which no view has. A truth product is truth: it keeps them, and is never streamed as traffic."""
    if output.role == TRUTH_ROLE:
        return ()
    return tuple(name for name in output.columns if plain_name(name) in gate_truth_names())
