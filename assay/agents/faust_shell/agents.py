"""The Faust apps of one worker: one app and one agent per lane, wired by name from a value; nothing is discovered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import faust
from faust.auth import Credentials

from assay.agents.faust_shell.apps import LaneApp, LaneWorker, WorkerApp, exit_code, last_words
from assay.agents.faust_shell.assignor import LaneAssignor
from assay.agents.faust_shell.lanes import LaneMember, ShellLane
from assay.agents.faust_shell.tables import LaneRecovery, LaneTable, NamedTables
from assay.agents.faust_shell.transport import LaneMonitor
from assay.agents.faust_shell.web import Pages, add_pages
from assay.agents.faust_shell.web_guard import guard

#: the broker's minimum, so that a dead worker's lanes move on as soon as Kafka allows
SESSION_TIMEOUT_S = 6.0
HEARTBEAT_S = 1.0
#: of one partition; a lane that is behind gets batches worth its while, and the next fetch is under way meanwhile
FETCH_BYTES_MAX = 4 * 1024 * 1024
#: aiokafka would leave the group, and stay out, after this long without a fetch: a standby and a full lane fetch nothing
IDLE_MAX_S = 10 * 365 * 86_400.0


class Shell(NamedTuple):
    """Where and as what a worker runs. `name` is what Faust calls the app; no group of Kafka has it."""

    name: str
    bootstrap: str
    directory: Path
    web_port: int = 6066
    web_bind: str = "127.0.0.1"
    commit_interval_s: float = 0.5
    fetch_wait_ms: int = 8
    """A fetch waits so long for more while records come: the longer, the less CPU time, and the later the decisions."""
    crash_grace_s: float = 15.0
    """A worker that failed and is still there after this long is ended without asking Faust again."""
    client: Mapping[str, Any] = MappingProxyType({})
    """Further aiokafka arguments: TLS and SASL."""
    accepts_key: Callable[[bytes], bool] = lambda _: False
    """Whether a key opens the web view where it asks for one."""


def build_app(shell: Shell, specs: Sequence[ShellLane], pages: Callable[[WorkerApp], Pages]) -> WorkerApp:
    """The app of a worker that can run these lanes. Nothing is started and nothing is read but the arguments."""
    app: WorkerApp = WorkerApp(
        shell.name,
        **_common(shell),
        web_port=shell.web_port,
        web_bind=shell.web_bind,
        web_host=shell.web_bind,
        web_application_options={"middlewares": [guard(lambda: str(app.conf.web_bind), shell.accepts_key)]},
        web_tables_enabled=False,
        web_router_enabled=False,
        worker_redirect_stdouts=False,
        TableManager=NamedTables,
        Table=LaneTable,
        Worker=LaneWorker,
        monitor=LaneMonitor(),
    )
    app.crash_grace_s = shell.crash_grace_s
    app.lane_apps = [_lane_app(shell, spec, app.monitor) for spec in specs]
    owners: dict[str, list[LaneMember]] = {}
    for lane_app in app.lane_apps:
        for name in lane_app.member.spec.tables:
            owners.setdefault(name, []).append(lane_app.member)
    for name, members in owners.items():
        app.Table(name, owners=members, help=f"{name} of lane {', '.join(str(member.spec.id) for member in members)}")
    add_pages(app, pages(app))
    return app


def _lane_app(shell: Shell, spec: ShellLane, monitor: faust.Monitor) -> LaneApp:
    """The app of one lane: its id is the name of the lane's consumer group, and its only agent feeds the lane."""
    app = LaneApp(
        spec.group,
        **_common(shell),
        topic_allow_declare=False,
        topic_disable_leader=True,
        reply_create_topic=False,
        table_standby_replicas=1,  # with none Faust would put its own assignor in the place of ours
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_max_poll_interval=IDLE_MAX_S,
        broker_commit_interval=shell.commit_interval_s,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        stream_wait_empty=False,
        PartitionAssignor=LaneAssignor,
        TableManager=LaneRecovery,
        monitor=monitor,
    )
    app.member, app.fetch_wait_ms = LaneMember(spec), shell.fetch_wait_ms
    topic = app.topic(*spec.topics, key_serializer="raw", value_serializer="raw", acks=False)
    app.agent(topic, name=f"lane.{spec.id.lane}.{spec.id.shard}", concurrency=1)(_feeder(app))
    return app


def _common(shell: Shell) -> dict[str, Any]:
    """Settings of every app of the worker."""
    return {
        "broker": ";".join(f"aiokafka://{address}" for address in shell.bootstrap.split(",")),
        "broker_credentials": _credentials(shell.client),
        "datadir": str(shell.directory),
        "autodiscover": False,
        "store": "memory://",
    }


def _credentials(client: Mapping[str, Any]) -> Credentials | None:
    """Faust's form of aiokafka's security arguments; None for a plain listener."""
    context = client.get("ssl_context")
    if "sasl_mechanism" in client:
        return faust.SASLCredentials(
            username=client.get("sasl_plain_username"),
            password=client.get("sasl_plain_password"),
            mechanism=client["sasl_mechanism"],
            ssl_context=context,
        )
    return None if context is None else faust.SSLCredentials(context)


def _feeder(app: LaneApp) -> Callable[[Any], Awaitable[None]]:
    async def feed(stream: Any) -> None:
        try:
            async for run in stream:
                app.member.feed(run)
        except Exception as error:
            await app.crash(error)  # Faust's supervisor would start the agent again and lose the run
            raise

    return feed


__all__ = ["LaneApp", "Pages", "Shell", "ShellLane", "WorkerApp", "build_app", "exit_code", "last_words"]
