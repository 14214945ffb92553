"""A client of `/v1/decide`: post a payment, wait for its decision, and post it again under the same id while there is no answer.

async with DecideClient("http://127.0.0.1:8080", key) as bank:
answer = await bank.decide(Payment(amount_minor=25_000, currency="EUR", entities={"customer": "c-1"}))
"""

from __future__ import annotations

import asyncio
import time
import uuid
from types import TracebackType
from typing import Final, Literal, Self

import aiohttp
import msgspec
from msgspec import UNSET, UnsetType

from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import Quarantine, Retry
from assay.contracts.reasons import Reason

DEADLINE_HEADER: Final = "X-Deadline-Ms"
#: statuses of calls that may be sent again
AGAIN: Final = (408, 429, 502, 503, 504)
_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.05, 1.0
_OK: Final = 200


class Payment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A payment in the short form of the gate. `amount_minor` is in minor units, `ts_utc` an instant of RFC 3339; left out, it is now."""

    amount_minor: int
    currency: str
    entities: dict[str, str | None]
    event_id: str = ""
    ts_utc: str = ""
    kind: str = "purchase"
    attributes: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True):
    """A reason by its code and in words."""

    code: str
    words: str


class Policy(msgspec.Struct, frozen=True):
    """The rules behind an answer."""

    policy_id: str
    revision: str


class DecideAnswer(msgspec.Struct, frozen=True):
    """What the gate answered: a decision, or the fallback of the policy without `score` and `decision_id`."""

    event_id: str
    answered: Literal["DECISION", "FALLBACK"]
    outcome: Literal["ALLOW", "STEP_UP", "QUEUE_REVIEW", "DECLINE"]
    reasons: list[Told]
    policy: Policy
    admission: Literal["ADMIT", "DUPLICATE"]
    receipt_id: str
    answered_at_utc: str
    deadline_ms: int
    latency_ms: float
    score: int | UnsetType = UNSET
    decision_id: str | UnsetType = UNSET


class _Refusal(msgspec.Struct, frozen=True):
    error: str = ""
    detail: str = ""
    where: str = ""
    remedy: str = ""


class DecideClient:
    """Calls the gate at `url` with the key of the run. It keeps its connections; any number of calls may be under way.

    A call that has no answer after `answer_within_s` is sent again. `give_up_after_s` is the time for all attempts of one payment.
    """

    def __init__(self, url: str, key: str, *, answer_within_s: float = 3.0, give_up_after_s: float = 10.0) -> None:
        self._url, self._key = url.rstrip("/") + "/v1/decide", key
        self._within_s, self._give_up_s = answer_within_s, give_up_after_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._within_s)
        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, headers={KEY_HEADER: self._key})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def decide(self, payment: Payment, *, deadline_ms: int | None = None) -> DecideAnswer:
        """The answer to a payment; one without an id gets one here, so that a call that is sent again is the same payment.

        Raises Quarantine with the gate's code, place and remedy for a payment that it does not take, and Retry(GATE_RETRY_EXHAUSTED)
        when no attempt was answered: the same payment may be posted again, under the same id.
        """
        named = payment if payment.event_id else msgspec.structs.replace(payment, event_id=uuid.uuid4().hex)
        body = msgspec.json.encode(named)
        headers = {} if deadline_ms is None else {DEADLINE_HEADER: str(deadline_ms)}
        until_s, pause_s = time.monotonic() + self._give_up_s, _FIRST_PAUSE_S
        while True:
            answer = await self._attempt(body, headers)
            if isinstance(answer, DecideAnswer):
                return answer
            if time.monotonic() + pause_s >= until_s:
                what = f"the gate gave no answer to payment {named.event_id} within {self._give_up_s:g} s: {answer}"
                remedy = "Post the same payment again, under the same id."
                raise Retry(Reason.GATE_RETRY_EXHAUSTED, what, where=self._url, remedy=remedy)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_PAUSE_S)

    async def _attempt(self, body: bytes, headers: dict[str, str]) -> DecideAnswer | str:
        """The answer, or why the call may be sent again."""
        assert self._session is not None, "use the client in `async with`"
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                text = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return str(error) or type(error).__name__
        if response.status == _OK:
            return msgspec.json.decode(text, type=DecideAnswer)
        try:
            refusal = msgspec.json.decode(text, type=_Refusal)
        except msgspec.MsgspecError:
            refusal = _Refusal(detail=f"status {response.status} without a reason")
        if response.status in AGAIN:
            return f"{refusal.error}: {refusal.detail}"
        raise Quarantine(_reason(refusal.error), refusal.detail, where=refusal.where, remedy=refusal.remedy)


def _reason(code: str) -> Reason:
    """The code of a refusal; that of a newer gate may be unknown here."""
    return Reason(code) if code in Reason.__members__ else Reason.GATE_REJECTED
