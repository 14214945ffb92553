"""Tables of the app are the state of lanes: read by text key while a lane is active here, written by nobody."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp.test_utils import TestClient, TestServer

from assay.agents.faust_shell import agents
from assay.agents.faust_shell.agents import Shell, ShellLane, WorkerApp, build_app, exit_code, last_words
from assay.agents.faust_shell.tables import LaneTable
from assay.agents.step import LaneId
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason


class Held:
    """A lane with one row per table. A read waits until `may_read` is set, as it does for a fold."""

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        self.rows = rows
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.asked: list[str] = []
        self.next_offset = 0

    async def read(self, table: str, key: str) -> dict[str, Any] | None:
        self.asked.append(table)
        await self.may_read.wait()
        return self.rows.get(f"{table}/{key}")

    async def follow(self) -> None:
        await asyncio.Event().wait()

    async def recover(self, still_given: Callable[[], bool]) -> bool:
        return True

    def feed(self, chunk: object) -> None:
        """Takes nothing."""

    def wants(self, place: object) -> bool:
        return True

    def waits_for(self) -> list[str]:
        return []

    def position(self) -> dict[tuple[str, int], int]:
        return {}

    def committable(self) -> dict[tuple[str, int], int]:
        return {}

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to let go of."""


FEATURES = {"features/customer:7": {"count": 3}, "features/{7}": {"count": 4}}
TABLES = ("features", "entities")


def make_app(directory: Path, *lanes: Held, tables: tuple[str, ...] = TABLES) -> WorkerApp:
    shell = Shell("run", "one:9092,two:9093", directory)
    specs = [ShellLane(LaneId("held", shard), f"run.held.{shard}", {"in": "IN"}, tables, lane) for shard, lane in enumerate(lanes)]
    return build_app(shell, specs, lambda app: {"/healthz": lambda: (b"{}", "application/json")})


def table_of(app: WorkerApp, name: str) -> LaneTable:
    """A table of the app under its own type."""
    return cast("LaneTable", app.tables[name])


async def own(app: WorkerApp) -> None:
    for lane_app in app.lane_apps:
        await lane_app.member.own(given=True)


async def close(app: WorkerApp) -> None:
    for lane_app in app.lane_apps:
        await lane_app.member.close()


def test_a_row_is_read_in_the_lane_that_declares_the_table_while_that_is_active(tmp_path: Path) -> None:
    async def scenario() -> None:
        lane = Held(FEATURES)
        app = make_app(tmp_path, lane)
        features = table_of(app, "features")
        assert (features.active, await features.read("customer:7"), lane.asked) == ([], None, [])
        await own(app)
        assert await features.read("customer:7") == {"count": 3}
        assert (await features.read("customer:8"), await table_of(app, "entities").read("customer:7")) == (None, None)
        assert (len(features), list(features)) == (0, [])
        await close(app)
        assert features.active == []

    asyncio.run(scenario())


def test_a_row_is_found_in_whichever_shard_has_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path, Held({}), Held(FEATURES))
        await own(app)
        assert await table_of(app, "features").read("customer:7") == {"count": 3}
        await close(app)

    asyncio.run(scenario())


def test_tables_are_those_the_lanes_declare(tmp_path: Path) -> None:
    async def scenario() -> None:
        assert list(make_app(tmp_path, Held({}), tables=("cases",)).tables) == ["cases"]
        assert list(make_app(tmp_path, Held({}), tables=()).tables) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("how", ["get", "in"])
def test_a_row_cannot_be_read_without_waiting(tmp_path: Path, how: str) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path, Held(FEATURES))
        await own(app)
        try:
            assert table_of(app, "features")["customer:7"] if how == "get" else "customer:7" in table_of(app, "features")
        finally:
            await close(app)

    with pytest.raises(TypeError, match=r"await table\.read"):
        asyncio.run(scenario())


@pytest.mark.parametrize("write", ["set", "delete"])
def test_writing_a_table_is_refused(tmp_path: Path, write: str) -> None:
    async def scenario() -> None:
        features = table_of(make_app(tmp_path, Held(FEATURES)), "features")
        if write == "set":
            features["customer:7"] = {"count": 4}
        else:
            del features["customer:7"]

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.TABLE_READ_ONLY


@contextmanager
def _answers(directory: Path, *, owned: bool) -> Iterator[tuple[asyncio.Runner, Held, Callable[[str], Any]]]:
    """The web pages of an app with one lane; the callable gives (status, body) of a path."""
    with asyncio.Runner() as runner:

        async def start() -> tuple[WorkerApp, Held, TestClient[Any, Any]]:
            lane = Held(FEATURES)
            app = make_app(directory, lane)
            if owned:
                await own(app)
            app.web.init_server()
            client = TestClient(TestServer(app.web.web_app))  # type: ignore[attr-defined]  # of Faust's aiohttp driver
            await client.start_server()
            return app, lane, client

        app, lane, client = runner.run(start())

        async def get(path: str) -> tuple[int, Any]:
            answer = await client.get(path)
            return answer.status, json.loads(await answer.read())

        yield runner, lane, get
        runner.run(client.close())
        runner.run(close(app))


