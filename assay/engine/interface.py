"""The interface pack: catalogue of outputs and map of gates, written from the segments. Readers know nothing else of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay.contracts.gates import stated
from assay.engine.output import Column, Output
from assay.engine.segment import Segment

CATALOGUE, GATE_MAP = "engine_outputs.catalogue.yaml", "engine_gates.map.yaml"
_REQUIRED_BY = ["ingestion_gate", "downstream_readers", "observability_governance"]
_DESCRIPTIONS = {
    "traffic_primitives": "arrivals: context to be joined, never traffic",
    "behavioural_streams": "events of flows: traffic",
    "behavioural_context": "what a flow is about: context",
    "truth_products": "offline truth: never on a live topic",
    "audit_evidence": "evidence",
    "ops_telemetry": "telemetry",
    "reference": "a surface of the world, read by later segments",
}


def catalogue(segments: Sequence[Segment]) -> dict[str, Any]:
    """One entry per output, in the order of the segments."""
    return {"version": "v0", "outputs": [_entry(segment, output) for segment in segments for output in segment.outputs]}


def gate_map(segments: Sequence[Segment]) -> dict[str, Any]:
    """One entry per gate, in the order of the segments: where its flag is, how it is verified, what it lets be read."""
    return {"version": "v0", "gates": [_gate(segment, segments) for segment in segments]}


def _entry(segment: Segment, output: Output) -> dict[str, Any]:
    world = [name for name in output.partitions if name != "parameter_hash"]  # it follows from the fingerprint, so no key needs it
    return {
        "output_id": output.output_id,
        "class": "stream" if output.role == "behavioural_streams" else "surface",
        "role": output.role,
        "exposure": "external" if output.external else "internal",
        "scope": f"scope_{'_'.join(output.partitions)}",
        "owner_segment": segment.segment_id,
        "path_template": output.path_template,
        "partitions": list(output.partitions),
        "primary_key": [*world, *output.keys],
        "join_keys": [*world, *(output.join_keys or output.keys)],
        "read_requires_gates": [segment.gate_id],
        "immutability": {"immutable_once_written": True},
        "availability": "required",
        "columns": [_column(column) for column in output.columns],
        "identity_columns": list(output.identity),
        "description": _DESCRIPTIONS[output.role],
    }


def _column(column: Column) -> dict[str, Any]:
    words = {"words": list(column.words)} if column.words else {}
    return {"name": column.name, "kind": column.kind, "nullable": column.nullable, **words}


def _gate(segment: Segment, segments: Sequence[Segment]) -> dict[str, Any]:
    root = f"data/layer{segment.layer}/{segment.segment_id}/validation/manifest_fingerprint={{manifest_fingerprint}}"
    return {
        "gate_id": segment.gate_id,
        "scope": "fingerprint",
        **stated(segment.gate, root),
        "upstream_gate_dependencies": [one.gate_id for one in segments if one.segment_id in segment.upstream],
        "authorizes_outputs": [output.output_id for output in segment.outputs],
        "required_by_components": _REQUIRED_BY,
    }
