"""`assay labels deliver`: post the labels of a run's world when they are known, from where the last process stopped."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Annotated

import typer

from assay.agents.components import LABEL_DELIVERY
from assay.app.bus.users import BusUser
from assay.app.cli.ready_run import ready_of, run_to_send
from assay.app.cli.send_options import (
    InFlightOption,
    LogLevelOption,
    MetricsPortOption,
    ProgressOption,
    RetryBudgetOption,
    RunOption,
    SpeedupOption,
    now_us,
    telemetry_for,
)
from assay.app.labels.bank_labels import labels_of_bank
from assay.app.labels.delivery import FOLDER, delivery_of
from assay.app.labels.known_labels import KnownLabels
from assay.app.labels.world_labels import labels_of_world
from assay.app.oracle.sealed_world import open_world
from assay.app.pack.sealed_pack import open_pack
from assay.app.profiles.documents import speedup_under
from assay.app.progress import PLAIN_EVERY_S
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.stores.places import store_of
from assay.app.streamer.facts import RunFacts, facts_of
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.sending import Terms, send
from assay.app.streamer.watch import Watching
from assay.app.streamer.world_streamer import StreamOptions
from assay.contracts.exit_codes import INTERRUPTED


def deliver(
    run: RunOption,
    speedup: SpeedupOption = None,
    batch: Annotated[int, typer.Option(min=1, max=5_000, help="labels per call to the gate")] = 2_000,
    in_flight: InFlightOption = 2,
    ready_timeout: Annotated[float, typer.Option(min=0, help="seconds to wait for READY")] = 60.0,
    retry_budget: RetryBudgetOption = 120.0,
    metrics_port: MetricsPortOption = None,
    progress_every: ProgressOption = PLAIN_EVERY_S,
    log_level: LogLevelOption = "",
) -> None:
    """Deliver the labels of the run's world. SIGINT finishes the calls on their way; the same command resumes.

    It runs beside `assay stream`, which sends the payments. Example: assay labels deliver --run runs/bank
    """
    telemetry, wired = telemetry_for(log_level, "assay.labels"), run_to_send(run)
    watch = Watching(telemetry, wired.config.scenario_run_id, now_us)
    ready = ready_of(wired, LABEL_DELIVERY, BusUser.LABELS, ready_timeout)
    facts, console = facts_of(wired.store, ready, wired.config.pins), Screen()
    known = _labels(wired, facts)
    if known.frame.is_empty():
        console.print("the world of this run has no labels; the final mark says so to the lanes", highlight=False, soft_wrap=True)
    options = StreamOptions(batch_rows=batch, in_flight=in_flight, speedup=speedup_under(load_settings().profile, speedup))
    with closing(Keepers(wired, facts.pack_id, load_settings(), FOLDER)) as keepers:
        sending = delivery_of(wired, known, keepers, options, watch)
        terms = Terms(RetryPolicy(budget_s=retry_budget), watch, progress_every, metrics_port=metrics_port)
        try:
            delivered = asyncio.run(send(wired, sending, terms, console))
        finally:
            telemetry.close(1.0)
    if not delivered.complete:
        raise typer.Exit(INTERRUPTED)


def _labels(run: Run, facts: RunFacts) -> KnownLabels:
    """Those of the bank that READY names, else of the imported world."""
    if facts.pack_root:
        return labels_of_bank(open_pack(store_of(facts.pack_root)), facts)
    return labels_of_world(open_world(run.store, run.config.manifest_fingerprint), run.config.label_delay_us)
