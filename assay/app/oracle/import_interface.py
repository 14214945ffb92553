"""The interface documents of an imported world: two outputs at most, payments and their truth, behind the gate of the import."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

import yaml

from assay.contracts.gates import GateMethod, stated

GATE: Final = GateMethod("sha256_index_json_ascii_lex_raw_bytes", list_name="items")
GATE_ID: Final = "gate.import.validation"
SEGMENT: Final = "IMPORT"
BUNDLE: Final = "validation/manifest_fingerprint={manifest_fingerprint}"
STREAM_VIEW, TRUTH = "stream_view", "truth"
_TRUTH_PREFIX = "truth."
#: documents that are kept: the rows of one import ask for the same again and again
_KEPT: Final = 8
_INTEGERS = frozenset({"ts_us", "source_order", "amount_minor", "label", "observed_ts_us"})
_NULLABLE = ("entity.", "attribute.", "observed_ts_us")


def truth_output(output_id: str) -> str:
    """The id of the output that holds the truth about another."""
    return f"{output_id}_truth"


def documents(output_id: str, columns: Iterable[str]) -> tuple[bytes, bytes]:
    """Catalogue and gate map as YAML. `columns`: those of a live row and of its label, as they are digested."""
    return _documents(output_id, tuple(columns))


@lru_cache(maxsize=_KEPT)
def _documents(output_id: str, columns: tuple[str, ...]) -> tuple[bytes, bytes]:
    live = ["event_id", *sorted(name for name in columns if not name.startswith(_TRUTH_PREFIX))]
    told = sorted(name.removeprefix(_TRUTH_PREFIX) for name in columns if name.startswith(_TRUTH_PREFIX))
    outputs = [_output(output_id, STREAM_VIEW, "behavioural_streams", "payments: traffic", live)]
    if told:  # a column beside the label keeps its prefix in the file
        kept = [name if name in _INTEGERS else f"{_TRUTH_PREFIX}{name}" for name in told]
        names = ["event_id", "ts_us", *kept]
        outputs.append(_output(truth_output(output_id), TRUTH, "truth_products", "offline truth: never on a live topic", names))
    return _yaml({"version": "v0", "outputs": outputs}), _yaml({"version": "v0", "gates": [_gate(outputs)]})


def digests(documents_of: tuple[bytes, bytes]) -> tuple[str, str]:
    """sha256 hex of both."""
    catalogue, gate_map = (hashlib.sha256(data).hexdigest() for data in documents_of)
    return catalogue, gate_map


def _output(output_id: str, folder: str, role: str, description: str, columns: list[str]) -> dict[str, Any]:
    return {
        "output_id": output_id,
        "class": "stream" if role == "behavioural_streams" else "surface",
        "role": role,
        "exposure": "internal",
        "scope": "scope_manifest_fingerprint",
        "owner_segment": SEGMENT,
        "path_template": f"{folder}/part-*.parquet",
        "partitions": [],
        "primary_key": ["source_id"] if folder == STREAM_VIEW else ["event_id"],
        "join_keys": ["event_id"],
        "read_requires_gates": [GATE_ID],
        "immutability": {"immutable_once_written": True},
        "availability": "required" if folder == STREAM_VIEW else "optional",
        "columns": [_column(name) for name in columns],
        "identity_columns": [],
        "description": description,
    }


def _column(name: str) -> dict[str, Any]:
    return {"name": name, "kind": "int" if name in _INTEGERS else "text", "nullable": name.startswith((*_NULLABLE, _TRUTH_PREFIX))}


def _gate(outputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "gate_id": GATE_ID,
        "scope": "fingerprint",
        **stated(GATE, BUNDLE),
        "upstream_gate_dependencies": [],
        "authorizes_outputs": [output["output_id"] for output in outputs],
        "required_by_components": ["ingestion_gate", "downstream_readers", "observability_governance"],
    }


def _yaml(document: dict[str, Any]) -> bytes:
    return yaml.safe_dump(document, sort_keys=False, width=140).encode()