@pytest.mark.parametrize(
    ("path", "owned", "status", "body"),
    [
        ("/table/features/customer:8", True, 404, ("ROW_NOT_FOUND", "table features has no row 'customer:8'")),
        ("/table/features/customer:7", False, 404, ("LANE_NOT_ACTIVE", "no lane with table features is active in this worker")),
        ("/table/cases/1", True, 404, ("PATH_UNKNOWN", "there is no table 'cases'")),
        ("/table/features/customer:7", True, 200, {"count": 3}),
        ("/table/features/customer:7/", True, 200, {"count": 3}),
        ("/table/features/%7B7%7D", True, 200, {"count": 4}),
        ("/table/features/{7}/", True, 200, {"count": 4}),
        ("/table/", True, 200, [{"name": name, "help": f"{name} of lane held/0"} for name in TABLES]),
        ("/table/entities/", True, 200, {"name": "entities", "help": "entities of lane held/0"}),
        ("/healthz", True, 200, {}),
    ],
)
def test_a_page_says_what_is_here(tmp_path: Path, path: str, owned: bool, status: int, body: Any) -> None:
    with _answers(tmp_path, owned=owned) as (runner, _, get):
        found, told = runner.run(get(path))
        assert (found, (told["error"], told["detail"]) if status == 404 else told) == (status, body)


@pytest.mark.parametrize("path", ["/table/features/customer:7", "/table/features/customer:7/"])
def test_a_page_waits_for_the_lane_to_read(tmp_path: Path, path: str) -> None:
    with _answers(tmp_path, owned=True) as (runner, lane, get):

        async def scenario() -> tuple[int, Any]:
            lane.may_read.clear()
            asking = asyncio.create_task(get(path))
            async with asyncio.timeout(10):
                while not lane.asked:
                    await asyncio.sleep(0)
            assert not asking.done()
            lane.may_read.set()
            found: tuple[int, Any] = await asking
            return found

        assert runner.run(scenario()) == (200, {"count": 3})


def test_each_lane_has_an_app_and_a_group_of_its_own_and_faust_discovers_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path, Held({}), Held({}))
        assert [lane_app.conf.id for lane_app in app.lane_apps] == ["run.held.0", "run.held.1"]
        assert [list(lane_app.agents) for lane_app in app.lane_apps] == [["lane.held.0"], ["lane.held.1"]]
        assert list(app.agents) == []
        for one in (app, *app.lane_apps):
            assert one.tables.changelog_topics == set()
            assert getattr(one.conf, "autodiscover") is False  # Faust types it as a method
            assert [str(url) for url in one.conf.broker] == ["aiokafka://one:9092", "aiokafka://two:9093"]

    asyncio.run(scenario())


def test_the_workers_app_serves_people_and_a_lanes_app_consumes(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path, Held({}))
        (lane_app,) = app.lane_apps
        served = [*app.boot_strategy.server()]
        assert (app.web in served, app.tables in served, app._consumer, app._producer) == (True, False, None, None)
        consumed = [*lane_app.boot_strategy.server()]
        assert {lane_app.consumer, lane_app.topics, lane_app.tables, lane_app.agents} <= set(consumed)
        assert lane_app.producer not in consumed
        assert lane_app.monitor is app.monitor

    asyncio.run(scenario())


def test_a_crash_of_a_lane_is_the_crash_of_the_worker_and_of_every_other_lane(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path, Held({}), Held({}))
        app.crash_grace_s = 600.0
        reason = Stop(Reason.LANE_ENDED, "why")
        for lane_app in app.lane_apps:
            app.add_dependency(lane_app)
        await app.lane_apps[1].tables.crash(reason)
        assert [one.crash_reason for one in (app, *app.lane_apps)] == [reason] * 3

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        (Stop(Reason.LANE_ENDED, "why"), 70, "LANE_ENDED: why"),
        (Quarantine(Reason.DUPLICATE, "what"), 65, "DUPLICATE: what"),
        (ValueError(), 1, "ValueError: "),
        (KeyboardInterrupt(), 1, "KeyboardInterrupt: "),
    ],
)
def test_a_crashed_worker_never_ends_with_zero_and_never_without_a_word(reason: BaseException, code: int, words: str) -> None:
    assert (exit_code(reason), last_words(reason)) == (code, words)


def test_the_app_has_the_shells_settings(tmp_path: Path) -> None:
    """Faust's own would commit every three seconds, leave the group when idle, declare topics and wait for empty streams."""

    async def scenario() -> dict[str, Any]:
        app = make_app(tmp_path, Held({}))
        told = {name: getattr(app.lane_apps[0].conf, name) for name in wanted}
        return told | {"worker_redirect_stdouts": app.conf.worker_redirect_stdouts}

    wanted = {
        "broker_session_timeout": agents.SESSION_TIMEOUT_S,
        "broker_heartbeat_interval": agents.HEARTBEAT_S,
        "broker_max_poll_interval": agents.IDLE_MAX_S,
        "broker_commit_interval": Shell("group", "", tmp_path).commit_interval_s,
        "consumer_auto_offset_reset": "earliest",
        "consumer_max_fetch_size": agents.FETCH_BYTES_MAX,
        "stream_wait_empty": False,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "table_standby_replicas": 1,
        "worker_redirect_stdouts": False,
    }
    assert asyncio.run(scenario()) == wanted


def test_a_failed_worker_has_a_bounded_time_to_shut_down(tmp_path: Path) -> None:
    async def scenario() -> float:
        return make_app(tmp_path).crash_grace_s

    assert asyncio.run(scenario()) == Shell("group", "", tmp_path).crash_grace_s
