"""Bodies of marks. The short forms of payments and labels are in `short_forms`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from assay.app.gate.border import UNREADABLE
from assay.app.gate.calls import MarkCall
from assay.app.gate.checks import unread
from assay.app.gate.exact import check_exact
from assay.app.gate.nesting import check_nesting
from assay.contracts import instants
from assay.contracts.errors import Quarantine
from assay.contracts.pins import PIN_NAMES
from assay.contracts.reasons import Reason


class MarkBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`ts_utc`: every event of these classes before this instant has been posted. No `classes` means all that the run has."""

    platform_run_id: str
    scenario_run_id: str
    manifest_fingerprint: str
    parameter_hash: str
    scenario_id: str
    seed: int
    ts_utc: str
    final: bool = False
    classes: list[str] | None = None


_MARK = msgspec.json.Decoder(MarkBody)


def mark_of(body: bytes, run_pins: Mapping[str, str | int], of_run: Collection[str]) -> MarkCall:
    """Read a mark of a run with these classes. Raises Quarantine(MARK_INVALID | RUN_SCOPE_MISMATCH | KEY_DUPLICATE | CONTROL_CHARACTER)."""
    try:
        mark = _MARK.decode(body)
    except UNREADABLE as error:
        check_nesting(body)
        raise Quarantine(Reason.MARK_INVALID, f"the body is not a mark: {error}", **unread(error, body)._asdict()) from None
    check_exact(body, Reason.MARK_INVALID)
    try:
        ts_us = instants.parse(mark.ts_utc)
    except Quarantine as refusal:
        raise Quarantine(Reason.MARK_INVALID, refusal.what, where="$.ts_utc", remedy=refusal.remedy) from None
    fields = msgspec.structs.asdict(mark)
    for name in PIN_NAMES:
        if fields[name] != run_pins[name]:
            what = f"pin {name} is {fields[name]!r}, this gate writes marks for {run_pins[name]!r}"
            raise Quarantine(
                Reason.RUN_SCOPE_MISMATCH, what, where=f"$.{name}", remedy="Send the mark to the gate of that run, or the pins of this one."
            )
    classes = tuple(of_run) if mark.classes is None else tuple(dict.fromkeys(mark.classes))
    unknown = [name for name in classes if name not in of_run]
    if unknown or not classes:
        what = f"classes {list(classes)} are not among {list(of_run)}"
        remedy = f"Name some of {', '.join(of_run)}, or leave classes out for all of them."
        raise Quarantine(Reason.MARK_INVALID, what, where="$.classes", remedy=remedy)
    return MarkCall(classes, ts_us, mark.final)
