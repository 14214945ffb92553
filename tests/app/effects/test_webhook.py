"""The webhook effector against a real local server that drops replies, is slow, fails and is asked by key."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from simulated_worlds import config

from assay.agents.step import EffectResults, Effects
from assay.app.effects.recorder import Recorder
from assay.app.effects.webhook import ATTEMPTS_MAX, MEANINGS, Meaning, Webhook, backoff_s, meaning_of
from assay.app.lane.wiring import effector_of
from assay.app.run.directory import Run
from assay.app.substrate.ports import free_port
from assay.codecs.columns import Strings

TIMEOUT_S = 0.3
BROKE_OFF = "POST broke off: ServerDisconnectedError"


class Provider:
    """Executes once per key. `script` says what happens to each POST of a key, the last word holds for all further ones.

    a status code answers with it (2xx executes), `drop` executes and cuts the connection, `slow` executes and answers too late,
    `lost` cuts the connection and executes nothing. `asked` is the status of every GET, 0 for the honest one.
    """

    def __init__(self, script: Sequence[int | str], asked: int | str = 0) -> None:
        self.script, self.asked = script, asked
        self.posts: Counter[str] = Counter()
        self.questions: Counter[str] = Counter()
        self.executed: Counter[str] = Counter()
        self.bodies: list[object] = []
        self.at_once = self.most_at_once = 0

    async def post(self, request: web.Request) -> web.StreamResponse:
        key = request.headers["Idempotency-Key"]
        step = self.script[min(self.posts[key], len(self.script) - 1)]
        self.posts[key] += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        self.bodies.append(await request.json())
        await asyncio.sleep(0)
        self.at_once -= 1
        if (isinstance(step, int) and 200 <= step <= 299) or step in ("drop", "slow"):
            self.executed[key] = 1  # the provider honours the key
        if step == "slow":
            await asyncio.sleep(3 * TIMEOUT_S)
        if step in ("drop", "lost"):
            assert request.transport is not None
            request.transport.close()
        return web.json_response({"reference": f"ref-{key[:4]}"}, status=step if isinstance(step, int) else 200)

    async def get(self, request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        self.questions[key] += 1
        if self.asked == "drop":
            assert request.transport is not None
            request.transport.close()
        status = self.asked if isinstance(self.asked, int) and self.asked else (200 if key in self.executed else 404)
        return web.json_response({"reference": f"ref-{key[:4]}"}, status=status)


@asynccontextmanager
async def serving(provider: Provider) -> AsyncIterator[str]:
    """A real server on a free port; its URL."""
    app = web.Application()
    app.add_routes([web.post("/act", provider.post), web.get("/act/{key}", provider.get)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/act"
    finally:
        await runner.cleanup()


def effects(n: int = 1, *, ask_first: bool = False) -> Effects:
    """n effects of different keys."""
    keys = np.zeros((n, 32), np.uint8)
    keys[:, 0], keys[:, 1] = np.arange(n) % 256, np.arange(n) // 256
    return Effects(keys, Strings.repeat(b"DECLINE", n), Strings.of([f"e{i}" for i in range(n)]), ask_first)


class Pauses:
    """Remembers pauses and takes none."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, pause_s: float) -> None:
        self.taken.append(pause_s)


def call(provider: Provider, wanted: Effects, pauses: Pauses | None = None, concurrency: int = 32) -> EffectResults:
    """Execute against a running provider."""

    async def whole() -> EffectResults:
        async with serving(provider) as url:
            return await Webhook(url, timeout_s=TIMEOUT_S, concurrency=concurrency, sleep=pauses or Pauses()).execute(wanted)

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("script", "asked", "status", "attempts", "reason", "executed", "questions"),
    [
        pytest.param([200], 0, "EXECUTED", 1, "", 1, 0, id="at once"),
        pytest.param([202], 0, "EXECUTED", 1, "", 1, 0, id="accepted"),
        pytest.param(["drop"], 0, "EXECUTED", 1, "", 1, 1, id="executed, reply dropped, asked"),
        pytest.param(["slow"], 0, "EXECUTED", 1, "", 1, 1, id="executed, reply too late, asked"),
        pytest.param(["lost", 200], 0, "EXECUTED", 2, "", 1, 1, id="lost before execution, asked, posted again"),
        pytest.param([500, 200], 0, "EXECUTED", 2, "", 1, 1, id="500, then 200"),
        pytest.param([429, 408, 200], 0, "EXECUTED", 3, "", 1, 2, id="429, 408, then 200"),
        pytest.param([503], 0, "FAILED", 3, "RETRY_EXHAUSTED: POST answered 503", 0, 3, id="503 for ever"),
        pytest.param([400], 0, "FAILED", 1, "PERMANENT: POST answered 400", 0, 0, id="400"),
        pytest.param([422], 0, "FAILED", 1, "PERMANENT: POST answered 422", 0, 0, id="422"),
        pytest.param([302], 0, "FAILED", 3, "RETRY_EXHAUSTED: POST answered 302", 0, 3, id="a redirect is not followed"),
        pytest.param(["drop"], 404, "EXECUTED", 2, "", 1, 1, id="404 on asking: posted again under the same key"),
        pytest.param(["drop"], 500, "UNCERTAIN_COMMIT", 1, f"{BROKE_OFF}; then GET answered 500", 1, 1, id="500 on asking"),
        pytest.param(["drop"], "drop", "UNCERTAIN_COMMIT", 1, f"{BROKE_OFF}; then GET broke off", 1, 2, id="dead on asking, twice"),
        pytest.param([500], 405, "UNCERTAIN_COMMIT", 1, "POST answered 500; then GET answered 405", 0, 1, id="cannot be asked"),
    ],
)  # fmt: skip
def test_the_end_of_an_action_follows_from_what_the_provider_did(
    script: list[int | str], asked: int | str, status: str, attempts: int, reason: str, executed: int, questions: int
) -> None:
    # a provider that says 404 wrongly answers the second post from its key
    provider = Provider([*script, 200] if asked == 404 else script, asked)
    results = call(provider, effects())
    assert results.status.text() == [status]
    assert results.attempts.tolist() == [attempts]
    assert str(results.reason.text()[0]).startswith(reason)
    assert (reason == "") == (results.reason.text() == [""])
    assert sum(provider.executed.values()) == executed
    assert sum(provider.questions.values()) == questions
    assert results.provider_ref.text() == ["ref-0000" if status == "EXECUTED" else ""]


