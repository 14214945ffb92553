"""TLS at the gate and at the Scenario Runner, and the actor that a client's certificate names."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from assay.contracts.caller import Caller, actor_id
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason
from assay.contracts.visible import one_line

#: kinds of other names that name a client, in this order, where the subject has no common name
_OTHER_NAMES: Final = ("URI", "DNS", "email")
_CHARS_MAX: Final = 256
WHERE: Final = "client certificate"


class TlsFiles(NamedTuple):
    """PEM files: the server's certificate and key, and the authorities whose clients are known; None for no client certificates."""

    cert: Path
    key: Path
    client_ca: Path | None = None


def tls_files(cert: Path | None, key: Path | None, client_ca: Path | None, whose: str = "gate") -> TlsFiles | None:
    """The files of TLS, None for none of them. Raises Stop(SETTING_INVALID) where some are given and others are missing."""
    if cert is not None and key is not None:
        return TlsFiles(cert, key, client_ca)
    if (cert, key, client_ca) == (None, None, None):
        return None
    remedy = "Give --tls-cert and --tls-key, or neither of them and no --client-ca."
    raise Stop(Reason.SETTING_INVALID, f"TLS needs the {whose}'s certificate and its key", where="--tls-cert, --tls-key", remedy=remedy)


def tls_context(files: TlsFiles, whose: str = "gate") -> ssl.SSLContext:
    """TLS 1.2 or later. A client may come without a certificate, and then needs a key; a certificate of others is refused at once.

    Raises Stop(SETTING_INVALID) naming the file that cannot be used.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.cert, files.key)
    except OSError as error:
        raise _unusable(f"the certificate and key of the {whose}", f"{files.cert}, {files.key}", error) from None
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except OSError as error:
            raise _unusable("the authorities of clients", str(files.client_ca), error) from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def caller_of(certificate: Mapping[str, Any]) -> Caller:
    """Who shows a certificate, in the form of `SSLSocket.getpeercert`: its common name, else its first other name.

    Raises Quarantine(UNAUTHORISED) for a certificate that names nobody.
    """
    subject = [(str(kind), str(value)) for part in certificate.get("subject", ()) for kind, value in part]
    common = [value for kind, value in subject if kind == "commonName"]
    others = [str(value) for wanted in _OTHER_NAMES for kind, value in certificate.get("subjectAltName", ()) if kind == wanted]
    names = [name for name in (*common, *others) if name.strip()]
    if not names:
        raise Quarantine(Reason.UNAUTHORISED, "the certificate names nobody", where=WHERE, remedy="Give it a common name.")
    told = ",".join(f"{kind}={value}" for kind, value in subject) or names[0]
    name = one_line(names[0])[:_CHARS_MAX]
    return Caller(actor_id("SYSTEM", name), "SYSTEM", "mtls", one_line(told)[:_CHARS_MAX])


def _unusable(what: str, where: str, error: OSError) -> Stop:
    why = "no PEM that belongs together" if isinstance(error, ssl.SSLError) else str(error.strerror)
    remedy = "Give PEM files that this user may read: --tls-cert, --tls-key, --client-ca."
    return Stop(Reason.SETTING_INVALID, f"{what} cannot be used: {why}", where=where, remedy=remedy)
