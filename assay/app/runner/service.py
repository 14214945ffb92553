"""What callers may ask of a runner, whatever carries the call: HTTP and gRPC give the answers of the commands from here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from assay.app.runner.access import Access
from assay.app.runner.activation import activate
from assay.app.runner.activation_request import read_asked
from assay.app.runner.answers import Activation, ReemitAnswer, RunAnswer, show
from assay.app.runner.rebuild import quarantine_of, quarantined
from assay.app.runner.record import record_ref
from assay.app.runner.reemit import ReemitPolicy, reemit
from assay.app.runner.request import RunRequest, read_request
from assay.app.runner.runner import Runner
from assay.app.runner.states import FINAL
from assay.contracts.errors import AssayError, Quarantine, Retry, Stop
from assay.contracts.pins import HEX32
from assay.contracts.reasons import Reason

#: the greatest call in bytes
CALL_BYTES_MAX: Final = 1 << 20
_STATUS: Final = {
    Reason.UNAUTHORISED: 401,
    Reason.ACTOR_NOT_ALLOWED: 403,
    Reason.RUN_MISSING: 404,
    Reason.REEMIT_RATE_LIMIT: 429,
    Reason.REEMIT_BUSY: 409,
    Reason.RULES_DOCUMENT_INVALID: 400,
    Reason.POLICY_REVISION_REFUSED: 409,
}
_OVER: Final = frozenset(map(str, FINAL))
log = logging.getLogger("assay.sr")


class Caller(NamedTuple):
    """Who asks: the key of the run that the call carries, empty for none, and the actor that it names.

    `certified`: the actor is the name in a client certificate of an authority of ours. Such a caller needs no key.
    """

    key: bytes
    actor: str = ""
    certified: bool = False


class RunnerService:
    """The calls of one runner. Each blocks for its own answer, and for no evidence.

    A run whose evidence is missing is looked at again by `look_again` until its deadline; nobody has to ask again.
    """

    def __init__(self, runner: Runner, access: Access, policy: ReemitPolicy | None = None) -> None:
        self.runner, self._access, self._policy = runner, access, policy
        self._waiting: dict[str, RunRequest] = {}

    def submit(self, caller: Caller, document: Mapping[str, Any], action: str = "submit") -> RunAnswer:
        """The run of a request as it stands. Raises as `read_request`, `Access.refuse` and `Runner.submit`."""
        with self._told(document):
            request = read_request({"invoker": caller.actor, **document} if caller.actor else document)
            self.runner.telemetry.say("RUN_REQUEST_RECEIVED", request.run_id, {"kind": action})
            self._refuse(caller, action, request.run_id)
            answer = self.runner.submit(request, wait=False)
        if not is_over(answer):
            self._waiting[request.run_id] = request
        return answer

    def supersede(self, caller: Caller, run_id: str, document: Mapping[str, Any]) -> RunAnswer:
        """As `submit`, for a run that supersedes another one of the same store."""
        return self.submit(caller, {**document, "supersedes_run_id": known(run_id)}, "supersede")

    def show(self, caller: Caller, run_id: str) -> RunAnswer:
        """How a run stands. Raises Quarantine(UNAUTHORISED, RUN_MISSING), Stop(RUN_MISSING)."""
        known(run_id)
        self.refuse_stranger(caller, run_id)
        return show(self.runner.store, run_id)

    def reemit(self, caller: Caller, run_id: str, document: Mapping[str, Any]) -> ReemitAnswer:
        """Say a run again. Raises as `Access.refuse` and `reemit`."""
        asked = {**({"requested_by": caller.actor} if caller.actor else {}), **document, "run_id": known(run_id)}
        with self._told(asked):
            self.runner.telemetry.say("RUN_REQUEST_RECEIVED", run_id, {"kind": "reemit"})
            self._refuse(caller, "reemit", run_id)
            return reemit(self.runner, asked, self._policy)

    def activate(self, caller: Caller, run_id: str, document: Mapping[str, Any]) -> Activation:
        """Change the rules of the run. The actor of the call is who asks, whatever the document says.

        Raises as `Access.refuse`, `read_asked` and `activate`; Stop(RUN_MISSING) for another run than the runner's.
        """
        asked = {**document, **({"requested_by": caller.actor} if caller.actor else {}), "run_id": known(run_id)}
        with self._told(asked):
            self.runner.telemetry.say("RUN_REQUEST_RECEIVED", run_id, {"kind": "activate"})
            self._refuse(caller, "activate", run_id)
            self._refuse_other(run_id)
            return activate(self.runner, read_asked(self.runner.config, asked), dry_run=asked.get("dry_run", False))

    def quarantined(self, caller: Caller) -> list[dict[str, Any]]:
        """The notices of runs that were set aside. Raises Quarantine(UNAUTHORISED)."""
        self.refuse_stranger(caller, "quarantine")
        return quarantined(self.runner.store)

    def quarantine_of(self, caller: Caller, run_id: str) -> dict[str, Any]:
        """The notice of one. Raises Quarantine(UNAUTHORISED, RUN_MISSING), Stop(RUN_MISSING)."""
        known(run_id)
        self.refuse_stranger(caller, run_id)
        return quarantine_of(self.runner.store, run_id)

    def look_again(self) -> None:
        """Look at each run that is not over. What a store or a database refuses is tried again at the next call."""
        for run_id, request in list(self._waiting.items()):
            try:
                answer = self.runner.submit(request, wait=False)
            except AssayError as refusal:
                log.warning("run %s: %s", run_id, refusal)
                continue
            if is_over(answer):
                self._waiting.pop(run_id, None)

    def _refuse(self, caller: Caller, action: str, run_id: str) -> None:
        key = None if caller.certified else caller.key
        self._access.refuse(self.runner.store, action, run_id, key, caller.actor, self.runner.clock())

    @contextmanager
    def _told(self, document: Mapping[str, Any]) -> Iterator[None]:
        """Operators are told of a request that is refused."""
        try:
            yield
        except AssayError as refusal:
            told = {"reason_code": refusal.reason.value, "why": refusal.what}
            self.runner.telemetry.say("RUN_REQUEST_REJECTED", str(document.get("run_id", "")), told)
            raise

    def _refuse_other(self, run_id: str) -> None:
        own = self.runner.config.scenario_run_id
        if run_id != own:
            remedy = "Correct the run's id, or ask the runner of that run."
            raise Stop(Reason.RUN_MISSING, f"this runner has the run {own}", where=record_ref(run_id), remedy=remedy)

    def refuse_stranger(self, caller: Caller, where: str) -> None:
        """Raises Quarantine(UNAUTHORISED) for a caller without a key of the run and without a certificate."""
        if not caller.certified and not self._access.accepts_key(caller.key):
            raise Quarantine(Reason.UNAUTHORISED, "the call has no key of the run", where=where, remedy="Send a key of the run.")


def is_over(answer: RunAnswer) -> bool:
    """Whether a run ended: nothing changes any more."""
    return answer.state in _OVER


def known(run_id: str) -> str:
    """The run that a call names: nothing else becomes a key of the store. Raises Quarantine(RUN_MISSING)."""
    if HEX32.fullmatch(run_id) is None:
        raise Quarantine(Reason.RUN_MISSING, "the call names no run", where="run_id", remedy="A run's id has 32 hex digits.")
    return run_id


def http_status(refusal: AssayError) -> int:
    """The status of HTTP that a refusal has: 4xx for what the caller has to change, 503 for what may succeed later."""
    kind = 503 if isinstance(refusal, Retry) else 400 if isinstance(refusal, Quarantine) else 409
    return _STATUS.get(refusal.reason, kind)
