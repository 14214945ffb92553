"""Service tokens: `st.v2.<base64url of the principal, no padding>.<hex of HMAC-SHA256>`. Pure.

The principal is JSON with `actor`, `aud` and `exp_s` (seconds since 1970). What is signed is `v2|` and the bytes of the principal.
The prior platform's `st.v1` signs a bare name, which never expires and is valid for every run; it is refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from assay.contracts.caller import Caller, actor_id, check_actor_name
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

SIGNED_HEADER: Final = "X-IG-Service-Token"
#: a shorter secret can be guessed from one token
SECRET_CHARS_MIN: Final = 32
_FORM: Final = re.compile(r"st\.v2\.([A-Za-z0-9_-]{1,1024})\.([0-9a-f]{64})")
_REMEDY: Final = "Make one with `assay key token --actor NAME --for 1h`."


class Principal(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a token says: who calls, which gate it is for, and until when (seconds since 1970)."""

    actor: str
    aud: str
    exp_s: int


_PRINCIPAL: Final = msgspec.json.Decoder(Principal)


def token_of(principal: Principal, secret: str) -> str:
    """A token. Raises Quarantine(ACTOR_NAME_INVALID)."""
    check_actor_name(principal.actor)
    said = msgspec.json.encode(principal)
    return f"st.v2.{base64.urlsafe_b64encode(said).decode().rstrip('=')}.{_signature(said, secret)}"


def caller_of(token: bytes, secrets: Sequence[str], audience: str, now_s: float) -> Caller:
    """Who sends a token. Nothing of it is told before one of the secrets has signed it; each is tried, in the same time.

    Raises Quarantine(UNAUTHORISED): no token, signed by nobody known, of another gate, expired.
    """
    if not secrets:
        raise refused("this gate takes no service tokens", "Send a key, or let the operator name the secrets of tokens.")
    found = _FORM.fullmatch(token.decode("ascii", "replace"))
    if found is None:
        raise refused("the service token does not have the form st.v2.PRINCIPAL.SIGNATURE")
    said = _decoded(found[1])
    given = found[2].encode()
    signed = [hmac.compare_digest(given, _signature(said, secret).encode()) for secret in secrets]
    if not any(signed):
        raise refused("the service token is not signed by a secret of this gate")
    try:
        principal = _PRINCIPAL.decode(said)
    except msgspec.MsgspecError:
        raise refused("the service token is signed and says something else than actor, aud and exp_s") from None
    if not hmac.compare_digest(principal.aud.encode(), audience.encode()):
        raise refused("the service token is for another audience", f"This gate is {audience}. {_REMEDY}")
    if principal.exp_s <= now_s:
        raise refused("the service token has expired")
    return Caller(actor_id("SYSTEM", principal.actor), "SYSTEM", "service_token", principal.actor)


def refused(what: str, remedy: str = _REMEDY) -> Quarantine:
    """The refusal of a token. It quotes nothing of it."""
    return Quarantine(Reason.UNAUTHORISED, what, where=SIGNED_HEADER, remedy=remedy)


def _signature(said: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), b"v2|" + said, hashlib.sha256).hexdigest()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
