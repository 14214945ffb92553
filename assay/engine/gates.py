"""Gates are a contract between the engine and its readers; the engine's own modules find them here."""

from __future__ import annotations

from assay.contracts.gates import FLAG, GateMethod, GateStatus, flag_files, gate_status

__all__ = ["FLAG", "GateMethod", "GateStatus", "flag_files", "gate_status"]
