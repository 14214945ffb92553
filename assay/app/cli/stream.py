"""`assay stream`: send what READY names through the gate, in order of time, from where the last process stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.users import BusUser
from assay.app.cli.plain_app import plain_app
from assay.app.cli.ready_run import ready_run
from assay.app.labels.delivery import FOLDER, undelivered_text
from assay.app.profiles.documents import speedup_under
from assay.app.run.directory import Run
from assay.app.screen import Screen
from assay.app.settings import load_settings
from assay.app.stores.places import store_of
from assay.app.streamer.facts import RunFacts, facts_of
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.lanes import lane_of
from assay.app.streamer.outputs import OutputsStreamer, Plan
from assay.app.streamer.rate_plan import RateStep, read_plan
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.sending import Sending, send
from assay.app.streamer.world_streamer import StreamOptions
from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason

app = plain_app()


def main(arguments: list[str]) -> int:
    """Run `assay stream`."""
    return app(arguments, standalone_mode=False, prog_name="assay stream") or 0


@app.command()
def stream(
    run: Annotated[Path, typer.Option(help="directory of the run")],
    *,
    speedup: Annotated[
        float | None, typer.Option(min=0, help="event time per wall time; 0 is as fast as the gate takes it; else the profile's, else 0")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=5_000, help="events per call to the gate")] = 2_000,
    in_flight: Annotated[int, typer.Option(min=1, max=16, help="calls of an output on their way at a time")] = 2,
    eps: Annotated[float, typer.Option(min=0, help="events a second of the run at most, 0 for no limit")] = 0.0,
    rate_plan: Annotated[Path | None, typer.Option(help="a JSON file of rates that change with time; see docs/commands.md")] = None,
    lanes: Annotated[int, typer.Option(min=1, max=64, help="processes that share the run's events")] = 1,
    lane: Annotated[int, typer.Option(min=0, help="which of these lanes this process is, from 0")] = 0,
    sequential: Annotated[bool, typer.Option("--sequential", help="one output after another, context first")] = False,
    let_gate_refuse: Annotated[bool, typer.Option("--let-gate-refuse", help="go on when the gate sets an event aside")] = False,
    ready_timeout: Annotated[float, typer.Option(min=0, help="seconds to wait for READY")] = 60.0,
    retry_budget: Annotated[float, typer.Option(min=0, help="seconds a call to the gate is repeated")] = 120.0,
) -> None:
    """Stream the outputs that READY names: traffic, and the context ahead of it. SIGINT finishes calls; the same command resumes.

    `assay labels deliver` delivers the labels, beside it.
    """
    options = StreamOptions(batch, in_flight, speedup=speedup_under(load_settings().profile, speedup), let_gate_refuse=let_gate_refuse)
    plan = Plan(options, _rate(eps, rate_plan, lanes), lane_of(lane, lanes), sequential)
    wired, ready = ready_run(run, WORLD_STREAMER, BusUser.STREAMER, ready_timeout)
    facts = facts_of(wired.store, ready, wired.config.pins)
    with closing(Keepers(wired, facts.pack_id, load_settings())) as keepers:
        streamed = asyncio.run(send(wired, _sending(wired, facts, keepers, plan), RetryPolicy(budget_s=retry_budget), Screen()))
    if not streamed.complete:
        raise typer.Exit(130)
    with closing(Keepers(wired, facts.pack_id, load_settings(), FOLDER)) as delivered:
        told = undelivered_text(wired, delivered)
    if told:
        Screen().print(told, highlight=False, soft_wrap=True)


def _sending(run: Run, facts: RunFacts, keepers: Keepers, plan: Plan) -> Sending:
    streams = outputs_of(run.config, facts, run.store, store_of, plan.lane)
    keepers.begin(plan.lane.lanes)

    def sender(gate: Gate, stop: asyncio.Event, show: Callable[[int], None]) -> OutputsStreamer:
        return OutputsStreamer(streams, gate, keepers.of, plan, stop, show)

    total = sum(stream.sequence.total for stream in streams)
    position = sum(keepers.of(stream.name, plan.lane).load(stream.sequence.total).position for stream in streams)
    return Sending("streamed", total, position, sender)


def _rate(eps: float, plan: Path | None, lanes: int) -> tuple[RateStep, ...]:
    """Raises Stop(RATE_PLAN_INVALID), and FILE_MISSING for a plan that is not there."""
    if plan is None:
        return (RateStep(target_eps=eps / lanes),) if eps else ()
    if eps:
        raise typer.BadParameter("give --eps or --rate-plan")
    try:
        text = plan.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = f"the rate plan cannot be read: {error}"
        raise Stop(Reason.RATE_PLAN_INVALID, what, where=str(plan), remedy="Name a JSON file.") from None
    return read_plan(text, lanes)
