"""The Faust app of one worker: an agent per lane, wired by name from a value; nothing is discovered."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import faust
from faust.auth import Credentials
from faust.web.apps.tables import TableKeyDetail

from assay.agents.faust_shell.assignor import LaneAssignor
from assay.agents.faust_shell.lanes import DrivenLane, Lanes, ShellLane
from assay.agents.faust_shell.tables import LaneRouter, LaneTable, LaneTables
from assay.agents.faust_shell.transport import LaneConsumer, LaneMonitor, LaneTransport
from assay.agents.step import TopicPartition
from assay.contracts.errors import AssayError

#: the broker's minimum, so that a dead worker's lanes move on as soon as Kafka allows
SESSION_TIMEOUT_S = 6.0
HEARTBEAT_S = 1.0
#: of one partition; a lane that is behind gets batches worth its while, and the next fetch is under way meanwhile
FETCH_BYTES_MAX = 4 * 1024 * 1024
#: aiokafka would leave the group, and stay out, after this long without a fetch: a standby and a full lane fetch nothing
IDLE_MAX_S = 10 * 365 * 86_400.0
TABLES = ("features", "entities", "decisions")

#: path → gives (body, content type); `/metrics` and `/healthz` come in this way
Pages = Mapping[str, Callable[[], tuple[bytes, str]]]


class Shell(NamedTuple):
    """Where and as what a worker runs. `group` is the Kafka group all workers of one run share."""

    group: str
    bootstrap: str
    directory: Path
    web_port: int = 6066
    web_bind: str = "127.0.0.1"
    commit_interval_s: float = 0.5
    crash_grace_s: float = 15.0
    """A worker that failed and is still there after this long is ended without asking Faust again."""
    client: Mapping[str, Any] = MappingProxyType({})
    """Further aiokafka arguments: TLS and SASL."""


class LaneApp(faust.App):
    """A Faust app that hands fetched runs to lanes."""

    lanes: Lanes
    consumer: LaneConsumer
    crash_grace_s: float

    def _new_transport(self) -> LaneTransport:
        return LaneTransport(self.conf.broker_consumer, self)

    def lag(self) -> dict[TopicPartition, int]:
        """Records per owned partition that its lanes have not finished with, as far as the last fetch saw the end."""
        return self.consumer.lag()

    def _crash(self, reason: BaseException) -> None:
        """Whatever crashed, the process ends: with Faust's own shutdown if that works, without it if it hangs."""
        if not self._crashed.is_set():
            timer = threading.Timer(self.crash_grace_s, _end, (reason,))
            timer.daemon = True
            timer.start()
        super()._crash(reason)


class LaneWorker(faust.Worker):
    """Faust's worker with the exit codes of the `assay` command."""

    def execute_from_commandline(self) -> Any:
        try:
            super().execute_from_commandline()
        except SystemExit as end:
            reason = self.app.crash_reason or self.crash_reason
            if reason is None:
                raise
            _say(reason)
            raise SystemExit(exit_code(reason)) from end


def _end(reason: BaseException) -> None:
    _say(reason)
    os._exit(exit_code(reason))


def _say(reason: BaseException) -> None:
    print(f"assay worker: {last_words(reason)}", file=sys.stderr, flush=True)


def last_words(reason: BaseException) -> str:
    """What ended a worker; the kind of what is not ours, which may say nothing else."""
    return str(reason) if isinstance(reason, AssayError) else f"{type(reason).__name__}: {reason}"


def exit_code(reason: BaseException) -> int:
    """The code a worker ends with; never 0."""
    return reason.exit_code if isinstance(reason, AssayError) else 1


def build_app(shell: Shell, specs: Sequence[ShellLane], pages: Callable[[LaneApp], Pages]) -> LaneApp:
    """The app of a worker that can run these lanes. Nothing is started and nothing is read but the arguments."""
    app = LaneApp(
        shell.group,
        broker=";".join(f"aiokafka://{address}" for address in shell.bootstrap.split(",")),
        broker_credentials=_credentials(shell.client),
        datadir=str(shell.directory),
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        reply_create_topic=False,
        store="memory://",
        table_standby_replicas=1,  # with none Faust would put its own assignor in the place of ours
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_max_poll_interval=IDLE_MAX_S,
        broker_commit_interval=shell.commit_interval_s,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES_MAX,
        stream_wait_empty=False,
        web_port=shell.web_port,
        web_bind=shell.web_bind,
        web_host=shell.web_bind,
        worker_redirect_stdouts=False,
        PartitionAssignor=LaneAssignor,
        TableManager=LaneTables,
        Router=LaneRouter,
        Table=LaneTable,
        Worker=LaneWorker,
        monitor=LaneMonitor(),
    )
    app.lanes = Lanes(specs)
    app.crash_grace_s = shell.crash_grace_s
    _declare(app, specs)
    for path, render in pages(app).items():
        app.page(path, name=path.strip("/"))(_page(render))
    return app


def _declare(app: LaneApp, specs: Sequence[ShellLane]) -> None:
    """One agent per lane, and the tables people can read."""
    for spec in specs:
        topic = app.topic(*spec.topics, key_serializer="raw", value_serializer="raw", acks=False)
        app.agent(topic, name=f"lane.{spec.name}", concurrency=1)(_feeder(app, spec.name))
    for name in TABLES:
        app.Table(name, help=f"{name} of the lanes this worker owns")
    app.page("/table/{name}/{key}", name="table-row")(type("TableRow", (TableKeyDetail,), {}))


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


def _feeder(app: LaneApp, lane: str) -> Callable[[Any], Awaitable[None]]:
    async def feed(stream: Any) -> None:
        try:
            async for run in stream:
                app.lanes.feed(lane, run)
        except Exception as error:
            await app.crash(error)  # Faust's supervisor would start the agent again and lose the run
            raise

    return feed


def _page(render: Callable[[], tuple[bytes, str]]) -> Any:
    async def get(view: Any, request: Any) -> Any:
        body, content_type = render()
        return view.bytes(body, content_type=content_type)

    return get


__all__ = ["DrivenLane", "LaneApp", "Lanes", "Pages", "Shell", "ShellLane", "build_app", "exit_code"]
