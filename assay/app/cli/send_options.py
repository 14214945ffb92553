"""Options that the commands share that send rows of a run through its gate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

RunOption: TypeAlias = Annotated[Path, typer.Option(help="directory of the run")]
SpeedupOption: TypeAlias = Annotated[
    float | None, typer.Option(min=0, help="event time per wall time; 0 is as fast as the gate takes it; else the profile's, else 0")
]
InFlightOption: TypeAlias = Annotated[int, typer.Option(min=1, max=16, help="calls of an output on their way at a time")]
RetryBudgetOption: TypeAlias = Annotated[float, typer.Option(min=0, help="seconds a call to the gate is repeated")]
