"""Tables of the app are the lane's state: read by text key, written by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from assay.agents.faust_shell import agents
from assay.agents.faust_shell.agents import LaneApp, Shell, ShellLane, build_app, exit_code, last_words
from assay.agents.faust_shell.tables import LaneTable
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason


class Held:
    """A lane whose only table holds one row."""

    def __init__(self) -> None:
        self.machine = self
        self.next_offset = 0

    def table(self, name: str) -> Held | None:
        return self if name == "features" else None

    def row(self, key: str) -> dict[str, Any] | None:
        return {"count": 3} if key == "customer:7" else None

    async def follow(self) -> None:
        """Nothing to keep warm."""

    async def recover(self, still_given: Callable[[], bool]) -> bool:
        """Nothing to fold."""
        return True

    def feed(self, chunk: object) -> None:
        """Takes nothing."""

    def wants(self, place: object) -> bool:
        return True

    def position(self) -> dict[tuple[str, int], int]:
        return {}

    def committable(self) -> dict[tuple[str, int], int]:
        return {}

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing to let go of."""


def make_app(directory: Path) -> LaneApp:
    shell = Shell("group", "one:9092,two:9093", directory)
    return build_app(shell, [ShellLane("held", {"in": "IN"}, Held())], lambda app: {"/healthz": lambda: (b"{}", "application/json")})


def table_of(app: LaneApp, name: str) -> LaneTable:
    """A table of the app under its own type."""
    return cast("LaneTable", app.tables[name])


def test_rows_are_there_once_the_lane_is_owned(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path)
        features = table_of(app, "features")
        assert "customer:7" not in features
        await app.lanes.own(["held"])
        assert features["customer:7"] == {"count": 3}
        assert "customer:7" in features
        for table, key in (("features", "customer:8"), ("entities", "customer:7"), ("decisions", "x")):
            with pytest.raises(KeyError):
                table_of(app, table)[key]
        assert (len(features), list(features)) == (0, [])
        await app.lanes.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("write", ["set", "delete"])
def test_writing_a_table_is_refused(tmp_path: Path, write: str) -> None:
    async def scenario() -> None:
        features = table_of(make_app(tmp_path), "features")
        if write == "set":
            features["customer:7"] = {"count": 4}
        else:
            del features["customer:7"]

    with pytest.raises(Stop) as stopped:
        asyncio.run(scenario())
    assert stopped.value.reason is Reason.TABLE_READ_ONLY


def test_faust_knows_no_changelog_and_discovers_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        app = make_app(tmp_path)
        assert app.tables.changelog_topics == set()
        assert getattr(app.conf, "autodiscover") is False  # Faust types it as a method
        assert list(app.agents) == ["lane.held"]
        assert [str(url) for url in app.conf.broker] == ["aiokafka://one:9092", "aiokafka://two:9093"]

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
        conf = make_app(tmp_path).conf
        return {name: getattr(conf, name) for name in wanted}

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