def test_an_answer_that_never_comes_is_never_retried() -> None:
    provider = Provider(["drop"], "drop")
    call(provider, effects())
    assert sum(provider.posts.values()) == 1


@pytest.mark.parametrize(("done", "posts"), [(True, 0), (False, 1)])
def test_after_a_restart_the_provider_is_asked_first(done: bool, posts: int) -> None:
    provider, wanted = Provider([200]), effects(ask_first=True)
    if done:
        provider.executed[wanted.idempotency_key[0].tobytes().hex()] = 1
    results = call(provider, wanted)
    assert (results.status.text(), results.provider_ref.text()) == (["EXECUTED"], ["ref-0000"])
    assert sum(provider.posts.values()) == posts
    assert sum(provider.questions.values()) == 1


def test_after_a_restart_a_provider_that_cannot_say_leaves_the_action_uncertain() -> None:
    provider = Provider([200], 500)
    results = call(provider, effects(ask_first=True))
    assert (results.status.text(), results.attempts.tolist()) == (["UNCERTAIN_COMMIT"], [0])
    assert not provider.posts


def test_a_provider_that_nobody_reaches_has_not_acted() -> None:
    pauses = Pauses()
    url = f"http://127.0.0.1:{free_port()}"
    results = asyncio.run(Webhook(url, timeout_s=TIMEOUT_S, sleep=pauses).execute(effects()))
    assert results.status.text() == ["FAILED"]
    assert results.reason.text() == ["RETRY_EXHAUSTED: POST could not connect"]
    assert pauses.taken == [0.1, 0.2]


def test_many_actions_keep_their_order_and_a_bound_on_what_is_under_way() -> None:
    provider = Provider([200])
    results = call(provider, effects(300), concurrency=5)
    assert results.status.text() == ["EXECUTED"] * 300
    assert results.provider_ref.text() == [f"ref-{row[0]:02x}{row[1]:02x}" for row in effects(300).idempotency_key]
    assert provider.most_at_once <= 5
    assert {"action_kind": "DECLINE", "event_id": "e7"} in provider.bodies


def test_pauses_double_and_are_bounded() -> None:
    assert [backoff_s(attempt) for attempt in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    pauses = Pauses()
    call(Provider([503]), effects(), pauses)
    assert pauses.taken == [0.1, 0.2]
    assert len(pauses.taken) == ATTEMPTS_MAX - 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_status_means_something_and_nothing_means_executed_but_success(method: str) -> None:
    for status in range(100, 600):
        meaning = meaning_of(method, status)
        assert meaning in Meaning
        assert (meaning is Meaning.EXECUTED) <= (200 <= status <= 299)
    assert {row.method for row in MEANINGS} == {"GET", "POST"}


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"reference": null}', b"\xff", b'{"reference": "\\ud800"}', b"[" * 100_000])
def test_an_answer_without_a_reference_is_an_execution_all_the_same(body: bytes) -> None:
    class Silent(Provider):
        async def post(self, request: web.Request) -> web.StreamResponse:
            return web.Response(body=body)

    assert call(Silent([200]), effects()).status.text() == ["EXECUTED"]


def test_the_setting_chooses_what_acts(tmp_path: Path) -> None:
    run = Run(directory=tmp_path, config=config(), bootstrap="localhost:1", dsn="")
    assert isinstance(effector_of(run, ""), Recorder)
    assert isinstance(effector_of(run, "http://127.0.0.1:1/act"), Webhook)
