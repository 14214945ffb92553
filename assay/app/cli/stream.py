"""`assay stream`: send what READY names through the gate, in order of time, from where the last process stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from assay.agents.components import WORLD_STREAMER
from assay.app.bus.users import BusUser
from assay.app.cli.plain_app import plain_app
from assay.app.cli.ready_run import ready_of, run_to_send
from assay.app.cli.send_options import InFlightOption, RetryBudgetOption, RunOption, SpeedupOption
from assay.app.governance import Governance
from assay.app.labels.delivery import FOLDER, undelivered_text
from assay.app.profiles.documents import speedup_under
from assay.app.run.directory import Run
from assay.app.screen import Screen, counted
from assay.app.settings import Settings, load_settings
from assay.app.stores.places import store_of
from assay.app.streamer.downstream import await_lanes, lanes_of, running_lanes
from assay.app.streamer.event_kinds import KINDS
from assay.app.streamer.facts import facts_of
from assay.app.streamer.gate_port import Gate
from assay.app.streamer.handling import Handling, Sent
from assay.app.streamer.keepers import Keepers
from assay.app.streamer.lanes import lane_of
from assay.app.streamer.outputs import OutputsStreamer, OutputStream, Plan
from assay.app.streamer.rate_plan import RateStep, read_plan
from assay.app.streamer.ready_ledger import ReadyLedger, ReadyState, message_id_of
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.run_outputs import outputs_of
from assay.app.streamer.sending import Sending, send
from assay.app.streamer.world_streamer import StreamOptions
from assay.app.telemetry import Telemetry
from assay.contracts.errors import Stop
from assay.contracts.exit_codes import INTERRUPTED
from assay.contracts.reasons import Reason

app = plain_app()
#: seconds that the store has at the end for facts about the run
TOLD_WITHIN_S = 5.0


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1_000


def main(arguments: list[str]) -> int:
    """Run `assay stream`."""
    return app(arguments, standalone_mode=False, prog_name="assay stream") or 0


@app.command()
def stream(
    run: RunOption,
    *,
    speedup: SpeedupOption = None,
    batch: Annotated[int, typer.Option(min=1, max=5_000, help="events per call to the gate")] = 2_000,
    in_flight: InFlightOption = 2,
    eps: Annotated[float, typer.Option(min=0, help="events a second of the run at most, 0 for no limit")] = 0.0,
    rate_plan: Annotated[Path | None, typer.Option(help="a JSON file of rates that change with time; see docs/commands.md")] = None,
    lanes: Annotated[int, typer.Option(min=1, max=64, help="processes that share the run's events")] = 1,
    lane: Annotated[int, typer.Option(min=0, help="which of these lanes this process is, from 0")] = 0,
    sequential: Annotated[bool, typer.Option("--sequential", help="one output after another, context first")] = False,
    let_gate_refuse: Annotated[bool, typer.Option("--let-gate-refuse", help="go on when the gate sets an event aside")] = False,
    require_pack: Annotated[list[str] | None, typer.Option(help="wait until a worker runs the lanes of this pack; repeat it")] = None,
    ready_timeout: Annotated[float, typer.Option(min=0, help="seconds to wait for READY, and for these lanes")] = 60.0,
    retry_budget: RetryBudgetOption = 120.0,
) -> None:
    """Stream the outputs that READY names: traffic, and the context ahead of it. SIGINT finishes calls; the same command resumes.

    `assay labels deliver` delivers the labels, beside it.
    """
    settings = load_settings()
    options = StreamOptions(batch, in_flight, speedup=speedup_under(settings.profile, speedup), let_gate_refuse=let_gate_refuse)
    plan = Plan(options, _rate(eps, rate_plan, lanes), lane_of(lane, lanes), sequential)
    wanted, policy = lanes_of(require_pack or ()), RetryPolicy(budget_s=retry_budget)
    wired = run_to_send(run)
    handling = _handling(wired, plan, settings)
    try:
        ready = ready_of(wired, WORLD_STREAMER, BusUser.STREAMER, ready_timeout, handling.pass_over)
        state = handling.handle(
            ready,
            lambda: await_lanes(wanted, lambda: running_lanes(wired.worker_url), wired.worker_url, ready_timeout),
            lambda: _streamed(wired, ready, plan, policy),
        )
    finally:
        _told(handling.close(TOLD_WITHIN_S))
    if state is None:
        raise typer.Exit(INTERRUPTED)
    if state is ReadyState.SKIPPED_DUPLICATE:
        _say(f"READY {message_id_of(ready)} was streamed before; nothing is sent")


def _handling(run: Run, plan: Plan, settings: Settings) -> Handling:
    governance = Governance(run.store, run.config, WORLD_STREAMER.name, settings.profile, now_us)
    return Handling(ReadyLedger(run.store, plan.lane, now_us), governance, Telemetry((), KINDS))


def _streamed(run: Run, ready: dict[str, Any], plan: Plan, policy: RetryPolicy) -> Sent:
    """Send what READY names, and say which labels are still to come."""
    facts = facts_of(run.store, ready, run.config.pins)
    with closing(Keepers(run, facts.pack_id, load_settings())) as keepers:
        streams = outputs_of(run.config, facts, run.store, store_of, plan.lane)
        streamed = asyncio.run(send(run, _sending(streams, keepers, plan), policy, Screen()))
    if streamed.complete:
        with closing(Keepers(run, facts.pack_id, load_settings(), FOLDER)) as delivered:
            _say(undelivered_text(run, delivered))
    return Sent(streamed, {stream.name: stream.sequence.total for stream in streams})


def _told(unwritten: int) -> None:
    if unwritten:
        _say(f"{counted(unwritten, 'fact')} for governance/events.jsonl could not be written; the same command writes them")


def _say(text: str) -> None:
    if text:
        Screen().print(text, highlight=False, soft_wrap=True)


def _sending(streams: list[OutputStream], keepers: Keepers, plan: Plan) -> Sending:
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
