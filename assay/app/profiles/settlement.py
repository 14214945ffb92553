"""The settlement lock: where a profile says `managed`, nothing counts that lies on one machine or that somebody may exchange later."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

S3: Final = "s3://"
POSTGRES: Final = ("postgresql://", "postgres://")
#: parts of a pin that mean another thing tomorrow
_FLOATING: Final = re.compile(r"(^|[/=._-])(latest|current|head)($|[/=._-])|[*?\[\]{}]", re.IGNORECASE)


class Settled(NamedTuple):
    """What the lock looks at. `pins` are the places of worlds and views by setting; `identified`: the variable of the identity is set."""

    control_bus: str
    bus: str
    sql: str
    store: str
    authority: str
    pins: Mapping[str, str]
    launch_ref: str
    identity_variable: str
    identified: bool


def faults_of(settled: Settled) -> Iterator[tuple[str, str]]:
    """(setting, what is wrong with it), in the order of the settings."""
    rows = (
        ("control_bus", settled.control_bus == "file", "a folder carries control messages on one machine only"),
        ("bus", not settled.bus, "a Kafka that assay starts ends with its machine"),
        ("sql", not settled.sql, "a PostgreSQL that assay starts ends with its machine"),
        ("store", not settled.store.startswith(S3), "objects in a folder are those of one machine"),
        ("authority", not settled.authority.startswith(POSTGRES), "leases in SQLite, or nowhere, hold on one machine only"),
        *((name, True, fault) for name, pin in settled.pins.items() for fault in _faults_of_pin(pin)),
        ("stream_view_root", not _is_view_of(settled.pins), "the views are not those below stream_view/ of the world"),
        ("launch_ref", not settled.launch_ref, "nothing says what launched the Scenario Runner"),
        ("identity_variable", not settled.identity_variable, "nothing says as whom the Scenario Runner runs"),
        ("identity_variable", bool(settled.identity_variable) and not settled.identified, "the variable that it names is not set"),
    )
    return ((name, fault) for name, wrong, fault in rows if wrong)


def _is_view_of(pins: Mapping[str, str]) -> bool:
    root, view = pins.get("oracle_root", ""), pins.get("stream_view_root", "")
    return not root.startswith(S3) or not view.startswith(S3) or f"{view.rstrip('/')}/".startswith(f"{root.rstrip('/')}/stream_view/")


def _faults_of_pin(pin: str) -> Iterator[str]:
    if not pin.startswith(S3):
        yield "a world that counts is pinned by its s3:// address" if pin else "no world is pinned"
    elif (found := _FLOATING.search(pin)) is not None:
        yield f"{found[0].strip('/=._-') or found[0]!r} may mean another world tomorrow: a pin names one"


def refuse_unsettled(settled: Settled, where: str) -> None:
    """Raises Stop(SETTLEMENT_LOCK) naming every setting at fault, and no address."""
    faults = list(faults_of(settled))
    if faults:
        what = "; ".join(f"{setting}: {fault}" for setting, fault in faults)
        remedy = "Correct the settings, or run with a profile that says `settlement: open`: nothing was started."
        raise Stop(Reason.SETTLEMENT_LOCK, what, where=where, remedy=remedy)
