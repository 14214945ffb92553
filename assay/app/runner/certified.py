"""Who shows a client certificate to the Scenario Runner: it needs no key, and its name is the actor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from assay.app.gate.client_certificates import caller_of
from assay.app.runner.service import Caller

#: names of a client in what gRPC says of a connection, in this order
_NAMES: Final = ("x509_common_name", "x509_subject_alternative_name")


def over_http(certificate: Mapping[str, Any] | None, key: bytes, actor: str) -> Caller:
    """The caller. `certificate`: in the form of `SSLSocket.getpeercert`; empty or None for none. `key`, `actor`: what the call carries.

    Raises Quarantine(UNAUTHORISED) for a certificate that names nobody.
    """
    if not certificate:
        return Caller(key, actor)
    return Caller(key, caller_of(certificate).actor_id.partition("::")[2], certified=True)


def over_grpc(told: Mapping[str, Iterable[bytes]], key: bytes, actor: str) -> Caller:
    """The caller. `told`: the authentication context of gRPC. A certificate that names nobody is none."""
    names = [name.decode(errors="replace").strip() for kind in _NAMES for name in told.get(kind, ())]
    named = next(filter(None, names), "")
    return Caller(key, named, certified=True) if named else Caller(key, actor)
