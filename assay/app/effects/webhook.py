"""The webhook effector: one HTTP POST per action, and a question by its key when the answer got lost.

POST <url> with the header Idempotency-Key (hex) and a JSON body; GET <url>/<key> asks whether it was executed. What an
answer means is a row of `MEANINGS`. A call that may have been executed is repeated only after the effector has said
that it was not; where it cannot say, the action ends as UNCERTAIN_COMMIT and is never retried.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import NamedTuple

import aiohttp
import numpy as np

from assay.agents.step import EffectResults, Effects
from assay.codecs.columns import Strings

ATTEMPTS_MAX = 3
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 1.0
REFERENCE_CHARS_MAX = 256


class Meaning(StrEnum):
    """What is known after one request."""

    EXECUTED = "EXECUTED"
    NOT_EXECUTED = "NOT_EXECUTED"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


class Row(NamedTuple):
    """Status codes from `first` to `last` in answer to a method."""

    method: str
    first: int
    last: int
    meaning: Meaning


#: the first row that fits counts; no row, or no answer at all, is UNKNOWN
MEANINGS = (
    Row("POST", 200, 299, Meaning.EXECUTED),
    Row("POST", 408, 408, Meaning.UNKNOWN),
    Row("POST", 429, 429, Meaning.UNKNOWN),
    Row("POST", 400, 499, Meaning.REFUSED),
    Row("GET", 200, 200, Meaning.EXECUTED),
    Row("GET", 404, 404, Meaning.NOT_EXECUTED),
)


class Result(NamedTuple):
    """The end of one action."""

    status: str
    attempts: int
    reason: str
    provider_ref: str


class _Answer(NamedTuple):
    meaning: Meaning
    what: str
    reference: str


def meaning_of(method: str, status: int) -> Meaning:
    """What an HTTP status means."""
    return next((row.meaning for row in MEANINGS if row.method == method and row.first <= status <= row.last), Meaning.UNKNOWN)


def backoff_s(attempt: int) -> float:
    """Pause after the n-th attempt, counting from 1."""
    return min(BACKOFF_FIRST_S * float(2 ** (attempt - 1)), BACKOFF_MAX_S)


class Webhook:
    """Acts by posting to a URL. `sleep` is the event loop's, so that a test need not wait."""

    def __init__(
        self, url: str, *, timeout_s: float = 5.0, concurrency: int = 32, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._url = url.rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._concurrency = concurrency
        self._sleep = sleep

    async def execute(self, effects: Effects) -> EffectResults:
        """One result per effect, in order. Raises nothing: a failure is a result."""
        keys = [row.tobytes().hex() for row in effects.idempotency_key]
        room = asyncio.Semaphore(self._concurrency)
        connector = aiohttp.TCPConnector(limit=self._concurrency)
        async with aiohttp.ClientSession(timeout=self._timeout, connector=connector) as session:

            async def one(key: str, kind: str | None, event: str | None) -> Result:
                async with room:
                    return await self._act(session, key, {"action_kind": kind, "event_id": event}, asking=effects.ask_first)

            rows = zip(keys, effects.action_kind.text(), effects.source_event_id.text(), strict=True)
            results = await asyncio.gather(*(one(*row) for row in rows))
        return EffectResults(
            Strings.of([result.status for result in results]),
            np.array([result.attempts for result in results], np.int32),
            Strings.of([result.reason for result in results]),
            Strings.of([result.provider_ref for result in results]),
        )

    async def _act(self, session: aiohttp.ClientSession, key: str, body: dict[str, str | None], *, asking: bool) -> Result:
        """Post until something is certain; ask before every repetition."""
        attempts, what = 0, "asked after a restart"
        while True:
            if asking:
                asked = await self._request(session, "GET", f"{self._url}/{key}", key, None)
                if asked.meaning is Meaning.EXECUTED:
                    return Result("EXECUTED", attempts, "", asked.reference)
                if asked.meaning is not Meaning.NOT_EXECUTED:
                    return Result("UNCERTAIN_COMMIT", attempts, f"{what}; then {asked.what}", "")
            if attempts == ATTEMPTS_MAX:
                return Result("FAILED", attempts, f"RETRY_EXHAUSTED: {what}", "")
            if attempts:
                await self._sleep(backoff_s(attempts))
            attempts += 1
            posted = await self._request(session, "POST", self._url, key, body)
            what = posted.what
            if posted.meaning is Meaning.EXECUTED:
                return Result("EXECUTED", attempts, "", posted.reference)
            if posted.meaning is Meaning.REFUSED:
                return Result("FAILED", attempts, f"PERMANENT: {what}", "")
            asking = posted.meaning is Meaning.UNKNOWN

    async def _request(
        self, session: aiohttp.ClientSession, method: str, url: str, key: str, body: dict[str, str | None] | None
    ) -> _Answer:
        headers = {"Idempotency-Key": key}
        try:
            async with session.request(method, url, json=body, headers=headers, allow_redirects=False) as response:
                meaning = meaning_of(method, response.status)
                reference = _reference(await response.read()) if meaning is Meaning.EXECUTED else ""
                return _Answer(meaning, f"{method} answered {response.status}", reference)
        except aiohttp.ClientConnectorError:
            # no connection, so no request: a call was not made, a question was not answered
            return _Answer(Meaning.NOT_EXECUTED if method == "POST" else Meaning.UNKNOWN, f"{method} could not connect", "")
        except TimeoutError:
            return _Answer(Meaning.UNKNOWN, f"{method} was not answered in time", "")
        except (aiohttp.ClientError, OSError) as error:
            return _Answer(Meaning.UNKNOWN, f"{method} broke off: {type(error).__name__}", "")


def _reference(body: bytes) -> str:
    """The field `reference` of a JSON answer, "" if there is none; half a surrogate pair, which JSON allows, becomes `?`."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    reference = found.get("reference", "") if isinstance(found, dict) else ""
    return str(reference)[:REFERENCE_CHARS_MAX].encode(errors="replace").decode()
