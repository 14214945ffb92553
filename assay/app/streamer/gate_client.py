"""Calls to the gate over HTTP, repeated until the gate takes them, refuses them, or the budget is used up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from assay.app.progress import unseen
from assay.app.streamer.retry import RetryPolicy, is_transient
from assay.contracts import instants
from assay.contracts.api_key import KEY_HEADER
from assay.contracts.errors import Retry, Stop
from assay.contracts.pins import Pins
from assay.contracts.reasons import Reason

BATCH_PATH, MARKS_PATH = "/v1/ingest/batch?results=exceptions", "/v1/ingest/marks"
CALL_TIMEOUT_S = 60.0
_TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError, OSError)


class Interrupted(Exception):
    """The operator asked to stop while a call was waiting to be tried again."""


class GateClient:
    """Posts to one run's gate. `chance` gives [0, 1) for jitter; setting `stop` ends waiting between tries with Interrupted.

    `retried(cause)` is told of every call that is made again.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        pins: Pins,
        policy: RetryPolicy,
        chance: Callable[[], float],
        stop: asyncio.Event,
        retried: Callable[[str], object] = unseen,
    ) -> None:
        self._retried = retried
        self._url, self._policy, self._chance, self._stop = url.rstrip("/"), policy, chance, stop
        self._pins = pins.as_json()
        headers = {KEY_HEADER: api_key, "Content-Type": "application/json"}
        self._session = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=CALL_TIMEOUT_S))
        self.retries = 0

    async def close(self) -> None:
        """Let go of the connections."""
        await self._session.close()

    async def ingest(self, body: bytes) -> dict[str, Any]:
        """Post a batch; the answer has `counts` of decisions and `results` of events that were not admitted. Raises as `post`."""
        return await self.post(BATCH_PATH, body)

    async def mark(self, ts_us: int, classes: Sequence[str], *, final: bool) -> None:
        """Post a watermark of these event classes: all their rows before it were taken. Raises as `post`."""
        mark = {**self._pins, "ts_utc": instants.text(ts_us), "final": final, "classes": list(classes)}
        await self.post(MARKS_PATH, json.dumps(mark).encode())

    async def post(self, path: str, body: bytes) -> dict[str, Any]:
        """The gate's answer to a call it took.

        Raises Stop(GATE_REJECTED) for an answer no later try can change, Retry(GATE_RETRY_EXHAUSTED) when the budget is used up,
        Interrupted when asked to stop meanwhile.
        """
        started_s, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            answer, cause = await self._try(path, body)
            if answer is not None:
                return answer
            if not self._policy.may_try_again(attempt, time.monotonic() - started_s):
                what = f"the gate did not take a call in {attempt} tries: {cause}"
                remedy = "Start the gate (its log says why it is away), then run the same command again: it resumes."
                raise Retry(Reason.GATE_RETRY_EXHAUSTED, what, where=self._url + path, remedy=remedy)
            self.retries += 1
            self._retried(cause)
            await self._pause(self._policy.delay_ms(attempt, self._chance()) / 1_000)

    async def _try(self, path: str, body: bytes) -> tuple[dict[str, Any] | None, str]:
        """(answer, "") or (None, why it may be tried again)."""
        try:
            async with self._session.post(self._url + path, data=body) as response:
                text = await response.text()
                status = response.status
        except _TRANSPORT_ERRORS as error:
            return None, f"{type(error).__name__}: {error}"
        if is_transient(status):
            return None, f"HTTP {status}: {text[:300]}"
        if not 200 <= status < 300:
            what = f"the gate refused a call with HTTP {status}: {text[:500]}"
            raise Stop(
                Reason.GATE_REJECTED, what, where=self._url + path, remedy="Correct the key, the run or the batch size, then run again."
            )
        return json.loads(text), ""

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stop.wait(), seconds)
        except TimeoutError:
            return
        raise Interrupted
