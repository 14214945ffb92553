"""How many events a second a streamer sends: a token bucket whose rate follows a plan. Pure; wall time is an argument."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from assay.contracts.errors import Stop
from assay.contracts.reasons import Reason


class RateStep(BaseModel):
    """From `start_offset_seconds` on: `target_eps` events a second, 0 for no limit.

    A pause is made good up to `burst_seconds` of events. A step begins with `initial_tokens` events that may go at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)
    start_offset_seconds: float = Field(ge=0, default=0.0)
    target_eps: float = Field(ge=0)
    burst_seconds: float = Field(gt=0, default=0.25)
    initial_tokens: float = Field(ge=0, default=0.25)


def read_plan(text: str, lanes: int = 1) -> tuple[RateStep, ...]:
    """A plan as JSON: a list of steps in the order of their starts, the first at 0. The rate is that of the run: a lane has its share.

    Raises Stop(RATE_PLAN_INVALID).
    """
    try:
        steps = TypeAdapter(tuple[RateStep, ...]).validate_python(tuple(json.loads(text)))
        starts = [step.start_offset_seconds for step in steps]
        if not steps or starts[0] != 0 or starts != sorted(set(starts)):
            raise ValueError("the steps start at 0, and each starts later than the one before")
    except (ValueError, TypeError, RecursionError) as error:
        fault = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        remedy = 'Give a list such as [{"target_eps": 1000}, {"start_offset_seconds": 60, "target_eps": 3000}].'
        raise Stop(Reason.RATE_PLAN_INVALID, f"the rate plan cannot be taken: {fault}", where="rate plan", remedy=remedy) from None
    return tuple(step.model_copy(update={"target_eps": step.target_eps / lanes}) for step in steps)


class Rate:
    """The bucket of one process. The plan starts at `began_us`; without steps there is no limit."""

    def __init__(self, steps: Sequence[RateStep], began_us: int) -> None:
        self._steps, self._began_us = steps, began_us
        self._at_us, self._number = began_us, -1
        self._tokens = 0.0

    def grant(self, now_us: int, wanted: int) -> int:
        """How many of the wanted events may go now. Those that do not go are given back."""
        step = self._step(now_us)
        return wanted if step is None or not step.target_eps else min(wanted, int(self._tokens))

    def spend(self, events: int) -> None:
        """So many have gone."""
        self._tokens -= events

    def wait_us(self, now_us: int) -> int:
        """Microseconds until an event may go, or the plan goes on; 0 when one may."""
        step = self._step(now_us)
        if step is None or not step.target_eps or self._tokens >= 1:
            return 0
        return 1 + int((1 - self._tokens) / step.target_eps * 1_000_000)

    def _step(self, now_us: int) -> RateStep | None:
        """The step in force, the bucket filled up to now."""
        if not self._steps:
            return None
        while self._starts_us(self._number + 1) <= now_us:
            self._fill(int(self._starts_us(self._number + 1)))
            self._number += 1
            self._tokens = min(self._steps[self._number].initial_tokens + self._tokens, self._capacity(self._steps[self._number]))
        self._fill(now_us)
        return self._steps[max(0, self._number)]

    def _starts_us(self, number: int) -> float:
        return self._began_us + self._steps[number].start_offset_seconds * 1_000_000 if number < len(self._steps) else inf

    def _fill(self, now_us: int) -> None:
        if self._number >= 0 and now_us > self._at_us:
            step = self._steps[self._number]
            self._tokens = min(self._capacity(step), self._tokens + step.target_eps * (now_us - self._at_us) / 1_000_000)
        self._at_us = max(self._at_us, now_us)

    @staticmethod
    def _capacity(step: RateStep) -> float:
        return max(1.0, step.target_eps * step.burst_seconds)
