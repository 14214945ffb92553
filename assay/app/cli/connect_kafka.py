"""`assay connect kafka`: feed a topic through the gate of a run, from where the last process stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from assay.app.bus.foreign_topic import ForeignTopic
from assay.app.bus.properties import read_bus_properties
from assay.app.cli.ready_run import run_to_send
from assay.app.cli.send_options import (
    LogLevelOption,
    MetricsPortOption,
    ProgressOption,
    RetryBudgetOption,
    RunOption,
    now_us,
    telemetry_for,
)
from assay.app.connect.aside import SetAside
from assay.app.connect.avro_values import read_schemas
from assay.app.connect.partition_feed import FILTERED, REFUSED, TOMBSTONE, FeedOptions, Route
from assay.app.connect.positions import FOLDER, Begun, Positions, begun
from assay.app.connect.topic_feed import FeedPlan, TopicFeed, starting
from assay.app.connect.topic_mapping import Payments, TopicMapping, refuse_ids_told, topic_mapping
from assay.app.connect.values import json_record
from assay.app.gate.policy import shipped_admission_policy
from assay.app.progress import PLAIN_EVERY_S
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.stores.file_lock import held
from assay.app.streamer.gate_client import GateClient
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.sending import Sending, Terms, send
from assay.app.streamer.watch import Watch, Watching
from assay.app.streamer.world_streamer import Streamed
from assay.contracts.errors import Stop
from assay.contracts.exit_codes import INTERRUPTED
from assay.contracts.reasons import Reason


class At(StrEnum):
    """Where a run begins in a topic."""

    EARLIEST = "earliest"
    LATEST = "latest"


def kafka(
    run: RunOption,
    *,
    bootstrap: Annotated[str, typer.Option(help="address of your Kafka, as HOST:PORT,HOST:PORT")],
    topic: Annotated[str, typer.Option(help="name of the topic")],
    mapping: Annotated[str, typer.Option(help="a YAML file: what the fields mean; as for a file, or for labels")],
    schema: Annotated[list[str] | None, typer.Option(help="Avro schema FILE; ID=FILE for values of a registry, repeat it")] = None,
    at: Annotated[At, typer.Option("--from", help="where the run begins in the topic, the first time")] = At.EARLIEST,
    bus_properties: Annotated[Path | None, typer.Option(help="client properties of your Kafka (TLS, SASL)")] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="end where the topic ends now")] = False,
    batch: Annotated[int, typer.Option(min=1, max=5_000, help="records per call to the gate")] = 1_000,
    refused_max: Annotated[int, typer.Option(min=0, help="records refused one after the other that end it, 0: none")] = 100,
    retry_budget: RetryBudgetOption = 120.0,
    metrics_port: MetricsPortOption = None,
    progress_every: ProgressOption = PLAIN_EVERY_S,
    log_level: LogLevelOption = "",
) -> None:
    """Feed a topic of your own Kafka. SIGINT and SIGTERM finish what was taken; the same command goes on, after a kill, too.

    Example: assay connect kafka --run runs/live --bootstrap kafka:9092 --topic payments --mapping mine.yaml
    """
    telemetry, wired = telemetry_for(log_level, "assay.connect"), run_to_send(run)
    _refuse_unfit(wired)
    source = ForeignTopic(bootstrap, topic, read_bus_properties(bus_properties))
    reading = _reading(wired, topic, mapping, schema or ())
    watch = Watching(telemetry, wired.config.scenario_run_id, now_us)
    terms = Terms(RetryPolicy(budget_s=retry_budget), watch, progress_every, metrics_port=metrics_port)
    with ExitStack() as stack:
        stack.callback(telemetry.close, 1.0)
        stack.enter_context(held(wired.directory / FOLDER / topic, f"assay connect kafka --topic {topic}"))
        plan = FeedPlan(source.look(), until_end, away_s=retry_budget)
        keepers = stack.enter_context(closing(Keepers(wired, f"{FOLDER}|{topic}", load_settings(), FOLDER)))
        first = Begun(plan.first.topic_id, starting(plan.first.bounds, at))
        positions = Positions(keepers, topic, begun(wired.store, wired.config.scenario_run_id, topic, first))
        connecting = Connecting(wired, source, plan, reading, positions, FeedOptions(batch, refused_max), watch)
        fed = asyncio.run(send(wired, Sending("read", 0, 0, connecting.feed), terms, Screen()))
    _tell(fed, wired)
    if not fed.complete:
        raise typer.Exit(INTERRUPTED)


class Reading(NamedTuple):
    """How the values of a topic are read."""

    mapping: TopicMapping
    record: Callable[[bytes], dict[str, Any]]


class Connecting(NamedTuple):
    """A topic and the run that it is fed to."""

    run: Run
    source: ForeignTopic
    plan: FeedPlan
    reading: Reading
    positions: Positions
    options: FeedOptions
    watch: Watch

    def feed(self, gate: GateClient, stop: asyncio.Event, show: Callable[..., None]) -> TopicFeed:
        """What is run beside a gate that answers."""
        topic, store, run_id = self.source.name, self.run.store, self.run.config.scenario_run_id

        def route(moved: Callable[[], None]) -> Route:
            way = (topic, *self.reading, gate, self.positions, self.options, self.watch)
            return Route(*way, now_us, time.monotonic, stop.is_set, moved)

        def aside(partition: int, offset: int) -> SetAside:
            return SetAside(store, run_id, topic, partition, offset, with_values=not self.run.config.pseudonymise)

        return TopicFeed(self.source, self.plan, route, aside, stop, show)


def _reading(run: Run, topic: str, mapping: str, schema: Sequence[str]) -> Reading:
    """Raises as `read_schemas`, `topic_mapping` and `refuse_ids_told`."""
    schemas = read_schemas(schema) if schema else None
    future_us, fields = shipped_admission_policy().future_tolerance_us, schemas.columns() if schemas else None
    read = topic_mapping(mapping, topic, run.config.pins, run.config.run_id, future_us, fields)
    refuse_ids_told(read, run.config.pseudonymise, mapping)
    if isinstance(read, Payments) and read.mapping.truth is not None:
        Screen().print("the mapping's truth is not read: labels come from a topic of their own, with a mapping of labels", highlight=False)
    return Reading(read, schemas.record if schemas else json_record)


def _refuse_unfit(run: Run) -> None:
    """Raises Stop(DELIVERY_MODE_MISMATCH) for a run whose lanes wait for marks, Stop(TRAFFIC_MODES_MIXED) for one of a world's rows."""
    if run.config.traffic:
        what, remedy = "this run streams the rows of a generated world, and admits no payments", "Begin a run of payments: `assay up`."
        raise Stop(Reason.TRAFFIC_MODES_MIXED, what, where=str(run.directory), remedy=remedy)
    if run.config.ordering != "arrival":
        what = f"the run has the ordering {run.config.ordering}: its lanes wait for marks, and a topic does not say when a time is complete"
        remedy = "Feed a run of ordering arrival, as `assay up` begins it. For a history, import it as a file."
        raise Stop(Reason.DELIVERY_MODE_MISMATCH, what, where=str(run.directory), remedy=remedy)


def _tell(fed: Streamed, run: Run) -> None:
    told = f"set aside {fed.counts[REFUSED]:,}, left out by 'filter' {fed.counts[FILTERED]:,}, tombstones {fed.counts[TOMBSTONE]:,}"
    shown = f"; `assay connect refused --run {run.directory}` shows them" if fed.counts[REFUSED] else ""
    Screen().print(told + shown, highlight=False, soft_wrap=True, markup=False)
