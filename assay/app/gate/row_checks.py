"""What no type says of a row of a generated world: values that have one text, and that it is of its envelope's world and time."""

from __future__ import annotations

from assay.app.gate.border import Envelope
from assay.app.gate.row_payloads import ArrivalEventPayload, Row
from assay.contracts.engine_events import local_time_us, number_of
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason


def check_values(row: Row) -> None:
    """Raises Quarantine(SCHEMA_FAIL) for a number that is not its shortest text, and for a day that no calendar has."""
    if type(row) is not ArrivalEventPayload:
        return
    for name, text, read in (
        ("ts_local_primary", row.ts_local_primary, local_time_us),
        ("lambda_realised", row.lambda_realised, number_of),
    ):
        try:
            read(text)
        except Quarantine as refusal:
            raise Quarantine(Reason.SCHEMA_FAIL, refusal.what, where=f"$.payload.{name}", remedy=refusal.remedy) from None


def check_row(envelope: Envelope, row: Row) -> None:
    """Raises Quarantine(RUN_SCOPE_MISMATCH) for a row of another world than its envelope, SCHEMA_FAIL for one of another time."""
    told = row.seed, row.manifest_fingerprint, row.parameter_hash, row.scenario_id
    wanted = envelope.seed, envelope.manifest_fingerprint, envelope.parameter_hash, envelope.scenario_id
    if told != wanted:
        names = ("seed", "manifest_fingerprint", "parameter_hash", "scenario_id")
        name, given, pin = next(one for one in zip(names, told, wanted, strict=True) if one[1] != one[2])
        what = f"{name} of the row is {given!r}, of its envelope {pin!r}"
        raise Quarantine(Reason.RUN_SCOPE_MISMATCH, what, where=f"$.payload.{name}", remedy="Stream the world that the run is about.")
    if row.ts_utc != envelope.ts_utc:
        what = f"ts_utc of the row is {row.ts_utc!r}, of its envelope {envelope.ts_utc!r}"
        raise Quarantine(Reason.SCHEMA_FAIL, what, where="$.payload.ts_utc", remedy="Give the envelope the time of its row.")
