"""Size and time of a world."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, field_validator

from assay.engine.parameters import Document, Parameters

HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
Count = Annotated[int, Field(ge=1)]


class Scale(Document):
    """How large a world is. `part_flows` and `part_parties` bound the rows of a file."""

    document = "scale"
    name: str
    flows: Count
    parties: Count
    merchants: Count
    part_flows: Count
    part_parties: Count


class Scenario(Document):
    """When a world happens: from `start_utc` for so many days."""

    document = "scenario"
    scenario_id: str
    start_utc: datetime
    days: Annotated[int, Field(ge=7, le=366)]

    @field_validator("start_utc")
    @classmethod
    def _midnight(cls, start_utc: datetime) -> datetime:
        if start_utc.tzinfo is None or start_utc.timestamp() % 86_400:
            raise ValueError("a scenario begins at midnight UTC")
        return start_utc

    @property
    def start_us(self) -> int:
        """Microseconds since 1970 of the first instant."""
        return int(self.start_utc.astimezone(UTC).timestamp()) * 1_000_000

    @property
    def end_us(self) -> int:
        """Microseconds since 1970 of the instant after the last."""
        return self.start_us + self.days * DAY_US

    @property
    def hours(self) -> int:
        """Hourly buckets."""
        return self.days * 24


def time_parts(parameters: Parameters) -> int:
    """Parts of everything that is made by time: enough for `part_flows` rows each, at most one a day."""
    scale, scenario = parameters.of(Scale), parameters.of(Scenario)
    return min(scenario.days, -(-scale.flows // scale.part_flows))


def days_of(parameters: Parameters, part: int) -> tuple[int, int]:
    """The first day of a part by time, and the day after its last."""
    parts, days = time_parts(parameters), parameters.of(Scenario).days
    return part * days // parts, (part + 1) * days // parts


def party_parts(parameters: Parameters) -> int:
    """Parts of everything that is made by party."""
    scale = parameters.of(Scale)
    return -(-scale.parties // scale.part_parties)


def parties_of(parameters: Parameters, part: int) -> tuple[int, int]:
    """The first party of a part, counted from 0, and the party after its last."""
    scale = parameters.of(Scale)
    return part * scale.part_parties, min((part + 1) * scale.part_parties, scale.parties)
