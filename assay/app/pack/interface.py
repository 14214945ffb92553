"""The interface documents of a pack: which outputs there are, and which gates let them be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from assay.contracts.gates import GateMethod, method_of

CATALOGUE, GATE_MAP = "interface/engine_outputs.catalogue.yaml", "interface/engine_gates.map.yaml"
TRUTH_ROLE = "truth_products"
_KEPT = 8


@dataclass(frozen=True)
class CatalogueOutput:
    """An output of the catalogue. `columns`: identity columns first, as they stand in its files."""

    output_id: str
    segment: str
    role: str
    gates: tuple[str, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Gate:
    """A gate of the gate map. `bundle_root`: a key prefix with tokens in braces. `upstream`: gates that must have passed before."""

    gate_id: str
    method: GateMethod
    bundle_root: str
    upstream: tuple[str, ...]


@dataclass(frozen=True)
class Interface:
    """Outputs and gates by their ids, in the order of the documents."""

    outputs: Mapping[str, CatalogueOutput]
    gates: Mapping[str, Gate]

    def gates_of(self, output: CatalogueOutput) -> list[Gate]:
        """The gates that must have passed before an output is read: its own, and all upstream of them. Raises KeyError."""
        wanted, found = list(output.gates), dict[str, Gate]()
        while wanted:
            gate = self.gates[wanted.pop()]
            if gate.gate_id not in found:
                found[gate.gate_id] = gate
                wanted += gate.upstream
        return [gate for gate_id, gate in self.gates.items() if gate_id in found]


@lru_cache(maxsize=_KEPT)
def interface_of(catalogue: bytes, gate_map: bytes) -> Interface:
    """The two documents. Raises ValueError, KeyError, TypeError or YAMLError where they are of another form.

    The last ones are kept: a pack is opened several times in the life of a run.
    """
    outputs = [_output(entry) for entry in yaml.load(catalogue, yaml.CSafeLoader)["outputs"]]
    gates = [_gate(entry) for entry in yaml.load(gate_map, yaml.CSafeLoader)["gates"]]
    return Interface({one.output_id: one for one in outputs}, {one.gate_id: one for one in gates})


def _output(entry: Mapping[str, Any]) -> CatalogueOutput:
    columns = (*entry["identity_columns"], *(column["name"] for column in entry["columns"]))
    return CatalogueOutput(entry["output_id"], entry["owner_segment"], entry["role"], tuple(entry["read_requires_gates"]), columns)


def _gate(entry: Mapping[str, Any]) -> Gate:
    upstream = tuple(entry["upstream_gate_dependencies"])
    return Gate(entry["gate_id"], method_of(entry), entry["validation_bundle_root"], upstream)
