"""Who may call the gate: a key of the run or of a named actor, a service token, or a client's certificate."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiohttp import web

from assay.app.gate import client_certificates, service_token
from assay.app.gate.service_token import SIGNED_HEADER
from assay.app.run.caller_keys import CallerKeys, caller_keys_path
from assay.app.run.directory import Run
from assay.app.run.keys import RunKeys
from assay.app.settings import Settings, value_of
from assay.contracts.api_key import KEY_HEADER, key_of
from assay.contracts.caller import OF_RUN_KEY, Caller
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

#: where a call keeps its caller
CALLER: Final = web.RequestKey("assay.caller", Caller)
_REMEDY: Final = f"Send {KEY_HEADER}, or Authorization: Bearer, with the key that `assay key show --run DIR` prints."


class Given(NamedTuple):
    """The credentials of a call: empty, or None, where it has none. The first of token, key and certificate counts."""

    token: bytes
    key: bytes
    certificate: Mapping[str, Any] | None

    @property
    def anything(self) -> bool:
        """Whether it has any."""
        return bool(self.token or self.key or self.certificate)


class Terms(NamedTuple):
    """`secrets` sign tokens for `audience`; with `principals`, no other token and certificate is taken than of these actors."""

    audience: str
    secrets: tuple[str, ...] = ()
    principals: frozenset[str] = frozenset()


class Callers:
    """Says who calls. Keys are read again when their files change. `now_s` gives seconds since 1970."""

    def __init__(self, run: RunKeys, named: CallerKeys, terms: Terms, now_s: Callable[[], float] = time.time) -> None:
        self._run, self._named, self._terms, self._now_s = run, named, terms, now_s

    @property
    def key_of_run(self) -> str:
        """The present key of the run, with which the gate asks the worker for whoever may ask the gate."""
        return self._run.present

    def caller(self, given: Given) -> Caller:
        """The caller with these credentials. Raises Quarantine(UNAUTHORISED), which quotes none of them."""
        if given.token:
            found = service_token.caller_of(given.token, self._terms.secrets, self._terms.audience, self._now_s())
            return self._listed(found, found.principal, SIGNED_HEADER)
        if given.key or not given.certificate:
            return self._with_key(given.key)
        found = client_certificates.caller_of(given.certificate)
        return self._listed(found, found.actor_id.partition("::")[2], client_certificates.WHERE)

    def _with_key(self, key: bytes) -> Caller:
        digest = hashlib.sha256(key).digest()
        of_run, named = self._run.knows(digest), self._named.caller_of(digest)
        if of_run:
            return OF_RUN_KEY
        if named is None:
            what = "the key is none that this gate takes" if key else "the call has no key"
            raise Quarantine(Reason.UNAUTHORISED, what, where=KEY_HEADER, remedy=_REMEDY)
        return named

    def _listed(self, caller: Caller, name: str, where: str) -> Caller:
        if self._terms.principals and name not in self._terms.principals:
            what, remedy = f"the actor {name!r} is not among those that may call this gate", "Let the operator add it to ASSAY_PRINCIPALS."
            raise Quarantine(Reason.UNAUTHORISED, what, where=where, remedy=remedy)
        return caller


def callers_of(run: Run, settings: Settings) -> Callers:
    """Who may call the gate of a run. Raises Stop(SETTING_INVALID, CALLER_KEYS_INVALID)."""
    listed = frozenset(_listed(settings.principals))
    terms = Terms(audience_of(run, settings), token_secrets(settings), listed)
    return Callers(RunKeys(run), CallerKeys(caller_keys_path(run.directory)), terms)


def audience_of(run: Run, settings: Settings) -> str:
    """Whom a token must be for: what the settings say, else the run."""
    return settings.token_audience or run.platform_run_id


def token_secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets that sign tokens, the one for new tokens first. Raises Stop(SETTING_INVALID) for one that is too short."""
    found = tuple(_listed(value_of(settings.token_secrets_variable)))
    if any(len(secret) < service_token.SECRET_CHARS_MIN for secret in found):
        what = f"a secret of service tokens has fewer than {service_token.SECRET_CHARS_MIN} characters"
        remedy = "Take 32 or more random characters for each, separated by commas: openssl rand -hex 32."
        raise Stop(Reason.SETTING_INVALID, what, where=settings.token_secrets_variable, remedy=remedy)
    return found


def given_of(request: web.Request) -> Given:
    """The credentials of a call."""
    token = request.headers.get(SIGNED_HEADER, "").encode("utf-8", "surrogateescape")
    certificate = None if request.transport is None else request.transport.get_extra_info("peercert")
    return Given(token, key_of(request.headers), certificate or None)


def caller_in(request: web.Request) -> Caller:
    """The caller of a call that was let in."""
    return request[CALLER]


def _listed(text: str) -> Sequence[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
