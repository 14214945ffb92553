"""A service token lets in whom it names, for one gate and for a time; nobody learns anything from one that is not signed."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from effort import drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.app.gate.service_token import Principal, caller_of, token_of
from assay.contracts.errors import Quarantine
from assay.contracts.reasons import Reason

NOW_S = 1_800_000_000.0
OLD, NEW = "o" * 32, "n" * 32
GATE = "platform_20260101T000000Z"


def made(actor: str = "switch-1", audience: str = GATE, exp_s: int = int(NOW_S) + 60, secret: str = NEW) -> str:
    return token_of(Principal(actor, audience, exp_s), secret)


def signed(said: bytes, secret: str = NEW, version: str = "v2") -> str:
    """A token that says anything, in the reference's form."""
    signature = hmac.new(secret.encode(), version.encode() + b"|" + said, hashlib.sha256).hexdigest()
    return f"st.{version}.{base64.urlsafe_b64encode(said).decode().rstrip('=')}.{signature}"


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_token_of_any_secret_names_its_actor(secret: str) -> None:
    caller = caller_of(made(secret=secret).encode(), (NEW, OLD), GATE, NOW_S)
    assert caller == ("SYSTEM::switch-1", "SYSTEM", "service_token", "switch-1")


def test_the_form_is_that_of_the_reference_with_audience_and_expiry() -> None:
    assert made() == signed(b'{"actor":"switch-1","aud":"platform_20260101T000000Z","exp_s":1800000060}')


FORM = "the service token does not have the form"
SIGNATURE = "the service token is not signed by a secret of this gate"
REFUSED = [
    (made(exp_s=int(NOW_S)), "the service token has expired"),
    (made(exp_s=int(NOW_S) - 1), "the service token has expired"),
    (made(audience="another"), "the service token is for another audience"),
    (made(secret="x" * 32), SIGNATURE),
    (made(audience="another", exp_s=1, secret="x" * 32), SIGNATURE),
    (made()[:-1] + "g", FORM),
    (made()[:-1], FORM),
    (made() + " ", FORM),
    (made().upper(), FORM),
    ("", FORM),
    ("st.v2..", FORM),
    ("st.v2.é." + "0" * 64, FORM),
    (signed(b"switch-1", version="v1"), FORM),
    (signed(b"switch-1"), "the service token is signed and says something else"),
    (signed(b'{"actor":"a","aud":"' + GATE.encode() + b'"}'), "the service token is signed and says something else"),
    (signed(b'{"actor":"a","aud":"a","exp_s":1,"admin":true}'), "the service token is signed and says something else"),
]


@pytest.mark.parametrize(("token", "what"), REFUSED)
def test_a_wrong_token_is_refused_for_its_own_reason_and_is_not_quoted(token: str, what: str) -> None:
    with pytest.raises(Quarantine) as refused:
        caller_of(token.encode(), (NEW, OLD), GATE, NOW_S)
    assert refused.value.reason is Reason.UNAUTHORISED
    assert refused.value.what.startswith(what)
    told = str(refused.value)
    assert not any(part and part in told for part in (token, *token.split(".")[2:]))


def test_a_gate_without_secrets_takes_no_token() -> None:
    with pytest.raises(Quarantine, match="takes no service tokens"):
        caller_of(made().encode(), (), GATE, NOW_S)


@settings(max_examples=drawn(300))
@given(at=st.integers(0, len(made()) - 1), to=st.characters(min_codepoint=33, max_codepoint=126))
def test_no_other_text_than_the_one_that_was_signed_is_taken(at: int, to: str) -> None:
    """A last character of base64 may hold bits that mean nothing: such a text says the same, and is no other principal."""
    token = made()
    changed = token[:at] + to + token[at + 1 :]
    try:
        caller = caller_of(changed.encode(), (NEW, OLD), GATE, NOW_S)
    except Quarantine as refused:
        assert refused.reason is Reason.UNAUTHORISED
    else:
        assert caller.principal == "switch-1"


def test_a_token_is_made_for_a_name_that_can_stand_in_a_receipt() -> None:
    with pytest.raises(Quarantine) as refused:
        made(actor="two words")
    assert refused.value.reason is Reason.ACTOR_NAME_INVALID
