"""Options that the commands share that send rows of a run through its gate."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from assay.app.streamer.event_kinds import KINDS
from assay.app.telemetry import Severity, Telemetry, log_to

RunOption: TypeAlias = Annotated[Path, typer.Option(help="directory of the run")]
SpeedupOption: TypeAlias = Annotated[
    float | None, typer.Option(min=0, help="event time per wall time; 0 is as fast as the gate takes it; else the profile's, else 0")
]
InFlightOption: TypeAlias = Annotated[int, typer.Option(min=1, max=16, help="calls of an output on their way at a time")]
RetryBudgetOption: TypeAlias = Annotated[float, typer.Option(min=0, help="seconds a call to the gate is repeated")]
MetricsPortOption: TypeAlias = Annotated[
    int | None, typer.Option(min=0, max=65_535, help="port of /metrics on this machine; 0 takes a free one; without it, no page")
]
ProgressOption: TypeAlias = Annotated[float, typer.Option(min=0.1, help="seconds between lines of progress where there is no terminal")]
LogLevelOption: TypeAlias = Annotated[str, typer.Option(help="log what happens to standard error: debug, info, warn or error")]
ReadyTimeoutOption: TypeAlias = Annotated[float, typer.Option(min=0, help="seconds to wait for READY, and for --require-pack")]


def now_us() -> int:
    """UTC microseconds."""
    return time.time_ns() // 1_000


def telemetry_for(log_level: str, name: str) -> Telemetry:
    """What operators see of a command: lines of the log, or nothing without a level. Raises BadParameter for another level."""
    if not log_level:
        return Telemetry((), KINDS)
    if log_level.upper() not in Severity.__members__:
        raise typer.BadParameter(f"--log-level is one of {', '.join(Severity.__members__).lower()}")
    logging.basicConfig(level=Severity[log_level.upper()], format="%(asctime)s %(name)s %(message)s")
    return Telemetry([log_to(name)], KINDS)
