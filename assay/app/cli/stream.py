"""`assay stream`: send what READY names through the gate, in order of time, from where the last process stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from assay.app.cli.plain_app import plain_app
from assay.app.cli.ready_run import run_to_send
from assay.app.cli.send_options import (
    InFlightOption,
    LogLevelOption,
    MetricsPortOption,
    ProgressOption,
    ReadyTimeoutOption,
    RetryBudgetOption,
    RunOption,
    SpeedupOption,
    now_us,
    telemetry_for,
)
from assay.app.cli.stream_process import StreamProcess, say_beside
from assay.app.profiles.documents import speedup_under
from assay.app.progress import PLAIN_EVERY_S
from assay.app.settings import load_settings
from assay.app.streamer.downstream import lanes_of
from assay.app.streamer.lanes import Lane, lane_of
from assay.app.streamer.outputs import Plan
from assay.app.streamer.rate_plan import RateStep, read_plan
from assay.app.streamer.retry import RetryPolicy
from assay.app.streamer.sending import Terms
from assay.app.streamer.watch import Watching
from assay.app.streamer.world_streamer import StreamOptions
from assay.contracts import instants
from assay.contracts.errors import Quarantine, Stop
from assay.contracts.reasons import Reason

app = plain_app()


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
    start_at: Annotated[str, typer.Option(help="instant before which nothing is sent; a rate plan counts from it")] = "",
    max_events: Annotated[int, typer.Option(min=0, help="events of each output that this process sends at most, 0 for all")] = 0,
    lanes: Annotated[int, typer.Option(min=1, max=64, help="processes that share the run's events")] = 1,
    lane: Annotated[int, typer.Option(min=0, help="which of these lanes this process is, from 0")] = 0,
    sequential: Annotated[bool, typer.Option("--sequential", help="one output after another, context first")] = False,
    let_gate_refuse: Annotated[bool, typer.Option("--let-gate-refuse", help="go on when the gate sets an event aside")] = False,
    require_pack: Annotated[list[str] | None, typer.Option(help="wait until a worker runs the lanes of this pack; repeat it")] = None,
    ready_timeout: ReadyTimeoutOption = 60.0,
    retry_budget: RetryBudgetOption = 120.0,
    metrics_port: MetricsPortOption = None,
    progress_every: ProgressOption = PLAIN_EVERY_S,
    log_level: LogLevelOption = "",
) -> None:
    """Stream the outputs that READY names: traffic, and the context ahead of it. SIGINT finishes calls; the same command resumes.

    `assay labels deliver` delivers the labels, beside it.
    """
    settings, in_lane = load_settings(), _bounded_lane(lane_of(lane, lanes), max_events)
    pace = speedup_under(settings.profile, speedup)
    options = StreamOptions(batch, in_flight, speedup=pace, max_events=max_events, let_gate_refuse=let_gate_refuse)
    rate, start_us, wanted = _rate(eps, rate_plan, lanes), _instant(start_at), lanes_of(require_pack or ())
    telemetry, wired = telemetry_for(log_level, "assay.stream"), run_to_send(run)
    commands = f"assay stream --run {run} --lanes {lanes} --lane {{}}".format
    watch = Watching(telemetry, wired.config.scenario_run_id, now_us, commands, say_beside)
    plan = Plan(options, rate, in_lane, sequential, start_us, watch)
    terms = Terms(RetryPolicy(budget_s=retry_budget), watch, progress_every, start_us, metrics_port)
    StreamProcess(wired, settings, plan, terms, telemetry, wanted).stream(ready_timeout)


def _bounded_lane(lane: Lane, max_events: int) -> Lane:
    """A lane whose traffic waits for the context of others does not know where they stop."""
    if max_events and lane.lanes > 1:
        raise typer.BadParameter("--max-events is for a stream without --lanes")
    return lane


def _instant(text: str) -> int:
    """UTC microseconds of an instant, 0 for none."""
    try:
        return instants.read(text) if text else 0
    except Quarantine as refusal:
        raise typer.BadParameter(f"--start-at: {refusal.what}. {refusal.remedy}") from None


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
